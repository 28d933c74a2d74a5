"""Where buckets begin: the grid of a granularity in a time zone.

The API cuts buckets from the start of the interval that it is asked for (aggregates-api.md), so the
same query gives the same buckets only if every window starts on one grid. This is that grid:

* a granularity that divides a day (``PT15M`` … ``PT12H``) counts elapsed time from each local
  midnight, so on a day of 23 or 25 hours the last bucket of the day may be short;
* days, weeks and months follow the local calendar; several days or weeks count from the anchor,
  which is the local date of ``start_date``, and months from January;
* any other number of seconds (``PT7H``, ``PT36H``) counts from 1970-01-01T00:00Z.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from tap_genesys_aggregates.core.instants import UTC
from tap_genesys_aggregates.core.periods import DAY, Period

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MIDNIGHTS = Period("P1D", days=1)


@lru_cache(maxsize=4096)
def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a local day, in UTC.

    Where the clock jumps over midnight it is the instant of the jump; where midnight comes twice it
    is the first; a day that a zone left out has no length and begins where the next one does.
    """
    local = datetime(day.year, day.month, day.day, tzinfo=zone)
    begin = local.astimezone(UTC)
    if begin.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return begin
    early = local.replace(fold=1).astimezone(UTC)  # in a gap, fold=1 is the earlier instant
    while begin - early > timedelta(seconds=1):
        middle = early + timedelta(seconds=(begin - early).total_seconds() // 2)
        jumped = middle.astimezone(zone).utcoffset() != early.astimezone(zone).utcoffset()
        early, begin = (early, middle) if jumped else (middle, begin)
    return begin


@dataclass(frozen=True, slots=True)
class Grid:
    """The bucket starts of one period in one zone."""

    period: Period
    zone: ZoneInfo
    anchor: date

    @property
    def restarts_daily(self) -> bool:
        """Whether buckets are counted anew from each local midnight."""
        return 0 < self.period.seconds <= DAY and DAY % self.period.seconds == 0

    def floor(self, instant: datetime) -> datetime:
        """The start of the bucket that holds an instant."""
        if self.restarts_daily:
            begin = Grid(_MIDNIGHTS, self.zone, self.anchor).floor(instant)
            return _step_down(instant, begin, self.period.seconds)
        if self.period.seconds:
            return _step_down(instant, _EPOCH, self.period.seconds)
        # One past the bucket of the local date, then back until the boundary is not later: dates
        # can run backwards for an hour, and a day can be missing.
        index = self._index(instant.astimezone(self.zone).date()) + 1
        while self._boundary(index) > instant:
            index -= 1
        return self._boundary(index)

    def ceil(self, instant: datetime) -> datetime:
        """The first bucket start that is not before an instant."""
        begin = self.floor(instant)
        return begin if begin == instant else self.following(begin)

    def following(self, begin: datetime) -> datetime:
        """The end of the bucket that starts at ``begin``: the start of the one after."""
        if self.restarts_daily:
            tomorrow = Grid(_MIDNIGHTS, self.zone, self.anchor).following(begin)
            return min(begin + timedelta(seconds=self.period.seconds), tomorrow)
        if self.period.seconds:
            return begin + timedelta(seconds=self.period.seconds)
        index = self._index(begin.astimezone(self.zone).date()) - 1
        while self._boundary(index) <= begin:
            index += 1
        return self._boundary(index)

    def straight(self, begin: datetime, end: datetime) -> datetime:
        """How far from ``begin`` the API's own steps stay on the grid, at most to ``end``.

        It counts on from the start of the interval. So a window must not run past the end of an odd
        day (23 or 25 hours) whose length the granularity does not divide, where the grid starts anew,
        and not past a midnight that the clock jumped over, from which days would begin at one o'clock.
        """
        if self.restarts_daily:
            return self._to_odd_day(begin, end)
        return end if self.period.seconds else self._to_missing_midnight(begin, end)

    def _to_odd_day(self, begin: datetime, end: datetime) -> datetime:
        """``end``, or the end of an odd day before it."""
        days = Grid(_MIDNIGHTS, self.zone, self.anchor)
        day = days.floor(begin)
        while (tomorrow := days.following(day)) < end:
            if (tomorrow - day) % timedelta(seconds=self.period.seconds):
                return tomorrow
            day = tomorrow
        return end

    def _to_missing_midnight(self, begin: datetime, end: datetime) -> datetime:
        """``end``, or the bucket's edge at which the clock jumped over midnight; one bucket at the least."""
        edge = begin
        while edge < end:
            local = edge.astimezone(self.zone)
            if local.hour or local.minute or local.second:
                return self.following(begin) if edge == begin else edge
            edge = self.following(edge)
        return end

    def _index(self, day: date) -> int:
        """The number of the calendar bucket that a local date falls into."""
        if self.period.days:
            return (day - self.anchor).days // self.period.days
        return (day.year * 12 + day.month - 1) // self.period.months

    def _boundary(self, index: int) -> datetime:
        """The first instant of a calendar bucket."""
        if self.period.days:
            return midnight(self.anchor + timedelta(days=index * self.period.days), self.zone)
        year, month = divmod(index * self.period.months, 12)
        return midnight(date(year, month + 1, 1), self.zone)


def _step_down(instant: datetime, begin: datetime, seconds: int) -> datetime:
    """The last whole step from ``begin`` that is not after ``instant``."""
    step = timedelta(seconds=seconds)
    return begin + (instant - begin) // step * step
