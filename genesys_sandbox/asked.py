"""A results query as the platform understands it, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from genesys_sandbox import fields
from genesys_sandbox.buckets import Granularity, parse_granularity
from genesys_sandbox.contract import Family, Kind, kind
from genesys_sandbox.filters import compile_filter
from genesys_sandbox.instants import from_text, to_ms
from genesys_sandbox.messages import refuse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from genesys_sandbox.filters import Test

_MOST_VIEWS = 10
_MOST_USERS = 100


@dataclass(frozen=True, slots=True)
class View:
    """How many values of a timer fall into a range; served with the four statistics of a timer."""

    target: str
    name: str
    at_least: float
    below: float


@dataclass(frozen=True, slots=True)
class Top:
    """Only the groups with the most, or the least, of something over the whole interval."""

    metric: str
    function: str
    limit: int
    largest: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """A query, checked.

    Attributes:
        start: First instant, UTC milliseconds.
        end: First instant that no longer belongs to it.
        granularity: None for one bucket.
    """

    family: Family
    start: int
    end: int
    granularity: Granularity | None
    zone: ZoneInfo
    group_by: tuple[str, ...]
    metrics: tuple[str, ...]
    keep: Test | None
    views: tuple[View, ...]
    top: Top | None


def read_query(family: Family, payload: object) -> Asked:
    """Check a query's body against what its family knows.

    Raises:
        RefusedError: 400, as the platform would.
    """
    body = fields.record(payload, "body")
    start, end = _interval(fields.text(body, "interval"))
    metrics = fields.known(fields.texts(body, "metrics"), family.metrics, "metric")
    if not metrics:
        refuse("At least one metric is required")
    granularity = body.get("granularity")
    fields.known((fields.text(body, "alternateTimeDimension", "eventTime"),), family.alternate_times, "time")
    return Asked(
        family=family,
        start=start,
        end=end,
        granularity=None if granularity is None else parse_granularity(fields.text(body, "granularity")),
        zone=fields.zone(body),
        group_by=tuple(
            dict.fromkeys(fields.known(fields.texts(body, "groupBy"), family.group_by, "dimension"))
        ),
        metrics=tuple(dict.fromkeys(metrics)),
        keep=_filter(family, body),
        views=tuple(_view(entry, family) for entry in _few(fields.records(body, "views"))),
        top=_top(family, body),
    )


def _interval(text: str) -> tuple[int, int]:
    parts = text.split("/")
    try:
        start, end = (to_ms(from_text(part)) for part in parts)
    except ValueError:
        refuse("Invalid interval: {interval}", "invalid.date", interval=text)
    if start >= end:
        refuse("The interval {interval} is empty", "invalid.date", interval=text)
    return start, end


def _filter(family: Family, body: Mapping[str, object]) -> Test | None:
    if body.get("filter") is None:
        return None
    clause = fields.record(body["filter"], "filter")
    if family.name == "users":
        _check_users(clause)
    return compile_filter(clause, family.filter_dimensions)


def _check_users(clause: Mapping[str, object]) -> None:
    if clause.get("type") == "or":
        refuse("A flat or undercounts users: wrap it, and[or[…]]")
    if _count_predicates(clause) > _MOST_USERS:
        refuse("At most {most} user predicates are allowed", "invalid.value", most=_MOST_USERS)


def _count_predicates(clause: Mapping[str, object]) -> int:
    inner = sum(_count_predicates(entry) for entry in fields.records(clause, "clauses"))
    return inner + len(fields.records(clause, "predicates"))


def _few(views: list[Mapping[str, object]]) -> list[Mapping[str, object]]:
    if len(views) > _MOST_VIEWS:
        refuse("At most {most} views are allowed", "invalid.value", most=_MOST_VIEWS)
    return views


def _view(entry: Mapping[str, object], family: Family) -> View:
    target = fields.known((fields.text(entry, "target"),), family.metrics, "metric")[0]
    name = fields.text(entry, "name")
    if kind(target) is not Kind.TIMER or name in family.metrics:
        refuse("The view {name} needs a timer and a name of its own", name=name)
    if fields.text(entry, "function") != "rangeBound":
        refuse("The view {name} must be rangeBound", name=name)
    bounds = fields.record(entry.get("range"), "range")
    return View(target, name, _bound(bounds, "gte", 0.0), _bound(bounds, "lt", float("inf")))


def _bound(bounds: Mapping[str, object], name: str, default: float) -> float:
    value = bounds.get(name, default)
    if not isinstance(value, (int, float)):
        refuse("{field} must be a number", field=name)
    return value


def _top(family: Family, body: Mapping[str, object]) -> Top | None:
    kind_of_query = fields.text(body, "queryType", "groupBy")
    if kind_of_query == "groupBy":
        return None
    if not family.top_n or kind_of_query not in {"topN", "bottomN"}:
        refuse("queryType {type} is not known here", "invalid.value", type=kind_of_query)
    sort = fields.record(body.get("sortMetric"), "sortMetric")
    metric = fields.known((fields.text(sort, "name"),), fields.texts(body, "metrics"), "sort metric")[0]
    function = fields.text(sort, "function", "count")
    fields.known((function,), ("count", "sum", "min", "max"), "function")
    limit = fields.number(body, "limit", default=10, most=1000)
    return Top(metric, function, limit, largest=kind_of_query == "topN")
