"""A budget shared with another program: the whole tap, eight requests at a time, on a clock of threads."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from genesys_sandbox import Options, Sandbox
from tests.pipeline.running import Time, config, run

if TYPE_CHECKING:
    from genesys_sandbox import LogEntry
    from genesys_sandbox.http_messages import Request
    from tests.pipeline.running import Outcome

BEGIN = datetime(2026, 3, 9, 10, 0, 20, 300_000, tzinfo=timezone.utc)
LATENCY = 0.4
SETTINGS = config(
    queries=[{"name": "calls", "metrics": ["nOffered"], "granularity": "PT1H"}],
    start_date="2026-02-08T00:00:00Z",
    request_timeout=3600,
)
WINDOWS = 30
ELSEWHERE = "/api/v2/elsewhere"
TOKEN = "/oauth/token"


class ThreadsTime(Time):
    """A clock for threads that sleep at the same time: each wakes when its own sleep is over.

    A sleep counts from when its thread last looked at the clock, so it does not matter who sleeps first.
    While a request is under way nobody wakes, since a wait for the next minute is much longer than that.
    """

    def __init__(self, now: datetime) -> None:
        """Begin at an instant."""
        super().__init__(now)
        self._begin, self._passed = now, 0.0
        self._under_way = 0
        self._seen = threading.local()
        self._changed = threading.Condition()

    @override
    def now(self) -> datetime:
        return self._begin + timedelta(seconds=self.monotonic())

    @override
    def monotonic(self) -> float:
        seen: float = self._passed
        self._seen.at = seen
        return seen

    @override
    def sleep(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._under_way)
            self._passed = max(self._passed, self._seen.at + seconds)

    def set_out(self) -> None:
        """A request has come."""
        with self._changed:
            self._under_way += 1

    def arrive(self, seconds: float) -> None:
        """Its answer has taken so long."""
        with self._changed:
            self._under_way -= 1
            self._passed = max(self._passed, self._seen.at + seconds)
            self._changed.notify_all()


class Platform:
    """A sandbox on such a clock, and another program of the same client that uses a part of the budget.

    It does so before anybody else in each minute, with the same token.
    """

    def __init__(self, budget: int | None, taken: int = 0) -> None:
        """Open it.

        Args:
            budget: Requests a minute.
            taken: How many of them the other program takes.
        """
        self.time = ThreadsTime(BEGIN)
        options = Options(volume=0, latency=LATENCY, requests_per_minute=budget)
        self.sandbox = Sandbox(options, now=self.time.now, sleep=self.time.arrive, faults=self._come)
        self._taken = taken
        self._minutes: set[datetime] = set()
        self._lock = threading.Lock()

    def run(self, concurrency: int) -> Outcome:
        """Run the tap."""
        return run(self.sandbox, {**SETTINGS, "concurrency": concurrency}, time=self.time)

    @property
    def asked(self) -> list[LogEntry]:
        """The tap's own requests to the API, in order of arrival."""
        asked = [each for each in self.sandbox.log if each.path not in {ELSEWHERE, TOKEN}]
        return sorted(asked, key=lambda each: (each.at, each.number))

    @property
    def statuses(self) -> set[int]:
        """What either program was answered."""
        return {each.status for each in self.sandbox.log}

    def _come(self, number: int, request: Request) -> None:
        """A request of the tap's has come; the other program's are quicker."""
        del number
        if request.path == ELSEWHERE:
            return
        self.time.set_out()
        if request.path != TOKEN:
            self._let_the_other_ask(request)

    def _let_the_other_ask(self, request: Request) -> None:
        """Its part, where none came before in this minute."""
        with self._lock:
            minute = minute_of(self.time.now())
            if minute in self._minutes:
                return
            self._minutes.add(minute)
            for _ in range(self._taken):
                self.sandbox.handle(replace(request, method="GET", target=ELSEWHERE, body=b""))


def minute_of(instant: datetime) -> datetime:
    """The minute of the clock in which an instant lies."""
    return instant.replace(second=0, microsecond=0)


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize(("budget", "taken"), [(20, 0), (20, 7), (20, 14), (9, 3), (60, 56)])
def test_a_shared_budget_is_used_up_and_never_exceeded(budget: int, taken: int, concurrency: int) -> None:
    """No 429 comes, to either program, and no minute is left out: each but the last gives what it has."""
    platform = Platform(budget, taken)
    assert platform.run(concurrency).error is None
    assert platform.statuses == ({200, 404} if taken else {200})
    assert len(platform.asked) == WINDOWS
    minutes = sorted({minute_of(each.at) for each in platform.asked})
    assert minutes[-1] - minutes[0] <= timedelta(minutes=WINDOWS // (budget - taken))
    firsts = [min(each.at - minute for each in platform.asked if each.at >= minute) for minute in minutes[1:]]
    assert max(firsts) < timedelta(seconds=3)


def test_where_nearly_nothing_is_left_at_the_beginning() -> None:
    """The first four may be too many; of what they are answered the tap learns, and no other 429 comes."""
    platform = Platform(60, 59)
    assert platform.run(8).error is None
    refused = [each for each in platform.asked if each.status == 429]
    assert len(refused) <= 3
    assert {minute_of(each.at) for each in refused} <= {minute_of(BEGIN)}
    assert len(platform.asked) == WINDOWS + len(refused)


def test_a_budget_that_is_not_tight_costs_nothing() -> None:
    """Where there is enough, the tap waits for no reset: it is done within the seconds that answers take."""
    platform = Platform(None)
    assert platform.run(8).error is None
    assert platform.asked[-1].at - BEGIN < timedelta(seconds=LATENCY * (WINDOWS + 2))
