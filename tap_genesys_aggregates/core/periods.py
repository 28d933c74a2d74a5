"""ISO 8601 durations: the lengths of buckets and windows."""

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
_MONTHS_A_YEAR = 12
_DAYS_A_WEEK = 7
_LONGEST = 100 * 366 * DAY
_DATE = re.compile(r"P(?:(?P<Y>\d+)Y)?(?:(?P<M>\d+)M)?(?:(?P<W>\d+)W)?(?:(?P<D>\d+)D)?", re.ASCII)
_TIME = re.compile(r"PT(?:(?P<H>\d+)H)?(?:(?P<M>\d+)M)?(?:(?P<S>\d+)S)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Period:
    """A length of time: whole months, or whole days, or whole seconds, never a mix.

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
            ValueError: It is no duration, is zero, or mixes units of differing kinds.
        """
        wanted = "an ISO 8601 duration such as PT30M, PT1H, P1D, P1W or P1M"
        match = _TIME.fullmatch(text) or _DATE.fullmatch(text)
        parts = {unit: int(n) for unit, n in match.groupdict().items() if n} if match else {}
        if not parts or len(text) > len("PT") + 12:
            msg = f"{text!r} is not {wanted}"
            raise ValueError(msg)
        period = cls._of(text, parts)
        if sum(bool(n) for n in (period.months, period.days, period.seconds)) != 1:
            msg = f"{text!r} is zero or mixes calendar units; it wants {wanted}"
            raise ValueError(msg)
        if period.least_seconds > _LONGEST:
            msg = f"{text!r} is longer than a century; it wants {wanted}"
            raise ValueError(msg)
        return period

    @classmethod
    def _of(cls, text: str, parts: dict[str, int]) -> Period:
        """The period that the numbers of a duration add up to."""
        if text.startswith("PT"):
            seconds = parts.get("H", 0) * 3600 + parts.get("M", 0) * 60 + parts.get("S", 0)
            return cls(text, seconds=seconds)
        months = parts.get("Y", 0) * _MONTHS_A_YEAR + parts.get("M", 0)
        return cls(text, months=months, days=parts.get("W", 0) * _DAYS_A_WEEK + parts.get("D", 0))

    @property
    def least_seconds(self) -> int:
        """The shortest time that this period can be, to within an hour a day: for comparisons."""
        return self.seconds or self.days * DAY or self.months * 28 * DAY

    def after(self, instant: datetime, zone: ZoneInfo) -> datetime:
        """The instant one period later: on the zone's calendar for days and months.

        Args:
            instant: Where to start.
            zone: Whose calendar and clock decide.

        Returns:
            The later instant, in UTC; never earlier than ``instant`` plus a second.
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
