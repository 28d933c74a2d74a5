"""A results query, validated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from genesys_sandbox import query_parts
from genesys_sandbox.contract import FamilySpec, Kind, kind
from genesys_sandbox.http_messages import reject
from genesys_sandbox.query_parts import Granularity, compile_filter, parse_granularity
from genesys_sandbox.timestamps import from_text, to_ms

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from genesys_sandbox.query_parts import Predicate


_MAX_VIEWS = 10
_MAX_USERS = 100  # docs/api-notes.md, "Results: users"


@dataclass(frozen=True, slots=True)
class RangeView:
    """A range of a timer's values; its response has the four statistics of a timer."""

    target: str
    name: str
    at_least: float
    below: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """A ranking: only the groups with the highest or lowest value over the whole interval."""

    metric: str
    function: str
    limit: int
    largest: bool


@dataclass(frozen=True, slots=True)
class ResultsQuery:
    """A validated results query.

    Attributes:
        start: Start, UTC milliseconds.
        end: End (exclusive), UTC milliseconds.
        granularity: None for one bucket.
    """

    family: FamilySpec
    start: int
    end: int
    granularity: Granularity | None
    zone: ZoneInfo
    group_by: tuple[str, ...]
    metrics: tuple[str, ...]
    matches: Predicate | None
    views: tuple[RangeView, ...]
    top: Ranking | None


def read_query(family: FamilySpec, payload: object) -> ResultsQuery:
    """Validate the body of a query against its family.

    Raises:
        ApiError: 400, as the platform responds.
    """
    body = query_parts.record(payload, "body")
    start, end = _interval(query_parts.text(body, "interval"))
    metrics = query_parts.known(query_parts.texts(body, "metrics"), family.metrics, "metric")
    if not metrics:
        reject("At least one metric is required")
    granularity = body.get("granularity")
    query_parts.known(
        (query_parts.text(body, "alternateTimeDimension", "eventTime"),),
        family.alternate_times or ("eventTime",),
        "time dimension",
    )
    return ResultsQuery(
        family=family,
        start=start,
        end=end,
        granularity=None if granularity is None else parse_granularity(query_parts.text(body, "granularity")),
        zone=query_parts.zone(body),
        group_by=tuple(
            dict.fromkeys(query_parts.known(query_parts.texts(body, "groupBy"), family.group_by, "dimension"))
        ),
        metrics=tuple(dict.fromkeys(metrics)),
        matches=_filter(family, body),
        views=tuple(_view(entry, family) for entry in _check_number(query_parts.records(body, "views"))),
        top=_top(family, body),
    )


def _interval(text: str) -> tuple[int, int]:
    parts = text.split("/")
    try:
        start, end = (to_ms(from_text(part)) for part in parts)
    except ValueError:
        reject("Invalid interval: {interval}", "invalid.date", interval=text)
    if start >= end:
        reject("The interval {interval} is empty", "invalid.date", interval=text)
    return start, end


def _filter(family: FamilySpec, body: Mapping[str, object]) -> Predicate | None:
    if body.get("filter") is None:
        return None
    clause = query_parts.record(body["filter"], "filter")
    if family.name == "users":
        _check_users(clause)
    return compile_filter(clause, family.filter_dimensions)


def _check_users(clause: Mapping[str, object]) -> None:
    if clause.get("type") == "or":
        reject("A flat or filter undercounts users. Wrap it: and[or[…]]")
    if _count_predicates(clause) > _MAX_USERS:
        reject("At most {maximum} user predicates are allowed", "invalid.value", maximum=_MAX_USERS)


def _count_predicates(clause: Mapping[str, object]) -> int:
    inner = sum(_count_predicates(entry) for entry in query_parts.records(clause, "clauses"))
    return inner + len(query_parts.records(clause, "predicates"))


def _check_number(views: list[Mapping[str, object]]) -> list[Mapping[str, object]]:
    if len(views) > _MAX_VIEWS:
        reject("At most {maximum} views are allowed", "invalid.value", maximum=_MAX_VIEWS)
    return views


def _view(entry: Mapping[str, object], family: FamilySpec) -> RangeView:
    target = query_parts.known((query_parts.text(entry, "target"),), family.metrics, "metric")[0]
    name = query_parts.text(entry, "name")
    if kind(target) is not Kind.TIMER or name in family.metrics:
        reject("The view {name} must target a timer and must not be named like a metric", name=name)
    if query_parts.text(entry, "function") != "rangeBound":
        reject("The function of the view {name} must be rangeBound", name=name)
    bounds = query_parts.record(entry.get("range"), "range")
    return RangeView(target, name, _bound(bounds, "gte", 0.0), _bound(bounds, "lt", float("inf")))


def _bound(bounds: Mapping[str, object], name: str, default: float) -> float:
    value = bounds.get(name, default)
    if not isinstance(value, (int, float)):
        reject("{field} must be a number", field=name)
    return value


def _top(family: FamilySpec, body: Mapping[str, object]) -> Ranking | None:
    kind_of_query = query_parts.text(body, "queryType", "groupBy")
    if kind_of_query == "groupBy":
        return None
    if not family.top_n or kind_of_query not in {"topN", "bottomN"}:
        reject("queryType {type} is not supported", "invalid.value", type=kind_of_query)
    sort = query_parts.record(body.get("sortMetric"), "sortMetric")
    metric = query_parts.known(
        (query_parts.text(sort, "name"),), query_parts.texts(body, "metrics"), "sort metric"
    )[0]
    function = query_parts.text(sort, "function", "count")
    query_parts.known((function,), ("count", "sum", "min", "max"), "function")
    limit = query_parts.number(body, "limit", default=10, maximum=1000)
    return Ranking(metric, function, limit, largest=kind_of_query == "topN")
