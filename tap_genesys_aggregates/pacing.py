"""Requests a minute, kept across threads."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MINUTE = 60.0


class Pace:
    """Lets at most so many requests begin within any minute, and holds all of them on a 429.

    The budget of a client is counted by the minute and shared (aggregates-api.md), so a burst within
    it is fine.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        """Begin a minute.

        Args:
            per_minute: Requests allowed in any 60 seconds.
            clock: Seconds that only grow.
            sleep: Waits so many seconds.
        """
        self._begun: deque[float] = deque(maxlen=per_minute)
        self._clock = clock
        self._sleep = sleep
        self._held_until = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Wait for a place, and take it."""
        while (pause := self._try()) > 0:
            self._sleep(pause)

    def hold(self, seconds: float) -> None:
        """Let no request begin for so many seconds."""
        with self._lock:
            self._held_until = max(self._held_until, self._clock() + seconds)

    def _try(self) -> float:
        """Take a place now (0), or say in how many seconds to ask again."""
        with self._lock:
            now = self._clock()
            free = self._held_until
            if len(self._begun) == self._begun.maxlen:
                free = max(free, self._begun[0] + _MINUTE)
            if free > now:
                return free - now
            self._begun.append(now)
            return 0.0
