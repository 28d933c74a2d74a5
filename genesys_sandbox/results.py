"""Answering results queries: facts added up by group and bucket, in the documented shape."""

from __future__ import annotations

from bisect import bisect_right
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from genesys_sandbox import sample_week
from genesys_sandbox.asked import Asked, View, read_query
from genesys_sandbox.buckets import cut
from genesys_sandbox.cells import Cell, Group, Table, stats, whole
from genesys_sandbox.instants import to_datetime, to_text
from genesys_sandbox.messages import refuse
from genesys_sandbox.vocabulary import PRESENCES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genesys_sandbox.contract import Family
    from genesys_sandbox.facts import Subject
    from genesys_sandbox.history import History
    from genesys_sandbox.options import Options

_TOO_LARGE = "The result set exceeds the limit of 30000 results"


class Results:
    """The documented aggregates API over one history."""

    def __init__(self, history: History, options: Options) -> None:
        """Answer from a history, in the manner the options say."""
        self._history = history
        self._options = options

    def query(self, family: Family, payload: object, as_of: int) -> dict[str, object]:
        """The answer's body to a query's body, with what is known at an instant (UTC milliseconds).

        Raises:
            RefusedError: the query is malformed, asks for too much, or for too long a time.
        """
        asked = read_query(family, payload)
        self._check_length(asked)
        boundaries = cut(asked.start, asked.end, asked.granularity, asked.zone)
        replays = self._replays(asked, as_of)
        shown = self._shown(asked, replays=replays)
        table = _sample(asked, shown) if replays else self._add_up(asked, boundaries, shown, as_of)
        limit = self._options.max_results
        if limit is not None and table.rows > limit:
            refuse(_TOO_LARGE, status=self._options.too_large_status)
        intervals = [self._interval(asked, *pair) for pair in pairwise(boundaries)]
        groups = _ranked(table, asked)
        found: list[dict[str, object]] = [
            {
                "group": {name: value for name, value in zip(shown, group, strict=True) if value is not None},
                "data": [
                    _bucket(intervals[number], cells, asked)
                    for number, cells in sorted(table.groups[group].items())
                ],
            }
            for group in groups
        ]
        return {**self._results(found), **_mappings(family)}

    def _check_length(self, asked: Asked) -> None:
        length = timedelta(milliseconds=asked.end - asked.start)
        slow, longest = self._options.slow_over, self._options.longest
        if longest is not None and length > longest:
            refuse("The interval is longer than {longest}", "invalid.value", longest=longest)
        if slow is not None and length > slow:
            refuse("The request timed out.", "request.timeout", status=504)

    def _shown(self, asked: Asked, *, replays: bool) -> tuple[str, ...]:
        """The dimensions that groups carry: those asked for, and sometimes one more, as in the sample."""
        shown = asked.group_by
        unasked = self._options.unasked_media_type or replays
        if unasked and asked.family.name == "conversations" and "mediaType" not in shown:
            return (*shown, "mediaType")
        return shown

    def _replays(self, asked: Asked, as_of: int) -> bool:
        return (
            self._options.replay
            and asked.family.name == "conversations"
            and sample_week.is_sample_week(asked.start, asked.end, as_of)
            and sample_week.one_bucket(asked.granularity)
        )

    def _add_up(self, asked: Asked, boundaries: list[int], shown: tuple[str, ...], as_of: int) -> Table:
        table = Table()
        views: dict[str, list[View]] = {}
        for view in asked.views:
            views.setdefault(view.target, []).append(view)
        groups: dict[int, tuple[Subject, Group | None]] = {}
        for event in self._history.between(asked.family.name, asked.start, asked.end, as_of, asked.metrics):
            seen = groups.get(id(event.subject))
            if seen is None:  # the subject is kept beside its group, so that its id stays its own
                seen = groups[id(event.subject)] = event.subject, self._group(event.subject, asked, shown)
            group = seen[1]
            if group is None:
                continue
            bucket = bisect_right(boundaries, event.at) - 1
            table.add(group, bucket, (event.metric, event.qualifier), event.value)
            for view in views.get(event.metric, ()):
                if view.at_least <= event.value < view.below:
                    table.add(group, bucket, (view.name, ""), event.value)
        return table

    def _group(self, subject: Subject, asked: Asked, shown: tuple[str, ...]) -> Group | None:
        """Where a subject belongs; None where the filter leaves it out."""
        value = self._history.centre.vocabulary.value
        if asked.keep is not None and not asked.keep(lambda name: value(subject, name)):
            return None
        return tuple(value(subject, name) for name in shown)

    def _interval(self, asked: Asked, start: int, end: int) -> str:
        if not self._options.local_offsets:
            return f"{to_text(start)}/{to_text(end)}"
        local = (to_datetime(ms).astimezone(asked.zone) for ms in (start, end))
        return "/".join(instant.isoformat(timespec="milliseconds") for instant in local)

    def _results(self, found: list[dict[str, object]]) -> dict[str, object]:
        if found or self._options.empty == "list":
            return {"results": found}
        return {"results": None} if self._options.empty == "null" else {}


def _sample(asked: Asked, shown: tuple[str, ...]) -> Table:
    table = Table()
    for posting in sample_week.postings():
        if posting.metric in asked.metrics and (asked.keep is None or asked.keep(posting.group.get)):
            group = tuple(posting.group.get(name) for name in shown)
            table.merge(group, 0, (posting.metric, ""), posting.cell)
    return table


def _bucket(interval: str, cells: Mapping[tuple[str, str], Cell], asked: Asked) -> dict[str, object]:
    metrics: list[dict[str, object]] = []
    for metric in asked.metrics:
        for qualifier in sorted(q for name, q in cells if name == metric):
            named = {"metric": metric, "qualifier": qualifier} if qualifier else {"metric": metric}
            metrics.append({**named, "stats": stats(metric, cells[metric, qualifier])})
    bucket: dict[str, object] = {"interval": interval, "metrics": metrics}
    views = [
        {"name": view.name, "stats": stats(view.target, cells[view.name, ""])}
        for view in asked.views
        if (view.name, "") in cells
    ]
    return {**bucket, "views": views} if views else bucket


def _ranked(table: Table, asked: Asked) -> list[Group]:
    """The groups in the order of their values, or the first few by what they are ranked by."""
    groups = sorted(table.groups, key=lambda group: [value or "" for value in group])
    top = asked.top
    if top is None:
        return groups
    sign = -1 if top.largest else 1

    def rank(group: Group) -> float:
        cells = (
            cell
            for bucket in table.groups[group].values()
            for (name, _), cell in bucket.items()
            if name == top.metric
        )
        value = whole(cells, top.metric, top.function)
        return float("inf") if value is None else sign * value

    return sorted(groups, key=rank)[: top.limit]


def _mappings(family: Family) -> dict[str, object]:
    if family.name != "users":
        return {}
    mappings = {status: [named.id for named in several] for status, several in PRESENCES.items()}
    return {"systemToOrganizationMappings": mappings}
