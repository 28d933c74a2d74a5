"""The results endpoint: events aggregated by group and bucket, in the documented format."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

from genesys_sandbox.contract import SAMPLE_END, SAMPLE_START, TARGET, Kind, is_sample_week, kind, sample_week
from genesys_sandbox.directory import PRESENCES
from genesys_sandbox.http_messages import reject
from genesys_sandbox.query_parts import cut
from genesys_sandbox.results_query import RangeView, ResultsQuery, read_query
from genesys_sandbox.timestamps import to_datetime, to_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from genesys_sandbox.contact_center import History
    from genesys_sandbox.contract import FamilySpec
    from genesys_sandbox.events import Subject
    from genesys_sandbox.options import Options
    from genesys_sandbox.query_parts import Granularity


Group: TypeAlias = "tuple[str | None, ...]"


class Cell:
    """The aggregate of one metric in one bucket of one group."""

    __slots__ = ("largest", "number", "smallest", "total")

    def __init__(self, number: int, total: float, smallest: float, largest: float) -> None:
        self.number, self.total, self.smallest, self.largest = number, total, smallest, largest

    def add(self, number: int, total: float, smallest: float, largest: float) -> None:
        self.number += number
        self.total += total
        self.smallest = min(self.smallest, smallest)
        self.largest = max(self.largest, largest)


@dataclass(slots=True)
class Table:
    """The aggregates of one query, by group, bucket number, and metric (or view) and qualifier."""

    groups: dict[Group, dict[int, dict[tuple[str, str], Cell]]] = field(default_factory=dict)

    def add(self, group: Group, bucket: int, name: tuple[str, str], value: float) -> None:
        cells = self.groups.setdefault(group, {}).setdefault(bucket, {})
        cell = cells.get(name)
        if cell is None:
            cells[name] = Cell(1, value, value, value)
        else:
            cell.add(1, value, value, value)

    def merge(self, group: Group, bucket: int, name: tuple[str, str], cell: Cell) -> None:
        cells = self.groups.setdefault(group, {}).setdefault(bucket, {})
        mine = cells.setdefault(name, Cell(0, 0, cell.smallest, cell.largest))
        mine.add(cell.number, cell.total, cell.smallest, cell.largest)

    @property
    def rows(self) -> int:
        """The number of groups times buckets that are not empty."""
        return sum(map(len, self.groups.values()))


def stats(metric: str, cell: Cell) -> dict[str, float]:
    """Return the statistics that the platform reports for a metric."""
    what = kind(metric)
    if what is Kind.COUNT:
        return {"count": cell.total}
    if what is Kind.RATIO:
        numbers = {"ratio": cell.total / cell.number, "numerator": cell.total, "denominator": cell.number}
        return {**numbers, "target": TARGET}
    return {"max": cell.largest, "min": cell.smallest, "count": cell.number, "sum": cell.total}


def combined_statistic(cells: Iterable[Cell], metric: str, function: str) -> float | None:
    """Return one statistic over several cells, or None if there are none. For a count, the total."""
    several = list(cells)
    if not several:
        return None
    if kind(metric) is Kind.COUNT:
        return sum(cell.total for cell in several)
    if function == "max":
        return max(cell.largest for cell in several)
    if function == "min":
        return min(cell.smallest for cell in several)
    return sum(cell.number if function == "count" else cell.total for cell in several)


# The text that connectors look for (docs/api-notes.md, "Results: limits").
_TOO_LARGE = "The result set exceeds the limit of 30000 results"


class ResultsEndpoint:
    """Answers queries of the documented aggregates API from one history."""

    def __init__(self, history: History, options: Options) -> None:
        self._history = history
        self._options = options

    def query(self, family: FamilySpec, payload: object, as_of: int) -> dict[str, object]:
        """Return the response body with what is known at `as_of` (UTC milliseconds).

        Raises:
            ApiError: The query is malformed, too large, or covers too long an interval.
        """
        query = read_query(family, payload)
        self._check_length(query)
        boundaries = cut(query.start, query.end, query.granularity, query.zone)
        is_sample = self._is_sample_week(query, as_of)
        dimensions = self._dimensions(query, is_sample=is_sample)
        table = (
            _sample(query, dimensions) if is_sample else self._aggregate(query, boundaries, dimensions, as_of)
        )
        limit = self._options.max_results
        if limit is not None and table.rows > limit:
            reject(_TOO_LARGE, status=self._options.too_large_status)
        intervals = [self._interval(query, *pair) for pair in pairwise(boundaries)]
        groups = _ordered_groups(table, query)
        results: list[dict[str, object]] = [
            {
                "group": {
                    name: value for name, value in zip(dimensions, group, strict=True) if value is not None
                },
                "data": [
                    _bucket(intervals[number], cells, query)
                    for number, cells in sorted(table.groups[group].items())
                ],
            }
            for group in groups
        ]
        return {**self._results(results), **_presence_mappings(family)}

    def _check_length(self, query: ResultsQuery) -> None:
        length = timedelta(milliseconds=query.end - query.start)
        slow, longest = self._options.slow_over, self._options.longest
        if longest is not None and length > longest:
            reject("The interval is longer than {longest}", "invalid.value", longest=longest)
        if slow is not None and length > slow:
            reject("The request timed out.", "request.timeout", status=504)

    def _dimensions(self, query: ResultsQuery, *, is_sample: bool) -> tuple[str, ...]:
        """Return the dimensions of groups: as requested, sometimes plus `mediaType` as in the sample."""
        dimensions = query.group_by
        unrequested = self._options.unrequested_media_type or is_sample
        if unrequested and query.family.name == "conversations" and "mediaType" not in dimensions:
            return (*dimensions, "mediaType")
        return dimensions

    def _is_sample_week(self, query: ResultsQuery, as_of: int) -> bool:
        return (
            self._options.replay
            and query.family.name == "conversations"
            and is_sample_week(query.start, query.end, as_of)
            and _one_bucket(query.granularity)
        )

    def _aggregate(
        self, query: ResultsQuery, boundaries: list[int], dimensions: tuple[str, ...], as_of: int
    ) -> Table:
        table = Table()
        views: dict[str, list[RangeView]] = {}
        for view in query.views:
            views.setdefault(view.target, []).append(view)
        groups: dict[int, tuple[Subject, Group | None]] = {}
        for event in self._history.between(query.family.name, query.start, query.end, as_of, query.metrics):
            seen = groups.get(id(event.subject))
            if seen is None:  # keeping the subject keeps its id() unique
                seen = groups[id(event.subject)] = (
                    event.subject,
                    self._group(event.subject, query, dimensions),
                )
            group = seen[1]
            if group is None:
                continue
            bucket = bisect_right(boundaries, event.at) - 1
            table.add(group, bucket, (event.metric, event.qualifier), event.value)
            for view in views.get(event.metric, ()):
                if view.at_least <= event.value < view.below:
                    table.add(group, bucket, (view.name, ""), event.value)
        return table

    def _group(self, subject: Subject, query: ResultsQuery, dimensions: tuple[str, ...]) -> Group | None:
        """Return the subject's group; None if the filter excludes it."""
        value = self._history.contact_center.directory.value
        if query.matches is not None and not query.matches(lambda name: value(subject, name)):
            return None
        return tuple(value(subject, name) for name in dimensions)

    def _interval(self, query: ResultsQuery, start: int, end: int) -> str:
        if not self._options.local_offsets:
            return f"{to_text(start)}/{to_text(end)}"
        local = (to_datetime(ms).astimezone(query.zone) for ms in (start, end))
        return "/".join(instant.isoformat(timespec="milliseconds") for instant in local)

    def _results(self, results: list[dict[str, object]]) -> dict[str, object]:
        if results or self._options.empty == "list":
            return {"results": results}
        return {"results": None} if self._options.empty == "null" else {}


def _sample(query: ResultsQuery, dimensions: tuple[str, ...]) -> Table:
    table = Table()
    for value in sample_values():
        if value.metric in query.metrics and (query.matches is None or query.matches(value.group.get)):
            group = tuple(value.group.get(name) for name in dimensions)
            table.merge(group, 0, (value.metric, ""), value.cell)
    return table


def _bucket(interval: str, cells: Mapping[tuple[str, str], Cell], query: ResultsQuery) -> dict[str, object]:
    metrics: list[dict[str, object]] = []
    for metric in query.metrics:
        for qualifier in sorted(q for name, q in cells if name == metric):
            named = {"metric": metric, "qualifier": qualifier} if qualifier else {"metric": metric}
            metrics.append({**named, "stats": stats(metric, cells[metric, qualifier])})
    bucket: dict[str, object] = {"interval": interval, "metrics": metrics}
    views = [
        {"name": view.name, "stats": stats(view.target, cells[view.name, ""])}
        for view in query.views
        if (view.name, "") in cells
    ]
    return {**bucket, "views": views} if views else bucket


def _ordered_groups(table: Table, query: ResultsQuery) -> list[Group]:
    """Return the groups ordered by their values, or only the top ones by their rank."""
    groups = sorted(table.groups, key=lambda group: [value or "" for value in group])
    top = query.top
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
        value = combined_statistic(cells, top.metric, top.function)
        return float("inf") if value is None else sign * value

    return sorted(groups, key=rank)[: top.limit]


def _presence_mappings(family: FamilySpec) -> dict[str, object]:
    if family.name != "users":
        return {}
    mappings = {status: [named.id for named in several] for status, several in PRESENCES.items()}
    return {"systemToOrganizationMappings": mappings}


@dataclass(frozen=True, slots=True)
class SampleValue:
    """One metric of one queue over the whole sample week."""

    group: Mapping[str, str]
    metric: str
    cell: Cell


def _one_bucket(granularity: Granularity | None) -> bool:
    """Whether one bucket covers the whole sample week."""
    return granularity is None or granularity.at_least(SAMPLE_END - SAMPLE_START)


@cache
def sample_values() -> tuple[SampleValue, ...]:
    """Return the sample week, one value per queue and metric."""
    return tuple(
        SampleValue(result["group"], entry["metric"], _sample_cell(entry["metric"], entry["stats"]))
        for result in sample_week()["results"]
        for entry in result["data"][0]["metrics"]
    )


def _sample_cell(metric: str, stats: Mapping[str, int]) -> Cell:
    if kind(metric) is Kind.RATIO:
        return Cell(stats["denominator"], stats["numerator"], 0, 1)
    count = stats["count"]
    if kind(metric) is Kind.COUNT:
        return Cell(count, count, 1, 1)
    return Cell(count, stats["sum"], stats["min"], stats["max"])
