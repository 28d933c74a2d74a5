"""A rate limit shared with another program, with the whole tap and several requests at a time."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from genesys_sandbox import Options, Sandbox
from tests.pipeline.running import ManualClock, config, run

if TYPE_CHECKING:
    from genesys_sandbox import LogEntry
    from genesys_sandbox.http_messages import Request
    from tests.pipeline.running import Outcome

START = datetime(2026, 3, 9, 10, 0, 20, 300_000, tzinfo=timezone.utc)
LATENCY = 0.4
SETTINGS = config(
    queries=[{"name": "calls", "metrics": ["nOffered"], "granularity": "PT1H"}],
    start_date="2026-02-08T00:00:00Z",
    request_timeout=3600,
)
WINDOWS = 30
ELSEWHERE = "/api/v2/elsewhere"
TOKEN = "/oauth/token"


class ThreadClock(ManualClock):
    """A clock for threads that sleep at the same time: each wakes when its own sleep is over.

    A sleep counts from when its thread last read the clock, so the order in which threads fall asleep does
    not matter. No thread wakes while a request is in flight: waiting for the next minute takes much longer.
    """

    def __init__(self, now: datetime) -> None:
        super().__init__(now)
        self._start, self._elapsed = now, 0.0
        self._in_flight = 0
        self._read = threading.local()
        self._changed = threading.Condition()

    @override
    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())

    @override
    def monotonic(self) -> float:
        elapsed: float = self._elapsed
        self._read.at = elapsed
        return elapsed

    @override
    def sleep(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._in_flight)
            self._elapsed = max(self._elapsed, self._read.at + seconds)

    def request_arrives(self) -> None:
        with self._changed:
            self._in_flight += 1

    def request_ends(self, seconds: float) -> None:
        """A request has been answered after so many seconds."""
        with self._changed:
            self._in_flight -= 1
            self._elapsed = max(self._elapsed, self._read.at + seconds)
            self._changed.notify_all()


class Platform:
    """A sandbox on such a clock, and another program that uses a part of the same client's rate limit.

    The other program sends its requests first in each minute, with the same token.
    """

    def __init__(self, budget: int | None, taken: int = 0) -> None:
        """Start the sandbox.

        Args:
            budget: Requests per minute that the server allows.
            taken: How many of them the other program uses.
        """
        self.time = ThreadClock(START)
        options = Options(volume=0, latency=LATENCY, requests_per_minute=budget)
        self.sandbox = Sandbox(
            options, now=self.time.now, sleep=self.time.request_ends, faults=self._on_request
        )
        self._taken = taken
        self._minutes: set[datetime] = set()
        self._lock = threading.Lock()

    def run(self, concurrency: int) -> Outcome:
        return run(self.sandbox, {**SETTINGS, "concurrency": concurrency}, time=self.time)

    @property
    def requests(self) -> list[LogEntry]:
        """The tap's requests to the API, in order of arrival."""
        found = [each for each in self.sandbox.log if each.path not in {ELSEWHERE, TOKEN}]
        return sorted(found, key=lambda each: (each.at, each.number))

    @property
    def statuses(self) -> set[int]:
        """The statuses that either program received."""
        return {each.status for each in self.sandbox.log}

    def _on_request(self, number: int, request: Request) -> None:
        """A request has arrived; before a request of the tap, the other program sends its own."""
        del number
        if request.path == ELSEWHERE:
            return
        self.time.request_arrives()
        if request.path != TOKEN:
            self._send_others(request)

    def _send_others(self, request: Request) -> None:
        """Send the other program's requests, once a minute."""
        with self._lock:
            minute = minute_of(self.time.now())
            if minute in self._minutes:
                return
            self._minutes.add(minute)
            for _ in range(self._taken):
                self.sandbox.handle(replace(request, method="GET", target=ELSEWHERE, body=b""))


def minute_of(instant: datetime) -> datetime:
    return instant.replace(second=0, microsecond=0)


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize(("budget", "taken"), [(20, 0), (20, 7), (20, 14), (9, 3), (60, 56)])
def test_a_shared_budget_is_used_up_and_never_exceeded(budget: int, taken: int, concurrency: int) -> None:
    """Neither program gets a 429, and every minute but the last is used up."""
    platform = Platform(budget, taken)
    assert platform.run(concurrency).error is None
    assert platform.statuses == ({200, 404} if taken else {200})
    assert len(platform.requests) == WINDOWS
    minutes = sorted({minute_of(each.at) for each in platform.requests})
    assert minutes[-1] - minutes[0] <= timedelta(minutes=WINDOWS // (budget - taken))
    firsts = [
        min(each.at - minute for each in platform.requests if each.at >= minute) for minute in minutes[1:]
    ]
    assert max(firsts) < timedelta(seconds=3)


def test_only_the_first_requests_of_a_run_may_exceed_a_budget_that_is_nearly_used_up() -> None:
    """Four requests go first, which may be too many; the tap learns from their responses."""
    platform = Platform(60, 59)
    assert platform.run(8).error is None
    refused = [each for each in platform.requests if each.status == 429]
    assert len(refused) <= 3
    assert {minute_of(each.at) for each in refused} <= {minute_of(START)}
    assert len(platform.requests) == WINDOWS + len(refused)


def test_a_budget_that_is_large_enough_causes_no_wait() -> None:
    """The run takes as long as its responses take, and no more."""
    platform = Platform(None)
    assert platform.run(8).error is None
    assert platform.requests[-1].at - START < timedelta(seconds=LATENCY * (WINDOWS + 2))
