"""A week of a quiet contact centre, asked for by jobs, and a clock that remembers who waited."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from genesys_sandbox import Fault, Options, Sandbox, SettableClock
from genesys_sandbox.faults import put
from tests.pipeline.running import Time, bag, config, run

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from genesys_sandbox import LogEntry, Request, Response
    from tests.pipeline.running import Outcome

NOW = datetime(2026, 3, 9, tzinfo=timezone.utc)
JOBS = "/api/v2/analytics/conversations/aggregates/jobs"
LOOKS = f"GET {JOBS}/"
STUCK = put(("state",), "PENDING")
"""A look at a job that is never done."""
QUERY: dict[str, Any] = {
    "name": "calls",
    "metrics": ["nOffered", "tHandle"],
    "group_by": ["queueId"],
    "granularity": "PT1H",
    "mode": "async",
}
DAYS = config(queries=[{**QUERY, "window": "P1D"}], max_window="P31D")
"""Seven windows of a day, one after the other."""
WEEK = config(queries=[QUERY], max_window="P31D")
"""One window of a week."""


class Watch(Time):
    """A clock that remembers how long it was slept on; something may happen then."""

    def __init__(self, happens: Callable[[int], None] = lambda _: None) -> None:
        """Begin at the scene's present.

        Args:
            happens: Called after each sleep with the number of sleeps so far.
        """
        super().__init__(NOW)
        self.slept: list[float] = []
        self._happens = happens
        self._lock = threading.Lock()

    @override
    def sleep(self, seconds: float) -> None:
        with self._lock:
            super().sleep(seconds)
            self.slept.append(seconds)
            number = len(self.slept)
        self._happens(number)


class Office:
    """A plan of faults that knows which job is which window's."""

    def __init__(self, verdict: Callable[[str], Fault | None]) -> None:
        """Let a function say what becomes of a look at the job of a window, by the window's text."""
        self._verdict = verdict
        self.windows: dict[str, str] = {}

    def __call__(self, number: int, request: Request) -> Fault | None:
        """What goes wrong with a request."""
        del number
        if request.method == "POST" and request.path == JOBS:
            return Fault("note", edit=self._note)
        job = request.path.removeprefix(f"{JOBS}/").removesuffix("/results")
        return self._verdict(self.windows[job]) if request.method == "GET" else None

    def _note(self, request: Request, answer: Response) -> Response:
        self.windows[json.loads(answer.body)["jobId"]] = request.payload["interval"]  # type: ignore[index]
        return answer


def centre(**options: Any) -> Sandbox:
    """A sandbox that stands at the scene's present."""
    return Sandbox(Options(volume=0.1, **options), now=SettableClock(NOW))


def asked(sandbox: Sandbox, method: str, part: str = JOBS) -> list[LogEntry]:
    """The requests of a method whose path has a part."""
    return [entry for entry in sandbox.log if entry.method == method and part in entry.path]


def submitted(sandbox: Sandbox) -> list[Any]:
    """The bodies of the queries that were handed in."""
    return [entry.body for entry in asked(sandbox, "POST")]


def cancelled(sandbox: Sandbox) -> list[str]:
    """The jobs that were cancelled."""
    return [entry.path.removeprefix(f"{JOBS}/") for entry in asked(sandbox, "DELETE")]


def bag_of(outcome: Outcome) -> Counter[str]:
    """The rows that a run brought."""
    return bag(outcome.rows("calls"))


def truth() -> Counter[str]:
    """The rows of the week, by plain requests."""
    return bag_of(run(centre(), config(queries=[{**QUERY, "mode": "sync"}])))
