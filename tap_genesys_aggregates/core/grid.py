"""The grid: where the buckets of a granularity begin in a time zone.

The API counts buckets from the start of the requested interval (docs/api-notes.md, "Results: intervals
and buckets"), so a query gets the same buckets in every run only if all its windows start on one grid:

* A granularity that divides a day (``PT15M`` … ``PT12H``) counts elapsed time from each local
  midnight. On a day of 23 or 25 hours the last bucket may be short.
* Days, weeks and months follow the local calendar. Multiples of days and weeks count from the anchor,
  which is a Monday long ago by default and never the start of a run: a run with another start would cut
  other buckets, beside those that are in the warehouse. Months count from January.
* Any other number of seconds (``PT7H``, ``PT36H``) counts from 1970-01-01T00:00Z.
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

    If the clock skips midnight, this is the instant of the jump; if midnight occurs twice, the first
    one. A day that the zone skipped altogether has no length: it begins where the next one does.
    """
    local = datetime(day.year, day.month, day.day, tzinfo=zone)
    begin = local.astimezone(UTC)
    if begin.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return begin
    early = local.replace(fold=1).astimezone(UTC)  # in a gap, fold=1 is the earlier instant
    # Midnight does not exist on this day: find the jump between the two instants by bisection.
    while begin - early > timedelta(seconds=1):
        middle = early + timedelta(seconds=(begin - early).total_seconds() // 2)
        jumped = middle.astimezone(zone).utcoffset() != early.astimezone(zone).utcoffset()
        early, begin = (early, middle) if jumped else (middle, begin)
    return begin


@dataclass(frozen=True, slots=True)
class Grid:
    """The bucket boundaries of a granularity in a time zone.

    Attributes:
        period: The granularity.
        zone: The time zone.
        anchor: A local date on which a bucket of days or weeks begins.
        api_knows_zone: Whether the API is told the zone. If not, its days have 24 hours.
    """

    period: Period
    zone: ZoneInfo
    anchor: date
    api_knows_zone: bool = True

    @property
    def depends_on_anchor(self) -> bool:
        """Whether another anchor would give other buckets."""
        return self.period.days > 1

    @property
    def restarts_daily(self) -> bool:
        """Whether counting restarts at each local midnight."""
        return 0 < self.period.seconds <= DAY and DAY % self.period.seconds == 0

    def floor(self, instant: datetime) -> datetime:
        """The start of the bucket that contains an instant."""
        if self.restarts_daily:
            begin = Grid(_MIDNIGHTS, self.zone, self.anchor).floor(instant)
            return _step_down(instant, begin, self.period.seconds)
        if self.period.seconds:
            return _step_down(instant, _EPOCH, self.period.seconds)
        # Start one bucket late and step back. The local date alone is not enough: dates can run
        # backwards for an hour when clocks change, and a zone can skip a day.
        index = self._index(instant.astimezone(self.zone).date()) + 1
        while self._boundary(index) > instant:
            index -= 1
        return self._boundary(index)

    def ceil(self, instant: datetime) -> datetime:
        """The first bucket start at or after an instant."""
        begin = self.floor(instant)
        return begin if begin == instant else self.following(begin)

    def following(self, begin: datetime) -> datetime:
        """The start of the bucket after the one that starts at ``begin``."""
        if self.restarts_daily:
            tomorrow = Grid(_MIDNIGHTS, self.zone, self.anchor).following(begin)
            return min(begin + timedelta(seconds=self.period.seconds), tomorrow)
        if self.period.seconds:
            return begin + timedelta(seconds=self.period.seconds)
        index = self._index(begin.astimezone(self.zone).date()) - 1
        while self._boundary(index) <= begin:
            index += 1
        return self._boundary(index)

    def aligned_until(self, begin: datetime, end: datetime) -> datetime:
        """How far the buckets of the API, counted from ``begin``, stay on the grid; at most ``end``.

        The API keeps counting from the start of the interval, so a window has to stop in three places:
        at the end of a day of 23 or 25 hours that the granularity does not divide, where the grid
        restarts; at a midnight that the clock skipped, after which the API's days would begin at
        one o'clock; and, if the API is not told the zone, after the bucket in which the clock changes.
        """
        if self.restarts_daily:
            return self._until_uneven_day(begin, end)
        if self.period.seconds:
            return end
        until = self._until_skipped_midnight(begin, end)
        return until if self.api_knows_zone else self._until_clock_change(begin, until)

    def _until_uneven_day(self, begin: datetime, end: datetime) -> datetime:
        """``end``, or before it the end of a day that the granularity does not divide."""
        days = Grid(_MIDNIGHTS, self.zone, self.anchor)
        day = days.floor(begin)
        while (tomorrow := days.following(day)) < end:
            if (tomorrow - day) % timedelta(seconds=self.period.seconds):
                return tomorrow
            day = tomorrow
        return end

    def _until_skipped_midnight(self, begin: datetime, end: datetime) -> datetime:
        """``end``, or before it the boundary at which the clock skipped midnight; at least one bucket."""
        edge = begin
        while edge < end:
            local = edge.astimezone(self.zone)
            if local.hour or local.minute or local.second:
                return self.following(begin) if edge == begin else edge
            edge = self.following(edge)
        return end

    def _until_clock_change(self, begin: datetime, end: datetime) -> datetime:
        """``end``, or before it the end of the bucket in which the clock changes."""
        edge = begin
        while edge < end:
            edge = self.following(edge)
            if edge.astimezone(self.zone).utcoffset() != begin.astimezone(self.zone).utcoffset():
                return min(edge, end)
        return end

    def _index(self, day: date) -> int:
        """The number of the calendar bucket that contains a local date."""
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
    """The last whole step from ``begin`` at or before ``instant``."""
    step = timedelta(seconds=seconds)
    return begin + (instant - begin) // step * step
