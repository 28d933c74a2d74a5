"""The rows that a correct tap must emit, computed independently of the sandbox's responses."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeAlias
from zoneinfo import ZoneInfo

from genesys_sandbox.contract import TARGET, Kind, is_sample_week, kind, sample_week
from genesys_sandbox.expected_buckets import grid, is_long
from genesys_sandbox.timestamps import to_ms, to_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from genesys_sandbox.events import Event
    from genesys_sandbox.sandbox import Sandbox


Query: TypeAlias = "Mapping[str, Any]"
Row: TypeAlias = "dict[str, Any]"

_TREE_DIMENSIONS = {
    "routing.queue.id": "queueId",
    "user.id": "userId",
    "mediaType": "mediaType",
    "direction": "direction",
}
_TREE_METRICS = {
    # On every queue, a conversation ends handled, abandoned or flowed out.
    "conversationCount": ("tHandle", "tAbandon", "tFlowOut"),
    "abandonCount": ("tAbandon",),
    "handleDurationSum": ("tHandle",),
    "wrapupDurationSum": ("tAcw",),
    "talkDurationSum": ("tTalkComplete",),
    "holdDurationSum": ("tHeldComplete",),
    "waitDurationSum": ("tWait",),
}


NOT_SET, EMPTY = "(not set)", "(empty)"


def key_value(value: str | None) -> str:
    """Return the text of a dimension's value in a key, which is never null and never empty."""
    if value is None:
        return NOT_SET
    return value or EMPTY


class ExpectedRows:
    """Computes the rows that a query must return, without using the sandbox's responses.

    It shares the events and their history with the sandbox, but none of the code that aggregates them.
    A query is an entry of the tap's `queries` setting (`endpoint`, `group_by`, `metrics`, `granularity`,
    `filter`, `time_zone`, `views`, `shape`, `query_type`, `sort_metric`, `limit`) plus `api`, which is
    `results` (the default) or `group_tree`.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def rows(self, query: Query, start: datetime, end: datetime, as_of: datetime | None = None) -> list[Row]:
        """Return the rows of a half-open period with the tap's column names, ordered by key.

        Only buckets with at least one metric have rows. Timestamps are 24 characters in UTC. A metric without
        a value is None. A dimension or qualifier that is not set is `(not set)`, one that is an empty string
        `(empty)`; in the group tree both dimensions are `unknown`. A view
        has the four columns of a timer. The tap's own columns `extracted_at` and `is_final` are left out. The
        sample week is used when the period is exactly that week in one bucket; see `contract.sample_week`.

        Args:
            query: The query.
            start: Start of the period, on the grid of the granularity.
            end: End of the period (exclusive); the last bucket ends there.
            as_of: When the data is looked at; None for the sandbox's current time.

        Raises:
            ValueError: The platform has no such granularity.
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
        return len(self.rows(query, start, end, as_of))

    def _is_sample(self, query: Query, start: int, end: int, known: int) -> bool:
        return (
            self._sandbox.options.replay
            and query.get("endpoint", "conversations") == "conversations"
            and is_sample_week(start, end, known)
            and is_long(query.get("granularity"), end - start)
        )

    def _columns(self, query: Query) -> tuple[str, ...]:
        """Return the key's dimensions; conversations always have the media type."""
        requested = tuple(query.get("group_by") or ())
        if query.get("endpoint", "conversations") == "conversations" and "mediaType" not in requested:
            return (*requested, "mediaType")
        return requested

    def _results(self, query: Query, boundaries: Sequence[int], known: int) -> Found:
        family = query.get("endpoint", "conversations")
        requested = set(query.get("group_by") or ())
        if self._sandbox.options.unrequested_media_type and family == "conversations":
            requested.add("mediaType")
        columns = self._columns(query)
        found: Found = {}
        for event, value_of in self._events(family, query, boundaries, known):
            group = tuple(key_value(value_of(name) if name in requested else None) for name in columns)
            key = bisect_right(boundaries, event.at) - 1, group, event.qualifier or NOT_SET
            found.setdefault(key, {}).setdefault(event.metric, MetricValues()).add_event(event)
            for view in query.get("views") or ():
                if view["target"] == event.metric and _within(view["range"], event.value):
                    unqualified = found.setdefault((*key[:2], NOT_SET), {})
                    unqualified.setdefault(view["name"], MetricValues()).add_event(event)
        return found

    def _sample(self, query: Query) -> Found:
        found: Found = {}
        for result in sample_week()["results"]:
            value_of = result["group"].get
            if not matches(query.get("filter") or {}, value_of):
                continue
            group = tuple(key_value(value_of(name)) for name in self._columns(query))
            row = found.setdefault((0, group, NOT_SET), {})
            for entry in result["data"][0]["metrics"]:
                if entry["metric"] in query["metrics"]:
                    row.setdefault(entry["metric"], MetricValues()).add_aggregate(entry["stats"])
        return {key: row for key, row in found.items() if row}

    def _tree(self, query: Query, boundaries: Sequence[int], known: int) -> Tree:
        dimensions = tree_dimensions(query)
        found: Tree = {}
        for event, value_of in self._events("conversations", _tree_as_results(query), boundaries, known):
            group = tuple(value_of(_TREE_DIMENSIONS[name]) or "unknown" for name in dimensions)
            row = found.setdefault((bisect_right(boundaries, event.at) - 1, group), {})
            for metric in query["metrics"]:
                if event.metric in _TREE_METRICS[metric]:
                    value = event.value if metric.endswith("Sum") else 1
                    row[metric] = row.get(metric, 0) + value
        return found

    def _events(
        self, family: str, query: Query, boundaries: Sequence[int], known: int
    ) -> Iterator[tuple[Event, Callable[[str], str | None]]]:
        """Yield every matching event with a function that returns its dimension values."""
        directory = self._sandbox.history.contact_center.directory
        clause = query.get("filter") or {}
        for event in self._sandbox.history.between(
            family, boundaries[0], boundaries[-1], known, query["metrics"]
        ):
            value_of = partial(directory.value, event.subject)
            if matches(clause, value_of):
                yield event, value_of


def _tree_as_results(query: Query) -> Query:
    """Translate a group-tree query into one about events: their metrics, and the bare filter."""
    metrics = [timer for metric in query["metrics"] for timer in _TREE_METRICS[metric]]
    expression = (query.get("filter") or {}).get("expression") or {}
    return {"metrics": metrics, "filter": _translated(expression)}


def _translated(clause: Mapping[str, Any]) -> dict[str, Any]:
    if "dimension" in clause:
        return {**clause, "dimension": _TREE_DIMENSIONS[clause["dimension"]]}
    return {**clause, "clauses": [_translated(inner) for inner in clause.get("clauses") or ()]}


def _within(bounds: Mapping[str, float], value: float) -> bool:
    return bounds.get("gte", value) <= value and ("lt" not in bounds or value < bounds["lt"])


@dataclass(slots=True)
class MetricValues:
    """The values of one metric in one row: their counts, totals, minimums and maximums."""

    number: list[float] = field(default_factory=list)
    total: list[float] = field(default_factory=list)
    least: list[float] = field(default_factory=list)
    greatest: list[float] = field(default_factory=list)

    def add(self, number: float, total: float, least: float, greatest: float) -> None:
        """Add one value, or one aggregate of several."""
        self.number.append(number)
        self.total.append(total)
        self.least.append(least)
        self.greatest.append(greatest)

    def add_event(self, event: Event) -> None:
        self.add(1, event.value, event.value, event.value)

    def add_aggregate(self, stats: Mapping[str, float]) -> None:
        """Add an aggregate as the API reports it."""
        number = stats.get("denominator", stats.get("count", 0))
        total = stats.get("numerator", stats.get("sum", number))
        self.add(number, total, stats.get("min", 0), stats.get("max", 0))

    def statistics(self, metric: str) -> dict[str, float]:
        """Return the statistics of a metric by their names in the API."""
        number, total = sum(self.number), sum(self.total)
        what = kind(metric)
        if what is Kind.COUNT:
            return {"count": total}
        if what is Kind.RATIO:
            return {"ratio": total / number, "numerator": total, "denominator": number, "target": TARGET}
        return {"count": number, "sum": total, "min": min(self.least), "max": max(self.greatest)}


def wide_statistics(metric: str) -> tuple[str, ...]:
    """Return the statistics that have a column for a metric in the wide shape."""
    if metric == "oServiceLevel":
        return ("ratio", "numerator", "denominator", "target")
    additive = ("count", "sum", "min", "max")
    if metric in {"oSentimentScore", "oCustomerSentiment"}:
        return (*additive, "count_positive", "count_negative")
    return {
        "n": additive[:1],
        "t": additive,
        "o": (*additive, "ratio", "numerator", "denominator", "target"),
    }[metric[0]]


def matches(clause: Mapping[str, Any], value: Callable[[str], str | None]) -> bool:
    """Whether an event matches a filter clause of either query format."""
    inner = [*(clause.get("clauses") or ()), *(clause.get("predicates") or ())]
    if not inner:
        return True
    verdicts = [
        _predicate_holds(entry, value) if "dimension" in entry else matches(entry, value) for entry in inner
    ]
    return any(verdicts) if clause["type"] == "or" else all(verdicts)


def _predicate_holds(predicate: Mapping[str, Any], value: Callable[[str], str | None]) -> bool:
    actual = value(predicate["dimension"])
    return {
        "exists": actual is not None,
        "notExists": actual is None,
        "notEquals": actual != predicate.get("value"),
    }.get(predicate.get("operator", "matches"), actual == predicate.get("value"))


def top_groups(found: Found, query: Mapping[str, Any]) -> Found:
    """Keep only the groups that a topN or bottomN query returns, ranked over the whole period."""
    sort = query["sort_metric"]
    measured: dict[tuple[str, ...], MetricValues] = {}
    for (_, group, _), row in found.items():
        for values in [row[sort["name"]]] if sort["name"] in row else []:
            for portion in zip(values.number, values.total, values.least, values.greatest, strict=True):
                measured.setdefault(group, MetricValues()).add(*portion)
    ranks = {group: _rank(values, sort) for group, values in measured.items()}
    sign = -1 if query["query_type"] == "topN" else 1
    groups = sorted({group for _, group, _ in found})
    groups.sort(key=lambda group: sign * ranks[group] if group in ranks else float("inf"))
    kept = set(groups[: query.get("limit") or 10])
    return {key: row for key, row in found.items() if key[1] in kept}


def _rank(values: MetricValues, sort: Mapping[str, str]) -> float:
    if sort["name"][0] == "n":
        return sum(values.total)
    return {
        "count": sum(values.number),
        "sum": sum(values.total),
        "min": min(values.least),
        "max": max(values.greatest),
    }[sort.get("function", "count")]


Found: TypeAlias = "dict[tuple[int, tuple[str, ...], str], dict[str, MetricValues]]"
"""Values by bucket number, group and qualifier, then by metric or view."""

Tree: TypeAlias = "dict[tuple[int, tuple[str, ...]], dict[str, float]]"
"""Values of the group tree by bucket number and group, then by metric."""

_VIEW = "tView"
_LONG = (
    "max min sum current ratio numerator denominator target count count_negative count_positive p95 p99"
    " calculated_metric_value other_statistics"
)


@cache
def column_name(name: str) -> str:
    """Return the column for a name: `nOverSla` → `n_over_sla`, `routing.queue.id` → `routing_queue_id`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name.replace(".", "_")).lower()


def tree_dimensions(query: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the dimensions of a group-tree query, without the interval."""
    return tuple(name for name in query.get("group_by") or () if name != "interval")


def wide_rows(
    found: Found, boundaries: Sequence[int], query: Mapping[str, Any], dimensions: Sequence[str]
) -> list[dict[str, Any]]:
    """Return one row per bucket, group and (for users) qualifier."""
    return [
        {**_key(bucket, group, boundaries, dimensions), **_qualified(query, qualifier), **_wide(query, row)}
        for (bucket, group, qualifier), row in sorted(found.items(), key=_key_order)
    ]


def long_rows(
    found: Found, boundaries: Sequence[int], query: Mapping[str, Any], dimensions: Sequence[str]
) -> list[dict[str, Any]]:
    """Return one row per bucket, group, metric or view, and qualifier, with all statistics."""
    rows = []
    views = {view["name"] for view in query.get("views") or ()}
    for (bucket, group, qualifier), row in sorted(found.items(), key=_key_order):
        for name, values in sorted(row.items()):
            statistics = values.statistics(_VIEW if name in views else name)
            rows.append(
                {
                    **_key(bucket, group, boundaries, dimensions),
                    "metric": name,
                    "qualifier": qualifier,
                    **{column: statistics.get(column) for column in _LONG.split()},
                }
            )
    return rows


def tree_rows(tree: Tree, boundaries: Sequence[int], query: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one row per bucket and group, with one number per metric."""
    return [
        {
            **_key(bucket, group, boundaries, tree_dimensions(query)),
            **{column_name(metric): row.get(metric) for metric in query["metrics"]},
        }
        for (bucket, group), row in sorted(tree.items())
    ]


def _key_order(entry: tuple[tuple[int, tuple[str, ...], str], object]) -> tuple[int, tuple[str, ...], str]:
    return entry[0]


def _key(
    bucket: int, group: Sequence[str], boundaries: Sequence[int], dimensions: Sequence[str]
) -> dict[str, str]:
    return {
        "interval_start": to_text(boundaries[bucket]),
        "interval_end": to_text(boundaries[bucket + 1]),
        **{column_name(name): value for name, value in zip(dimensions, group, strict=True)},
    }


def _qualified(query: Mapping[str, Any], qualifier: str) -> dict[str, str]:
    return {"qualifier": qualifier} if query.get("endpoint") == "users" else {}


def _wide(query: Mapping[str, Any], row: Mapping[str, MetricValues]) -> dict[str, float | None]:
    columns: dict[str, float | None] = {}
    named = [(metric, metric) for metric in query["metrics"]]
    named += [(view["name"], _VIEW) for view in query.get("views") or ()]
    for name, measured_as in named:
        statistics = row[name].statistics(measured_as) if name in row else {}
        for statistic in wide_statistics(measured_as):
            columns[f"{column_name(name)}_{statistic}"] = statistics.get(statistic)
    return columns
