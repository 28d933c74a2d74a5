"""How the platform cuts an interval into buckets: from its start, not from the clock."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from genesys_sandbox.instants import DAY, HOUR, MINUTE, to_datetime, to_ms
from genesys_sandbox.messages import refuse

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

_DURATION = re.compile(r"P(?:T(\d+)([MH])|(\d+)([DWM]))")
_ELAPSED = {"M": MINUTE, "H": HOUR}
_MOST_BUCKETS = 400_000


@dataclass(frozen=True, slots=True)
class Granularity:
    """The length of a bucket: elapsed milliseconds, or days or months on the wall clock."""

    elapsed: int = 0
    days: int = 0
    months: int = 0

    def at_least(self, length: int) -> bool:
        """Whether a bucket is at least so many milliseconds long, whatever the season."""
        return self.elapsed + self.days * DAY + self.months * 28 * DAY >= length

    def boundary(self, start: datetime, number: int) -> int:
        """Where the bucket of a number begins, counted from an instant in the asked zone."""
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
    """The granularity of `PTnM`, `PTnH`, `PnD`, `PnW` or `PnM`; anything else is refused."""
    match = _DURATION.fullmatch(text)
    clock, clock_unit, dates, date_unit = match.groups() if match else (None, None, None, None)
    number = int(clock or dates or 0)
    if number == 0:
        refuse("Invalid granularity: {granularity}", "invalid.value", granularity=text)
    if clock_unit:
        return Granularity(elapsed=number * _ELAPSED[clock_unit])
    if date_unit == "M":
        return Granularity(months=number)
    return Granularity(days=number * (7 if date_unit == "W" else 1))


def cut(start: int, end: int, granularity: Granularity | None, zone: ZoneInfo) -> list[int]:
    """The boundaries of the buckets, the start first and the end last: one more than there are buckets."""
    boundaries = [start]
    origin = to_datetime(start).astimezone(zone)
    while granularity is not None:
        following = granularity.boundary(origin, len(boundaries))
        if following >= end:
            break
        boundaries.append(following)
        if len(boundaries) > _MOST_BUCKETS:
            refuse("The granularity is too small for the interval")
    return [*boundaries, end]
