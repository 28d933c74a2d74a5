"""The witness: the rows that a correct tap must emit, told from the facts by a way of its own.

It shares the facts and their history with the sandbox, and nothing of how answers are made from them.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias
from zoneinfo import ZoneInfo

from genesys_sandbox import sample_week
from genesys_sandbox.instants import to_ms
from genesys_sandbox.witness_facts import Values, passes, top_groups
from genesys_sandbox.witness_grid import grid, is_long
from genesys_sandbox.witness_rows import (
    Found,
    Tree,
    long_rows,
    tree_dimensions,
    tree_rows,
    wide_rows,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from genesys_sandbox.facts import Event
    from genesys_sandbox.front import Sandbox

Query: TypeAlias = "Mapping[str, Any]"
Row: TypeAlias = "dict[str, Any]"

_TREE_DIMENSIONS = {
    "routing.queue.id": "queueId",
    "user.id": "userId",
    "mediaType": "mediaType",
    "direction": "direction",
}
_TREE_METRICS = {
    # Every conversation ends, on each queue, handled, abandoned or flowed out.
    "conversationCount": ("tHandle", "tAbandon", "tFlowOut"),
    "abandonCount": ("tAbandon",),
    "handleDurationSum": ("tHandle",),
    "wrapupDurationSum": ("tAcw",),
    "talkDurationSum": ("tTalkComplete",),
    "holdDurationSum": ("tHeldComplete",),
    "waitDurationSum": ("tWait",),
}


class Witness:
    """Says which rows a query has, without asking the sandbox's answers.

    A query is an entry of the tap's `queries` setting (`endpoint`, `group_by`, `metrics`, `granularity`,
    `filter`, `time_zone`, `views`, `shape`, `query_type`, `sort_metric`, `limit`) and `api`, which is
    `results` (the default) or `group_tree`.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        """Look at the facts of this sandbox."""
        self._sandbox = sandbox

    def rows(self, query: Query, start: datetime, end: datetime, as_of: datetime | None = None) -> list[Row]:
        """The rows of the half-open period, in the tap's column names; order is by key.

        Only buckets with at least one metric have rows. Instants are 24 characters of UTC. A metric that
        did not happen is None. A dimension that is not set is the empty string (`unknown` in the group
        tree). A view has the four columns of a timer. `extracted_at` and `is_final` are the tap's own and
        not given. The sample week is one bucket when it is asked for as exactly one; see `sample_week`.

        Args:
            query: What is asked for.
            start: First instant; it lies on the grid of the granularity.
            end: First instant that no longer belongs to the period; the last bucket ends there.
            as_of: What is known then counts; None for the sandbox's now.

        Raises:
            ValueError: the granularity is none that the platform has.
        """
        first, last = to_ms(start), to_ms(end)
        known = to_ms(as_of or self._sandbox.now())
        zone = ZoneInfo(query.get("time_zone") or "UTC")
        granularity = query.get("granularity")
        boundaries = grid(first, last, granularity, zone)
        if query.get("api") == "group_tree":
            return tree_rows(self._tree(query, boundaries, known), boundaries, query)
        if self._is_sample(query, first, last, known):
            found = self._sample(query)
        else:
            found = self._results(query, boundaries, known)
        if query.get("query_type") in {"topN", "bottomN"}:
            found = top_groups(found, query)
        build = long_rows if query.get("shape") == "long" else wide_rows
        return build(found, boundaries, query, self._columns(query))

    def count(self, query: Query, start: datetime, end: datetime, as_of: datetime | None = None) -> int:
        """How many rows there are."""
        return len(self.rows(query, start, end, as_of))

    def _is_sample(self, query: Query, start: int, end: int, known: int) -> bool:
        return (
            self._sandbox.options.replay
            and query.get("endpoint", "conversations") == "conversations"
            and sample_week.is_sample_week(start, end, known)
            and is_long(query.get("granularity"), end - start)
        )

    def _columns(self, query: Query) -> tuple[str, ...]:
        """The dimensions of the key; conversations always have the media type."""
        asked = tuple(query.get("group_by") or ())
        if query.get("endpoint", "conversations") == "conversations" and "mediaType" not in asked:
            return (*asked, "mediaType")
        return asked

    def _results(self, query: Query, boundaries: Sequence[int], known: int) -> Found:
        family = query.get("endpoint", "conversations")
        asked = set(query.get("group_by") or ())
        if self._sandbox.options.unasked_media_type and family == "conversations":
            asked.add("mediaType")
        columns = self._columns(query)
        found: Found = {}
        for event, seen in self._events(family, query, boundaries, known):
            group = tuple((seen(name) or "") if name in asked else "" for name in columns)
            key = bisect_right(boundaries, event.at) - 1, group, event.qualifier
            found.setdefault(key, {}).setdefault(event.metric, Values()).note_one(event)
            for view in query.get("views") or ():
                if view["target"] == event.metric and _within(view["range"], event.value):
                    unqualified = found.setdefault((*key[:2], ""), {})
                    unqualified.setdefault(view["name"], Values()).note_one(event)
        return found

    def _sample(self, query: Query) -> Found:
        found: Found = {}
        for result in sample_week.document()["results"]:
            seen = result["group"].get
            if not passes(query.get("filter") or {}, seen):
                continue
            row = found.setdefault((0, tuple(seen(name, "") for name in self._columns(query)), ""), {})
            for entry in result["data"][0]["metrics"]:
                if entry["metric"] in query["metrics"]:
                    row.setdefault(entry["metric"], Values()).note_all(entry["stats"])
        return {key: row for key, row in found.items() if row}

    def _tree(self, query: Query, boundaries: Sequence[int], known: int) -> Tree:
        dimensions = tree_dimensions(query)
        found: Tree = {}
        for event, seen in self._events("conversations", _tree_as_results(query), boundaries, known):
            group = tuple(seen(_TREE_DIMENSIONS[name]) or "unknown" for name in dimensions)
            row = found.setdefault((bisect_right(boundaries, event.at) - 1, group), {})
            for metric in query["metrics"]:
                if event.metric in _TREE_METRICS[metric]:
                    value = event.value if metric.endswith("Sum") else 1
                    row[metric] = row.get(metric, 0) + value
        return found

    def _events(
        self, family: str, query: Query, boundaries: Sequence[int], known: int
    ) -> Iterator[tuple[Event, Callable[[str], str | None]]]:
        """Every fact that the query is about, and what its dimensions are."""
        vocabulary = self._sandbox.history.centre.vocabulary
        clause = query.get("filter") or {}
        for event in self._sandbox.history.between(
            family, boundaries[0], boundaries[-1], known, query["metrics"]
        ):
            seen = partial(vocabulary.value, event.subject)
            if passes(clause, seen):
                yield event, seen


def _tree_as_results(query: Query) -> Query:
    """A group-tree query as one about the facts: their metrics, and the filter without its wrapping."""
    metrics = [timer for metric in query["metrics"] for timer in _TREE_METRICS[metric]]
    expression = (query.get("filter") or {}).get("expression") or {}
    return {"metrics": metrics, "filter": _translated(expression)}


def _translated(clause: Mapping[str, Any]) -> dict[str, Any]:
    if "dimension" in clause:
        return {**clause, "dimension": _TREE_DIMENSIONS[clause["dimension"]]}
    return {**clause, "clauses": [_translated(inner) for inner in clause.get("clauses") or ()]}


def _within(bounds: Mapping[str, float], value: float) -> bool:
    return bounds.get("gte", value) <= value and ("lt" not in bounds or value < bounds["lt"])
