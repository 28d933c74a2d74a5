"""The bucket boundaries that a correct tap must use, computed independently of the sandbox and the tap."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from genesys_sandbox.timestamps import DAY, to_datetime, to_ms

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


_MINUTES = {"M": 1, "H": 60}
_DAY_MINUTES = 24 * 60


def _parts(granularity: str) -> tuple[int, str]:
    """Return number and unit; minutes and hours have the unit `T` and are counted in minutes."""
    clock = re.fullmatch(r"PT(\d+)([HM])", granularity)
    if clock:
        return int(clock[1]) * _MINUTES[clock[2]], "T"
    dates = re.fullmatch(r"P(\d+)([DWM])", granularity)
    if dates is None:
        message = f"{granularity!r} is not a granularity"
        raise ValueError(message)
    return int(dates[1]), dates[2]


def is_long(granularity: str | None, length: int) -> bool:
    """Whether a bucket spans at least `length` milliseconds, whatever the season."""
    if granularity is None:
        return True
    number, unit = _parts(granularity)
    return number * {"T": 60_000, "D": DAY, "W": 7 * DAY, "M": 28 * DAY}[unit] >= length


def grid(start: int, end: int, granularity: str | None, zone: ZoneInfo) -> list[int]:
    """Return the bucket boundaries from `start`, which is on the grid, to `end`, always the last.

    Minutes and hours that divide a day restart at every local midnight, so a 23- or 25-hour day has a
    short last bucket. Those that do not divide a day are counted from `start`. Days, weeks and months are
    counted in local time from `start`.
    """
    if granularity is None:
        return [start, end]
    number, unit = _parts(granularity)
    if unit != "T":
        inner = _dates(start, end, number, unit, zone)
    elif number < _DAY_MINUTES and _DAY_MINUTES % number == 0:
        inner = _within_days(start, end, number * 60_000, zone)
    else:
        inner = list(range(start, end, number * 60_000))
    return [start, *(boundary for boundary in inner if start < boundary < end), end]


def _dates(start: int, end: int, number: int, unit: str, zone: ZoneInfo) -> list[int]:
    first = to_datetime(start).astimezone(zone)
    found: list[int] = []
    while not found or found[-1] < end:
        steps = number * (len(found) + 1)
        day = _months_on(first.date(), steps) if unit == "M" else first.date() + steps * _span(unit)
        found.append(to_ms(datetime.combine(day, first.time(), zone)))
    return found


def _span(unit: str) -> timedelta:
    return timedelta(weeks=1) if unit == "W" else timedelta(days=1)


def _months_on(day: date, months: int) -> date:
    """Return the same day of another month, or that month's last day if it is shorter."""
    years, month = divmod(day.month - 1 + months, 12)
    first = date(day.year + years, month + 1, 1)
    length = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - first
    return first.replace(day=min(day.day, length.days))


def _within_days(start: int, end: int, step: int, zone: ZoneInfo) -> list[int]:
    found: list[int] = []
    day = to_datetime(start).astimezone(zone).date()
    while True:
        midnight, following = (
            to_ms(datetime.combine(day + timedelta(days=more), time(), zone)) for more in (0, 1)
        )
        if midnight >= end:
            return found
        found += range(midnight, following, step)
        day += timedelta(days=1)
