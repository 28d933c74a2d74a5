"""Set-up for tests of asynchronous jobs: a sandbox with a week of calls, clocks, faults by window."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from genesys_sandbox import Fault, Options, Sandbox, SettableClock
from genesys_sandbox.faults import put
from tests.pipeline.running import ManualClock, config, multiset, run

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from genesys_sandbox import LogEntry, Request, Response
    from tests.pipeline.running import Outcome

START = datetime(2026, 3, 2, tzinfo=timezone.utc)
NOW = datetime(2026, 3, 9, tzinfo=timezone.utc)
JOBS = "/api/v2/analytics/conversations/aggregates/jobs"
JOB_GETS = f"GET {JOBS}/"
"""Matches every GET of a job: of its status and of its results."""
PENDING = put(("state",), "PENDING")
"""A status request that finds the job unfinished."""
QUERY: dict[str, Any] = {
    "name": "calls",
    "metrics": ["nOffered", "tHandle"],
    "group_by": ["queueId"],
    "granularity": "PT1H",
    "mode": "async",
}
SEVEN_DAYS = config(queries=[{**QUERY, "window": "P1D"}], max_window="P31D")
"""Seven windows of a day, one after the other."""
ONE_WEEK = config(queries=[QUERY], max_window="P31D")
"""One window of a week."""
SMALL_PAGES = config(queries=[{**QUERY, "page_size": 50}], max_window="P31D")
"""One window of a week, whose results come on several pages."""


class RecordingClock(ManualClock):
    """A clock that records how long it was slept on."""

    def __init__(self, on_sleep: Callable[[int], None] = lambda _: None) -> None:
        """Start at ``NOW``.

        Args:
            on_sleep: Called after each sleep, with the number of sleeps so far.
        """
        super().__init__(NOW)
        self.sleeps: list[float] = []
        self._on_sleep = on_sleep
        self._lock = threading.Lock()

    @override
    def sleep(self, seconds: float) -> None:
        with self._lock:
            super().sleep(seconds)
            self.sleeps.append(seconds)
            number = len(self.sleeps)
        self._on_sleep(number)


class FrozenClock(RecordingClock):
    """A clock on which sleeping takes no time, so that a waiting job is polled again and again."""

    @override
    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self._on_sleep(len(self.sleeps))


class FaultsByWindow:
    """Chooses the fault of a job's GET requests by the job's window.

    Attributes:
        windows: The interval of each submitted job, by the job's id.
    """

    def __init__(self, fault_of: Callable[[str], Fault | None]) -> None:
        """Let a function choose the fault from the window's interval."""
        self._fault_of = fault_of
        self.windows: dict[str, str] = {}

    def __call__(self, number: int, request: Request) -> Fault | None:
        """The fault of a request, if any."""
        del number
        if request.method == "POST" and request.path == JOBS:
            return Fault("note", edit=self._record)
        job = request.path.removeprefix(f"{JOBS}/").removesuffix("/results")
        return self._fault_of(self.windows[job]) if request.method == "GET" else None

    def _record(self, request: Request, answer: Response) -> Response:
        self.windows[json.loads(answer.body)["jobId"]] = request.payload["interval"]  # type: ignore[index]
        return answer


def sandbox_now(**options: Any) -> Sandbox:
    """A sandbox whose clock stands at ``NOW``."""
    return Sandbox(Options(volume=0.1, **options), now=SettableClock(NOW))


def requests_to(sandbox: Sandbox, method: str, part: str = JOBS) -> list[LogEntry]:
    """The requests with this method whose path contains ``part``."""
    return [entry for entry in sandbox.log if entry.method == method and part in entry.path]


def submitted(sandbox: Sandbox) -> list[Any]:
    """The bodies of the submitted jobs."""
    return [entry.body for entry in requests_to(sandbox, "POST")]


def canceled(sandbox: Sandbox) -> list[str]:
    """The ids of the jobs that were canceled."""
    return [entry.path.removeprefix(f"{JOBS}/") for entry in requests_to(sandbox, "DELETE")]


def calls_of(outcome: Outcome) -> Counter[str]:
    """The rows of the stream ``calls``, in any order."""
    return multiset(outcome.rows("calls"))


def expected_calls() -> Counter[str]:
    """The same week, loaded with ordinary queries."""
    return calls_of(run(sandbox_now(), config(queries=[{**QUERY, "mode": "sync"}])))
