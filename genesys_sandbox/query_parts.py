"""What both query formats have in common: fields, filters, granularities and buckets."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias
from zoneinfo import ZoneInfo

from genesys_sandbox.http_messages import reject
from genesys_sandbox.timestamps import DAY, HOUR, MINUTE, to_datetime, to_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    DimensionValue: TypeAlias = Callable[[str], "str | None"]
    Predicate: TypeAlias = Callable[[DimensionValue], bool]
    from datetime import datetime


def record(value: object, name: str) -> Mapping[str, object]:
    """Return a value that must be an object."""
    if not isinstance(value, dict):
        reject("{field} must be an object", field=name)
    return value


def records(body: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    """Return a list of objects; empty if it is missing or null."""
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        reject("{field} must be a list", field=name)
    return [record(item, name) for item in value]


def texts(body: Mapping[str, object], name: str) -> tuple[str, ...]:
    """Return a list of strings; empty if it is missing or null."""
    value = body.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        reject("{field} must be a list of strings", field=name)
    return tuple(value)


def text(body: Mapping[str, object], name: str, default: str | None = None) -> str:
    """Return a string; it is required if there is no default."""
    value = body.get(name, default)
    if value is None:
        value = default
    if not isinstance(value, str):
        reject("{field} is required and must be a string", field=name)
    return value


def number(body: Mapping[str, object], name: str, default: int, maximum: int) -> int:
    """Return an integer from 1 to `maximum`."""
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= maximum:
        reject("{field} must be between 1 and {maximum}", "invalid.value", field=name, maximum=maximum)
    return value


def known(names: tuple[str, ...], allowed: frozenset[str] | tuple[str, ...], what: str) -> tuple[str, ...]:
    """Return the names if all of them are allowed."""
    for name in names:
        if name not in allowed:
            reject("{name} is not a known {what}", what=what, name=name)
    return names


def zone(body: Mapping[str, object]) -> ZoneInfo:
    """Return the requested time zone, UTC by default."""
    name = text(body, "timeZone", "UTC")
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError
        reject("Invalid time zone: {zone}", "invalid.value", zone=name)


def compile_filter(clause: Mapping[str, object], allowed: frozenset[str]) -> Predicate:
    """Compile `{type: and|or, clauses: […], predicates: […]}`. Without any part it matches everything."""
    combine = _combiner(clause)
    parts = [compile_predicate(entry, allowed) for entry in records(clause, "predicates")]
    parts += [compile_filter(entry, allowed) for entry in records(clause, "clauses")]
    if not parts:
        return lambda _: True
    return lambda value_of: combine(part(value_of) for part in parts)


def compile_tree_filter(clause: Mapping[str, object], allowed: frozenset[str]) -> Predicate:
    """Compile a group-tree expression, whose clauses are predicates or nested clauses."""
    combine = _combiner(clause)
    parts = [
        compile_predicate(entry, allowed)
        if entry.get("type") == "dimension"
        else compile_tree_filter(entry, allowed)
        for entry in records(clause, "clauses")
    ]
    if not parts:
        return lambda _: True
    return lambda value_of: combine(part(value_of) for part in parts)


def compile_predicate(predicate: Mapping[str, object], allowed: frozenset[str]) -> Predicate:
    """Compile one predicate on a dimension."""
    if text(predicate, "type", "dimension") != "dimension":
        reject("Only dimension predicates are supported")
    name = known((text(predicate, "dimension"),), allowed, "dimension")[0]
    operator = text(predicate, "operator", "matches")
    if operator == "exists":
        return lambda value_of: value_of(name) is not None
    if operator == "notExists":
        return lambda value_of: value_of(name) is None
    value = text(predicate, "value")
    if operator in {"matches", "equals"}:
        return lambda value_of: value_of(name) == value
    if operator == "notEquals":
        return lambda value_of: value_of(name) != value
    return reject("Invalid operator: {operator}", "invalid.value", operator=operator)


def _combiner(clause: Mapping[str, object]) -> Callable[..., bool]:
    kind = text(clause, "type")
    if kind not in {"and", "or"}:
        reject("Invalid filter type: {type}", "invalid.value", type=kind)
    return all if kind == "and" else any


_DURATION = re.compile(r"P(?:T(\d+)([MH])|(\d+)([DWM]))")
_UNIT_MS = {"M": MINUTE, "H": HOUR}
_MAX_BUCKETS = 400_000


@dataclass(frozen=True, slots=True)
class Granularity:
    """The length of a bucket: elapsed milliseconds, or days or months in local time."""

    elapsed: int = 0
    days: int = 0
    months: int = 0

    def at_least(self, length: int) -> bool:
        """Whether a bucket spans at least `length` milliseconds, whatever the season."""
        return self.elapsed + self.days * DAY + self.months * 28 * DAY >= length

    def boundary(self, start: datetime, number: int) -> int:
        """Return the start of bucket `number`, counted from a start in the requested zone."""
        if self.elapsed:
            return to_ms(start) + number * self.elapsed
        if number == 0:
            return to_ms(start)
        wall = start.replace(tzinfo=None) + timedelta(days=number * self.days)
        if self.months:
            month = wall.year * 12 + wall.month - 1 + number * self.months
            year, month = divmod(month, 12)
            last = calendar.monthrange(year, month + 1)[1]
            wall = wall.replace(year=year, month=month + 1, day=min(wall.day, last))
        return to_ms(wall.replace(tzinfo=start.tzinfo))


def parse_granularity(text: str) -> Granularity:
    """Parse `PTnM`, `PTnH`, `PnD`, `PnW` or `PnM`; reject anything else."""
    match = _DURATION.fullmatch(text)
    clock, clock_unit, dates, date_unit = match.groups() if match else (None, None, None, None)
    number = int(clock or dates or 0)
    if number == 0:
        reject("Invalid granularity: {granularity}", "invalid.value", granularity=text)
    if clock_unit:
        return Granularity(elapsed=number * _UNIT_MS[clock_unit])
    if date_unit == "M":
        return Granularity(months=number)
    return Granularity(days=number * (7 if date_unit == "W" else 1))


def cut(start: int, end: int, granularity: Granularity | None, zone: ZoneInfo) -> list[int]:
    """Return the bucket boundaries including start and end.

    Buckets are counted from the start, not from the clock (docs/api-notes.md, "Results: intervals and
    buckets").
    """
    boundaries = [start]
    origin = to_datetime(start).astimezone(zone)
    while granularity is not None:
        next_boundary = granularity.boundary(origin, len(boundaries))
        if next_boundary >= end:
            break
        boundaries.append(next_boundary)
        if len(boundaries) > _MAX_BUCKETS:
            reject("The granularity is too small for the interval")
    return [*boundaries, end]
