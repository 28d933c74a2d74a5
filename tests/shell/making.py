"""Configs, settings and a clock for the tests of the shell."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone

from tap_genesys_aggregates.config.settings import Settings

UTC = timezone.utc
SECRET = "the-secret-of-the-client"
REQUIRED: dict[str, object] = {
    "client_id": "the-client",
    "client_secret": SECRET,
    "start_date": "2023-11-01T00:00:00Z",
}
QUERY: dict[str, object] = {"name": "calls", "metrics": ["nOffered"]}
GATEWAY = "https://gateway.example.com"


def config(**changes: object) -> dict[str, object]:
    """A config: what is required, and these changes."""
    return {**REQUIRED, **changes}


def settings(**changes: object) -> Settings:
    """The settings of such a config."""
    return Settings.read(config(**changes))


def one_query(**changes: object) -> dict[str, object]:
    """A config of one query with these changes."""
    return config(queries=[{**QUERY, **changes}])


class Time:
    """A clock that moves only when somebody sleeps on it, or pushes it; any number of threads may."""

    def __init__(self, now: datetime = datetime(2023, 11, 20, tzinfo=UTC)) -> None:
        """Begin at an instant."""
        self._begin = now
        self._passed = 0.0
        self._lock = threading.Lock()
        self.slept: list[float] = []

    def now(self) -> datetime:
        """The instant."""
        return self._begin + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        """Seconds since the beginning."""
        return self._passed

    def sleep(self, seconds: float) -> None:
        """Move on, and remember."""
        with self._lock:
            self.slept.append(seconds)
            self._passed += seconds

    def push(self, seconds: float) -> None:
        """Let time pass without anybody sleeping."""
        with self._lock:
            self._passed += seconds
