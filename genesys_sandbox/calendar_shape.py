"""How busy the centre is: mornings peak, weekends are thin, two holidays are silent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genesys_sandbox.instants import HOUR, to_datetime

if TYPE_CHECKING:
    from datetime import date, datetime
    from zoneinfo import ZoneInfo

# Conversations that begin in each local hour of an ordinary Monday: about 420 in all.
_DAY = (1, 1, 0, 0, 0, 1, 3, 9, 28, 46, 52, 47, 36, 31, 36, 35, 30, 23, 15, 10, 7, 5, 3, 1)
_WEEK = (1.0, 0.96, 0.92, 0.94, 0.88, 0.24, 0.12)
_HOLIDAYS = {(12, 25), (1, 1)}


def is_holiday(day: date) -> bool:
    """Christmas Day and New Year's Day: nobody works and nobody calls."""
    return (day.month, day.day) in _HOLIDAYS


def local_hour(hour: int, zone: ZoneInfo) -> datetime:
    """The wall clock of the centre when an hour begins (hours since 1970, UTC)."""
    return to_datetime(hour * HOUR).astimezone(zone)


def business(moment: datetime) -> float:
    """How many conversations are to be expected in the hour that begins at a local moment."""
    if is_holiday(moment.date()):
        return 0.0
    return _DAY[moment.hour] * _WEEK[moment.weekday()]
