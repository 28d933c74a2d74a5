"""The current time, and waiting.

"Now" is the earlier of the machine's clock and the server's: a clock that runs ahead would call buckets
complete that are still filling, and settled that still change.

No other module asks the system for the time, except for the socket deadline in ``http/response_limits.py``.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import Protocol

_PRECISION = timedelta(seconds=2)
"""A ``Date`` header has whole seconds, and is as old as the answer took to arrive."""


class Clock(Protocol):
    """Time as the tap uses it; tests replace it."""

    def now(self) -> datetime:
        """The current time in UTC."""

    def monotonic(self) -> float:
        """Seconds that only grow, for measuring durations."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(timezone.utc)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class ServerClock:
    """A clock that is never ahead of the server's, and never goes back.

    Where rows of two times are compared, the later ones count. If the machine's clock is set back during a
    run, its time stands still until the clock has caught up, so that no row looks older than one before it.
    """

    def __init__(self, clock: Clock) -> None:
        """Start with the machine's time, until the server's is known.

        Args:
            clock: The machine's clock.
        """
        self._clock = clock
        self._ahead: timedelta | None = None
        self._latest = datetime.min.replace(tzinfo=timezone.utc)

    def now(self) -> datetime:
        now = self._clock.now() - (self._ahead or timedelta())
        if self._ahead is not None:
            self._latest = now = max(now, self._latest)
        return now

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)

    def synchronize(self, server: datetime | None) -> timedelta | None:
        """Compare with the server's time; only the first call counts, so that time does not jump.

        Args:
            server: The server's time, a moment ago, in whole seconds; None if it does not say.

        Returns:
            How far the machine is ahead, negative if it is behind; None if there is no comparison.
        """
        if self._ahead is not None:
            return None
        if server is None:
            self._ahead = timedelta()
            return None
        ahead = self._clock.now() - server
        # Within the precision of the server's answer, the machine's clock is the better one.
        self._ahead = ahead if ahead > _PRECISION else timedelta()
        return ahead
