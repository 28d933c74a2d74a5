"""What goes wrong with which request, decided by the seed and by what is asked, not by who asks first."""

from __future__ import annotations

import threading
from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING

from tests.simulation.dice import dice
from tests.simulation.evils import evil
from tests.simulation.fatal import PAGE_TWICE
from tests.simulation.killed import Killed
from tests.simulation.paging import Paging

if TYPE_CHECKING:
    from datetime import datetime

    from genesys_sandbox import Fault, Request, Sandbox
    from tests.simulation.clock import SharedTime
    from tests.simulation.evil import Evil
    from tests.simulation.visits import Manner, Visit

_SHARES = {"clean": 0.0, "gentle": 0.35, "rough": 0.2, "lying": 0.4}
_RECENT = 10
_MOST_REQUESTS = 5_000


class RunawayError(BaseException):
    """The tap does not stop asking."""


class Trouble:
    """The faults of one run.

    On a gentle day each request goes wrong at most once, and in a way that a retry mends; the token is
    troubled at most once in a run. So a gentle run has no excuse for ending with an error.

    Attributes:
        met: How often each kind of fault happened.
        wrong: What the tap did that it must not: too early after a 429, to another host.
        killed: Whether the run was killed at a request.
    """

    def __init__(  # noqa: PLR0913  # what a run is made of
        self, seed: str, visit: Visit, clock: SharedTime, sandbox: Sandbox, *, alone: bool, shuffled: bool
    ) -> None:
        """Prepare.

        Args:
            seed: Decides.
            visit: The run.
            clock: Moved where time jumps.
            sandbox: Whose tokens die.
            alone: Whether requests come one at a time, so that waiting can be checked.
            shuffled: Whether pages come out of order.
        """
        self.met: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.killed = False
        self._seed, self._visit, self._clock, self._sandbox = seed, visit, clock, sandbox
        self._alone = alone
        self._paging = Paging(shuffled=shuffled)
        self._asked: Counter[str] = Counter()
        self._hit: set[str] = set()
        self._token_troubled = False
        self._due: datetime | None = None
        self._lock = threading.Lock()

    def __call__(self, number: int, request: Request) -> Fault | None:
        """The fault of one request."""
        del number
        with self._lock:
            self._watch(request)
            name = f"{request.method} {request.target} {request.body.decode('latin-1')}"
            self._asked[name] += 1
            rng = dice(self._seed, name, self._asked[name])
            manner = self._visit.manner
            if rng.random() >= _SHARES[manner] or (manner == "gentle" and name in self._hit):
                return self._paging.around(None)
            self._hit.add(name)
            return self._strike(evil(rng, manner, request.path, self._clock.instant), manner)

    def _watch(self, request: Request) -> None:
        """Count, kill, and see that a 429 is heeded."""
        if request.method != "DELETE":  # sent by threads of their own, at the very end
            self._count()
        if self._alone and self._due is not None and self._clock.instant < self._due:
            early = self._due - self._clock.instant
            self.wrong.append(f"a request came {early} before Retry-After allows it")
        self._due = None

    def _count(self) -> None:
        self._asked[""] += 1
        kill = self._visit.kill
        if kill and kill.how == "at a request" and self._asked[""] == kill.at:
            self.killed = True
            raise Killed
        if self._asked[""] > _MOST_REQUESTS:
            raise RunawayError

    def _has_just_ended(self) -> bool:
        """Whether a token has come to its end by time alone, and one of the last answers said so.

        A second 401 for what is then sent again is final by contract, which no gentle day does.
        """
        return any(entry.status == HTTPStatus.UNAUTHORIZED for entry in self._sandbox.log[-_RECENT:])

    def _strike(self, found: Evil, manner: Manner) -> Fault | None:
        """Let it happen, unless a gentle day has had its share of that kind."""
        if found.troubles_token:
            if manner == "gentle" and (self._token_troubled or self._has_just_ended()):
                return self._paging.around(None)
            self._token_troubled = True
        self.met[found.name] += 1
        if found.jump is not None:
            self._clock.sleep(found.jump)
        if found.falls_back is not None:
            self._clock.fall_back(found.falls_back)
        if found.revokes:
            self._sandbox.tokens.revoke()
        self._due = found.due
        return self._paging.twice() if found.name == PAGE_TWICE else self._paging.around(found.fault)
