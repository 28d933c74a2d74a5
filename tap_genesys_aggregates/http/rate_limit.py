"""Requests a minute, kept across threads: our own number, and what the server says is left."""

from __future__ import annotations

import math
import re
import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tap_genesys_aggregates.http.errors import LONGEST_WAIT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MINUTE = 60.0
_ROUNDING = 1.0
"""Seconds: the reset comes in whole ones, and nobody says whether they are rounded up or down."""

_NAMES = ("inin-ratelimit-allowed", "inin-ratelimit-count", "inin-ratelimit-reset")
_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True)
class Budget:
    """How many requests may still begin, and until when that holds.

    Attributes:
        left: Requests; those under way, of which the server has said nothing yet, are not taken off.
        until: When there is a new budget, in seconds of the clock; infinite where ``left`` is only presumed.
    """

    left: float
    until: float

    @property
    def is_presumed(self) -> bool:
        """Whether no answer has said so."""
        return self.until == math.inf

    def at(self, now: float) -> Budget:
        """The budget at a later time: of a new one, presume what was left of the old, one at the least."""
        return self if now < self.until else Budget(max(self.left, 1.0), math.inf)

    def heard(self, said: Budget) -> Budget:
        """What an answer said, in the light of others: they may come in any order, so the least counts."""
        if self.is_presumed:
            return said
        return Budget(min(self.left, said.left), min(self.until, said.until))

    def unheard(self, *, answered: bool) -> Budget:
        """A request ended without a word of the budget, of which it may have taken one all the same."""
        if not self.is_presumed:
            return replace(self, left=self.left - 1)
        return BOUNDLESS if answered else self


FIRST = Budget(4.0, math.inf)
"""Nothing is known: as many as the usual ``concurrency`` go first, and answers say how many may follow."""
BOUNDLESS = Budget(math.inf, math.inf)
"""The server says nothing of a budget."""


def read_budget(headers: Mapping[str, str], now: float, longest: float) -> Budget | None:
    """The budget that an answer tells of (aggregates-api.md).

    Args:
        headers: The answer's, case-insensitive.
        now: When it came, in seconds of the clock.
        longest: Seconds that a reset may be away; beyond it is taken for that.

    Returns:
        It; None where a header is missing or no number, or nothing would ever be allowed.
    """
    values = [headers.get(name, "").strip() for name in _NAMES]
    if not all(map(_NUMBER.fullmatch, values)):
        return None
    allowed, count, reset = map(float, values)
    if allowed < 1:
        return None
    return Budget(allowed - min(count, allowed), now + min(reset + _ROUNDING, longest))


class Pace:
    """Lets at most so many requests begin within any minute, and holds all of them on a 429.

    A client's budget is counted by the minute and shared with its other programs (aggregates-api.md), so
    a burst within it is fine, and what answers say of it counts too: requests to the API ``begin`` while
    more is left than is under way. Where little is left, they wait for the answers to those; where
    nothing is, for the reset. The first few of a run go ahead of the others, and so does the first after
    a budget that was used up.
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
        self._budget = FIRST
        self._number = 0  # of the budget: each reset begins another
        self._under_way = 0
        self._of_this_budget = 0  # among those under way
        self._changed = threading.Condition()

    def wait(self) -> None:
        """Wait for a place, and take it: for a request that the API's budget is not for."""
        while True:
            with self._changed:
                pause = self._pause(now := self._clock())
                if not pause:
                    self._begun.append(now)
                    return
            self._sleep(pause)

    def begin(self) -> int:
        """Wait for a place among the requests to the API, and take it; ``end`` must follow.

        Returns:
            The number of the budget that it is taken from.
        """
        while True:
            with self._changed:
                pause = self._pause(now := self._clock()) or self._reset(now)
                if not pause and self._is_enough_left():
                    return self._take(now)
                if not pause:  # of those under way, some may be counted and some not: their answers say
                    self._changed.wait(min(self._budget.until - now, LONGEST_WAIT))
                    continue
            self._sleep(pause)

    def end(self, number: int, headers: Mapping[str, str] | None) -> None:
        """A request to the API was answered, or lost.

        Args:
            number: What ``begin`` gave.
            headers: The answer's; None where there is no answer.
        """
        with self._changed:
            late = number != self._number  # it began before the last reset, and may tell of that budget
            said = None if late or headers is None else read_budget(headers, self._clock(), LONGEST_WAIT)
            if said is not None:
                self._budget = self._budget.heard(said)
            else:
                self._budget = self._budget.unheard(answered=not late and headers is not None)
            self._under_way -= 1
            self._of_this_budget -= not late
            self._changed.notify_all()

    def hold(self, seconds: float) -> None:
        """Let no request begin for so many seconds."""
        with self._changed:
            self._held_until = max(self._held_until, self._clock() + seconds)

    def _pause(self, now: float) -> float:
        """In how many seconds to ask again, by our own number and the last 429; 0 for a place now."""
        free = self._held_until
        if len(self._begun) == self._begun.maxlen:
            free = max(free, self._begun[0] + _MINUTE)
        return max(free - now, 0.0)

    def _reset(self, now: float) -> float:
        """In how many seconds there is a new budget, where nothing is left of this one; else 0."""
        budget = self._budget.at(now)
        if budget is not self._budget:
            self._budget, self._number, self._of_this_budget = budget, self._number + 1, 0
        return budget.until - now if budget.left < 1 else 0.0

    def _is_enough_left(self) -> bool:
        """Whether one more may begin, whatever becomes of those under way.

        Of a budget that is only presumed, those that began before it are not taken off: a slow one must
        not keep the first from going to see.
        """
        under_way = self._of_this_budget if self._budget.is_presumed else self._under_way
        return self._budget.left > under_way

    def _take(self, now: float) -> int:
        """Take a place; the number of its budget."""
        self._begun.append(now)
        self._under_way += 1
        self._of_this_budget += 1
        return self._number
