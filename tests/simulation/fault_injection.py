"""Which request meets which fault.

The seed and the request itself decide that, not the order in which threads send requests.
"""

from __future__ import annotations

import threading
from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING

from tests.simulation.fault_kinds import PAGE_TWICE, draw
from tests.simulation.malformed_answers import PageOrder
from tests.simulation.scenario import seeded_random
from tests.simulation.tap_run import Killed
from tests.simulation.troubles import combined

if TYPE_CHECKING:
    from datetime import datetime

    from genesys_sandbox import Fault, Request, Sandbox
    from tests.simulation.fault_kinds import Injection
    from tests.simulation.scenario import FaultLevel, ScheduledRun
    from tests.simulation.tap_run import SharedTime
    from tests.simulation.troubles import Troubles

_SHARES = {"none": 0.0, "retryable": 0.35, "fatal": 0.2, "malformed": 0.4}
_RECENT_ANSWERS = 10
_MAX_REQUESTS = 5_000


class TooManyRequestsError(BaseException):
    """The tap does not stop sending requests."""


class FaultInjector:
    """The faults of one run, as a plan for the sandbox.

    At the level ``retryable`` each request goes wrong at most once, in a way that a retry fixes, and the tap
    needs at most one new token in a run. Such a run has no reason to fail.

    Attributes:
        counts: How often each kind of fault happened.
        failures: What the tap must not do: requests before ``Retry-After`` allows them.
        killed: Whether the run was killed at a request.
    """

    def __init__(  # noqa: PLR0913  # everything that a run consists of
        self,
        seed: str,
        scheduled: ScheduledRun,
        clock: SharedTime,
        sandbox: Sandbox,
        troubles: Troubles,
        *,
        sequential: bool,
        shuffled_pages: bool,
    ) -> None:
        """Prepare the faults of one run.

        Args:
            seed: The seed of the faults.
            scheduled: The run.
            clock: The clock that jumps.
            sandbox: The sandbox whose tokens are revoked.
            troubles: What else the platform does in this run.
            sequential: Whether requests come one at a time; only then can waiting be checked.
            shuffled_pages: Whether pages come out of order.
        """
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self.killed = False
        self._seed, self._scheduled, self._clock, self._sandbox = seed, scheduled, clock, sandbox
        self._troubles, self._sequential = troubles, sequential
        self._pages = PageOrder(shuffled=shuffled_pages)
        self._requests = 0
        self._tries: Counter[str] = Counter()
        self._failed_once: set[str] = set()
        self._needed_new_token = False
        self._not_before: datetime | None = None
        self._lock = threading.Lock()

    def __call__(self, number: int, request: Request) -> Fault | None:
        """The fault of one request."""
        del number
        with self._lock:
            self._observe(request)
            habit = self._habit(request)
            return habit if habit and habit.instead else combined(self._fault(request), habit)

    def _habit(self, request: Request) -> Fault | None:
        """What a habit of the platform does to a request."""
        found = self._troubles.fault(request)
        if found:
            self.counts[found.name] += 1
        return found

    def _fault(self, request: Request) -> Fault | None:
        """The fault of one request, by the level of the run."""
        name = f"{request.method} {request.target} {request.body.decode('latin-1')}"
        self._tries[name] += 1
        rng = seeded_random(self._seed, name, self._tries[name])
        level = self._scheduled.faults
        if rng.random() >= _SHARES[level] or (level == "retryable" and name in self._failed_once):
            return self._pages.apply(None)
        self._failed_once.add(name)
        return self._inject(draw(rng, level, request.path, self._clock.instant), level)

    def _observe(self, request: Request) -> None:
        """Count the request, kill the run if it is time, and check that the tap waited after a 429."""
        if request.method != "DELETE":  # threads of their own send these, at the very end of a run
            self._count()
        if self._sequential and self._not_before is not None and self._clock.instant < self._not_before:
            early = self._not_before - self._clock.instant
            self.failures.append(f"a request came {early} before Retry-After allows it")
        self._not_before = None

    def _count(self) -> None:
        self._requests += 1
        interruption = self._scheduled.interruption
        if interruption and interruption.how == "at a request" and self._requests == interruption.at:
            self.killed = True
            raise Killed
        if self._requests > _MAX_REQUESTS:
            raise TooManyRequestsError

    def _token_just_expired(self) -> bool:
        """Whether one of the last answers was a 401, because a token had expired.

        A second 401 for the request that is then sent again ends the run, by design.
        """
        return any(entry.status == HTTPStatus.UNAUTHORIZED for entry in self._sandbox.log[-_RECENT_ANSWERS:])

    def _inject(self, injection: Injection, level: FaultLevel) -> Fault | None:
        """Let a fault happen, unless it is one rejected token too many for the level ``retryable``."""
        if injection.needs_new_token:
            if level == "retryable" and (self._needed_new_token or self._token_just_expired()):
                return self._pages.apply(None)
            self._needed_new_token = True
        self.counts[injection.name] += 1
        if injection.clock_jump is not None:
            self._clock.sleep(injection.clock_jump)
        if injection.clock_set_back is not None:
            self._clock.set_back(injection.clock_set_back)
        if injection.revokes_tokens:
            self._sandbox.tokens.revoke()
        self._not_before = injection.not_before
        return self._pages.repeat() if injection.name == PAGE_TWICE else self._pages.apply(injection.fault)
