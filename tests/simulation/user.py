"""The user of a scenario: changes the config between runs, and follows what error messages say."""

from __future__ import annotations

import ast
import copy
import re
from typing import TYPE_CHECKING, Any

from tests.simulation.troubles import NEW_STATISTIC, is_async

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from tests.simulation.habits import Habits, Trouble
    from tests.simulation.scenario import Query

_STATISTICS = re.compile(r"[Ss]et statistics: (\{.*?\}) on this query")
_WINDOWS = (("P7D", 168), ("P2D", 48), ("P1D", 24), ("PT12H", 12), ("PT6H", 6), ("PT1H", 1))
_KEY_FIELDS = ("api", "group_by", "shape")
_MEANING_FIELDS = ("granularity", "filter", "time_zone", "views", "endpoint", *_KEY_FIELDS)


class User:
    """Holds the config, which changes from run to run.

    Attributes:
        settings: The config of the next run.
        dropped: Tables that the user dropped, together with their bookmarks, since this was last emptied.
    """

    def __init__(self, settings: Mapping[str, Any], habits: Habits) -> None:
        self.settings: dict[str, Any] = copy.deepcopy(dict(settings))
        self.dropped: list[str] = []
        self._habits = habits

    @property
    def queries(self) -> list[Query]:
        """The queries of the next run in the form that `ExpectedRows` takes."""
        settings = {name: self.settings[name] for name in ("api", "on_query_change", "window")}
        queries = [{**settings, **query} for query in self.settings["queries"]]
        for query, given in zip(queries, self.settings["queries"], strict=True):
            if is_async(query) and "window" not in given:
                query["window"] = self.settings["max_window"]
        return queries

    def edit(self, run: int) -> None:
        """Make the changes that are due before a run."""
        for edit in self._habits.edits:
            if edit.run == run:
                target = self.settings if edit.query is None else self.settings["queries"][edit.query]
                for name, value in edit.fields.items():
                    target.pop(name, None)
                    if value is not None:
                        target[name] = copy.deepcopy(value)

    def follow(self, failed: Mapping[str, str], troubles: tuple[Trouble, ...], rng: Random) -> None:
        """Do what the messages of a run's failed streams say.

        Args:
            failed: Stream → message.
            troubles: What the platform does, for what its own message would say: the longest interval.
            rng: Chooses among the fixes that a message names.
        """
        for number, query in enumerate(self.settings["queries"]):
            message = failed.get(query["name"], "")
            if "another primary key" in message:
                self._other_table(query, rng)
            elif "on_query_change: reload" in message and "is not the one" in message:
                self._changed(query, rng)
            elif found := _STATISTICS.search(message):
                query["statistics"] = {**query.get("statistics", {}), **ast.literal_eval(found.group(1))}
            elif "max_window" in message:
                limits = [each.detail for each in troubles if each.kind == "interval limit"]
                self._shorten(query, min(limits, default=24), number)

    def _changed(self, query: Query, rng: Random) -> None:
        """One of the three fixes for a query that changed."""
        way = rng.choice(("name", "reload", "continue"))
        if way == "name":
            query["name"] += "_new"
        else:
            query["on_query_change"] = way

    def _other_table(self, query: Query, rng: Random) -> None:
        """One of the two fixes for a query whose key changed."""
        if rng.random() < 0.5:
            query["name"] += "_new"
        else:
            self.dropped.append(query["name"])

    def _shorten(self, query: Query, hours: float, number: int) -> None:
        """Set a window that the server accepts."""
        del number
        window = next(text for text, length in _WINDOWS if length <= hours)
        query["window"] = window
        self.settings["max_window"] = self.settings["window"] = window


def key(query: Query) -> Mapping[str, object]:
    """What the key columns of a query's table depend on."""
    group_by = query["group_by"]
    if query["api"] == "group_tree":
        return {"group_by": tuple(sorted(group_by)), "shape": "wide"}
    more = ("mediaType",) if query.get("endpoint", "conversations") == "conversations" else ()
    return {"group_by": tuple(sorted({*group_by, *more})), "shape": query.get("shape", "wide")}


def meaning(query: Query) -> Mapping[str, object]:
    """What the meaning of a query's rows depends on, apart from its metrics."""
    group_by = query["group_by"] if query["api"] == "group_tree" else sorted(query["group_by"])
    fields = {name: query.get(name) for name in _MEANING_FIELDS}
    return {**fields, "group_by": group_by, "time_zone": query.get("time_zone") or "UTC"}


def metrics(query: Query) -> frozenset[str]:
    """The metrics of a query, whose order means nothing."""
    return frozenset(query["metrics"])


def with_columns(query: Query) -> frozenset[str]:
    """What a query has columns for: its metrics, and those with a statistic that the tap did not know."""
    listed = {} if query.get("shape") == "long" else query.get("statistics", {})
    extended = (name for name in metrics(query) if NEW_STATISTIC in listed.get(name, ()))
    return metrics(query).union(f"{name}.{NEW_STATISTIC}" for name in extended)
