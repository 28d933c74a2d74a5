"""Instants as whole milliseconds since 1970 in UTC, their ISO 8601 text, and a clock for tests."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND = timedelta(milliseconds=1)
_INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:?\d\d)",
)


def utc_now() -> datetime:
    """The real clock."""
    return datetime.now(timezone.utc)


def to_ms(instant: datetime) -> int:
    """Milliseconds since 1970 of an aware instant, rounded down."""
    return (instant - _EPOCH) // _MILLISECOND


def to_datetime(ms: int) -> datetime:
    """The aware UTC instant of a number of milliseconds since 1970."""
    return _EPOCH + timedelta(milliseconds=ms)


def to_text(ms: int) -> str:
    """The one fixed-width UTC form, 24 characters: `2025-01-31T09:30:00.000Z`."""
    return to_datetime(ms).isoformat(timespec="milliseconds")[:23] + "Z"


def from_text(text: str) -> datetime:
    """An ISO 8601 instant with an offset, as an aware UTC datetime.

    Raises:
        ValueError: it is no such instant, or has no offset.
    """
    match = _INSTANT.fullmatch(text)
    if match is None:
        message = f"{text!r} is not an ISO 8601 instant with an offset"
        raise ValueError(message)
    day, clock, seconds, fraction, offset = match.groups()
    micros = (fraction or "0")[:6].ljust(6, "0")
    sign = "+00:00" if offset == "Z" else f"{offset[:3]}:{offset[-2:]}"
    plain = datetime.fromisoformat(f"{day}T{clock}:{seconds or '00'}.{micros}{sign}")
    return plain.astimezone(timezone.utc)


class SettableClock:
    """A clock for tests: it stands still until it is told otherwise."""

    def __init__(self, instant: datetime) -> None:
        """Start at an aware instant."""
        self._instant = instant.astimezone(timezone.utc)

    def __call__(self) -> datetime:
        """The instant it shows."""
        return self._instant

    def set(self, instant: datetime) -> None:
        """Show another instant, earlier or later."""
        self._instant = instant.astimezone(timezone.utc)

    def advance(self, **span: float) -> None:
        """Move on by a `timedelta`, given by its own keywords: `advance(hours=2)`."""
        self._instant += timedelta(**span)
