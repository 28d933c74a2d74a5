"""Time that several threads sleep on, and a clock on the wall that may be set back."""

from __future__ import annotations

import math
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

from typing_extensions import override

from tests.pipeline.running import Time

if TYPE_CHECKING:
    from datetime import datetime


class SharedTime(Time):
    """A clock that moves only when somebody sleeps on it, whichever thread that is.

    ``instant`` is the truth, ``now()`` what the machine takes for it.
    """

    def __init__(self, now: datetime) -> None:
        """Begin at an instant."""
        super().__init__(now)
        self._behind = timedelta()
        self._lock = threading.Lock()

    @override
    def now(self) -> datetime:
        return self.instant - self._behind

    def fall_back(self, seconds: float) -> None:
        """What the machine takes for the time is set back; time itself goes on."""
        self._behind += timedelta(seconds=seconds)

    @override
    def sleep(self, seconds: float) -> None:
        with self._lock:  # never less than asked for: who waits for an instant asks again until it is there
            self.instant += timedelta(microseconds=math.ceil(seconds * 1_000_000) + 1)
