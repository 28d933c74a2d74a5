"""Timestamps as whole milliseconds since 1970 (UTC), their ISO 8601 text, and a clock for tests."""

from __future__ import annotations

import re
import time
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
    return datetime.now(timezone.utc)


def to_ms(instant: datetime) -> int:
    """Return the milliseconds since 1970 of an aware datetime, rounded down."""
    return (instant - _EPOCH) // _MILLISECOND


def to_datetime(ms: int) -> datetime:
    """Return the aware UTC datetime for milliseconds since 1970."""
    return _EPOCH + timedelta(milliseconds=ms)


def to_text(ms: int) -> str:
    """Format as fixed-width UTC text, 24 characters: `2025-01-31T09:30:00.000Z`."""
    return to_datetime(ms).isoformat(timespec="milliseconds")[:23] + "Z"


def from_text(text: str) -> datetime:
    """Parse an ISO 8601 timestamp with an offset into an aware UTC datetime.

    Raises:
        ValueError: The text is not such a timestamp, or has no offset.
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
    """A clock for tests that can be moved; in between it stands still, or ticks in real time.

    A sandbox that the tap talks to over sockets should tick: the tap goes by the server's time, and the rows
    of a later run must not seem to be read at the same instant.
    """

    def __init__(self, instant: datetime, *, ticks: bool = False) -> None:
        self._ticks = ticks
        self.set(instant)

    def __call__(self) -> datetime:
        elapsed = time.monotonic() - self._set_at if self._ticks else 0.0
        return self._instant + timedelta(seconds=elapsed)

    def set(self, instant: datetime) -> None:
        """Move to another time, earlier or later."""
        self._instant = instant.astimezone(timezone.utc)
        self._set_at = time.monotonic()

    def advance(self, **span: float) -> None:
        """Move forward by a `timedelta`, given by its keyword arguments: `advance(hours=2)`."""
        self.set(self() + timedelta(**span))
