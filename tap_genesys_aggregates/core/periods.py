"""Periods: ISO 8601 durations, the lengths of buckets and windows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from tap_genesys_aggregates.core.instants import UTC

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

DAY = 86_400
_MONTHS_PER_YEAR = 12
_DAYS_PER_WEEK = 7
_MAX_SECONDS = 100 * 366 * DAY
_DATE = re.compile(r"P(?:(?P<Y>\d+)Y)?(?:(?P<M>\d+)M)?(?:(?P<W>\d+)W)?(?:(?P<D>\d+)D)?", re.ASCII)
_TIME = re.compile(r"PT(?:(?P<H>\d+)H)?(?:(?P<M>\d+)M)?(?:(?P<S>\d+)S)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Period:
    """A length of time in whole months, whole days or whole seconds, never a mix.

    Months and days are calendar units in the query's time zone (a day may have 23 hours); seconds
    are elapsed time.
    """

    text: str
    months: int = 0
    days: int = 0
    seconds: int = 0

    @classmethod
    def parse(cls, text: str) -> Period:
        """Read an ISO 8601 duration.

        Args:
            text: ``PT15M``, ``PT1H``, ``P1D``, ``P1W``, ``P1M``, …

        Returns:
            The period.

        Raises:
            ValueError: The text is not a duration, is zero, or mixes months, days and seconds.
        """
        expected = "an ISO 8601 duration such as PT30M, PT1H, P1D, P1W or P1M"
        match = _TIME.fullmatch(text) or _DATE.fullmatch(text)
        parts = {unit: int(n) for unit, n in match.groupdict().items() if n} if match else {}
        if not parts or len(text) > len("PT") + 12:
            msg = f"{text!r} is not {expected}"
            raise ValueError(msg)
        period = cls._from_parts(text, parts)
        if sum(bool(n) for n in (period.months, period.days, period.seconds)) != 1:
            msg = f"{text!r} is zero or mixes months, days and times; use {expected}"
            raise ValueError(msg)
        if period.min_seconds > _MAX_SECONDS:
            msg = f"{text!r} is longer than a century; use {expected}"
            raise ValueError(msg)
        return period

    @classmethod
    def _from_parts(cls, text: str, parts: dict[str, int]) -> Period:
        """Add up the numbers of a duration."""
        if text.startswith("PT"):
            seconds = parts.get("H", 0) * 3600 + parts.get("M", 0) * 60 + parts.get("S", 0)
            return cls(text, seconds=seconds)
        months = parts.get("Y", 0) * _MONTHS_PER_YEAR + parts.get("M", 0)
        return cls(text, months=months, days=parts.get("W", 0) * _DAYS_PER_WEEK + parts.get("D", 0))

    @property
    def min_seconds(self) -> int:
        """The shortest this period can be, give or take an hour for changing clocks: for comparisons."""
        return self.seconds or self.days * DAY or self.months * 28 * DAY

    def after(self, instant: datetime, zone: ZoneInfo) -> datetime:
        """The instant one period later, by the zone's calendar for days and months.

        Args:
            instant: Where to start.
            zone: The time zone of the calendar.

        Returns:
            The later instant, in UTC; at least a second after ``instant``.
        """
        if self.seconds:
            return instant + timedelta(seconds=self.seconds)
        local = instant.astimezone(zone)
        if self.days:
            later = local + timedelta(days=self.days)
        else:
            year, month = divmod(local.year * 12 + local.month - 1 + self.months, 12)
            later = local.replace(year=year, month=month + 1, day=1) + timedelta(days=local.day - 1)
        return max(later.astimezone(UTC), instant + timedelta(seconds=1))
