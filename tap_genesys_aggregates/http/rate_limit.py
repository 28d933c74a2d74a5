"""Requests per minute, shared by all threads: the configured limit, and what the server says remains.

``Budget`` is what the rate-limit headers of a response tell; ``RateLimiter`` makes requests wait for it.
"""

from __future__ import annotations

import math
import re
import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tap_genesys_aggregates.http.errors import MAX_RETRY_AFTER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MINUTE = 60.0
_RESET_ROUNDING = 1.0
"""Seconds: the reset is given in whole seconds, and it is not documented which way they are rounded."""

_HEADERS = ("inin-ratelimit-allowed", "inin-ratelimit-count", "inin-ratelimit-reset")
_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True)
class Budget:
    """How many requests the server still allows, and when that number resets.

    Attributes:
        remaining: Requests; those in flight that the server has not reported on are not subtracted.
        resets_at: In seconds of the clock; infinite if ``remaining`` is only an estimate.
    """

    remaining: float
    resets_at: float

    @property
    def is_estimate(self) -> bool:
        """Whether no response has reported this budget."""
        return self.resets_at == math.inf

    def at(self, now: float) -> Budget:
        """The budget at a later time.

        After a reset, assume that as much remains as before it, and at least one request: its response
        tells how much the other programs of this client have used.
        """
        return self if now < self.resets_at else Budget(max(self.remaining, 1.0), math.inf)

    def updated(self, reported: Budget) -> Budget:
        """The budget after a response reported one.

        Responses arrive in any order, so the lowest number counts.
        """
        if self.is_estimate:
            return reported
        return Budget(min(self.remaining, reported.remaining), min(self.resets_at, reported.resets_at))

    def without_report(self, *, answered: bool) -> Budget:
        """The budget after a request that ended without rate-limit headers.

        The server may have counted it all the same. If it answers without them, it has no budget.
        """
        if not self.is_estimate:
            return replace(self, remaining=self.remaining - 1)
        return UNLIMITED_BUDGET if answered else self


INITIAL_BUDGET = Budget(4.0, math.inf)
"""Before the first response: as many requests as the default ``concurrency`` go first."""
UNLIMITED_BUDGET = Budget(math.inf, math.inf)
"""The server sends no rate-limit headers."""


def read_budget(headers: Mapping[str, str], now: float, max_reset: float) -> Budget | None:
    """Read the rate-limit headers of a response (docs/api-notes.md, "Rate limits").

    Args:
        headers: Response headers, case-insensitive.
        now: When the response arrived, in seconds of the clock.
        max_reset: Seconds; a reset further away is cut to this.

    Returns:
        The budget; None if a header is missing or not a number, or if no request would ever be allowed.
    """
    values = [headers.get(name, "").strip() for name in _HEADERS]
    if not all(map(_NUMBER.fullmatch, values)):
        return None
    allowed, count, reset = map(float, values)
    if allowed < 1:
        return None
    return Budget(allowed - min(count, allowed), now + min(reset + _RESET_ROUNDING, max_reset))


class RateLimiter:
    """Limits how many requests start within any minute, and pauses all of them after a 429.

    The API counts requests by the minute, and all programs of an OAuth client share that budget
    (docs/api-notes.md, "Rate limits"). So a burst within the budget is fine, and what responses report
    counts as well as our own limit: a request starts while more requests remain than are in flight. When
    few remain, requests wait for the responses to those in flight; when none remain, for the reset. At the
    start of a run, and after a budget was used up, only a few requests go first and show how much is left.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        """Start with nothing sent.

        Args:
            per_minute: Requests allowed in any 60 seconds.
            clock: Seconds that only grow.
            sleep: Waits a number of seconds.
        """
        self._starts: deque[float] = deque(maxlen=per_minute)
        self._clock = clock
        self._sleep = sleep
        self._paused_until = 0.0
        self._budget = INITIAL_BUDGET
        self._generation = 0  # of the budget: each reset starts the next
        self._in_flight = 0
        self._in_flight_of_generation = 0
        self._changed = threading.Condition()

    def wait(self) -> None:
        """Wait for our own limit and any pause only: for requests outside the API's budget."""
        while True:
            with self._changed:
                pause = self._seconds_until_free(now := self._clock())
                if not pause:
                    self._starts.append(now)
                    return
            self._sleep(pause)

    def start_request(self) -> int:
        """Wait until a request to the API may start; ``finish_request`` must follow.

        Returns:
            The generation of the budget that the request is taken from.
        """
        while True:
            with self._changed:
                pause = self._seconds_until_free(now := self._clock()) or self._seconds_until_reset(now)
                if not pause and self._budget_allows_one():
                    return self._record_start(now)
                if not pause:
                    # The server may or may not have counted the requests in flight: their responses tell.
                    self._changed.wait(min(self._budget.resets_at - now, MAX_RETRY_AFTER))
                    continue
            self._sleep(pause)

    def finish_request(self, generation: int, headers: Mapping[str, str] | None) -> None:
        """Record that a request to the API was answered or lost.

        Args:
            generation: What ``start_request`` returned.
            headers: Response headers; None if there is no response.
        """
        with self._changed:
            # A request from before the last reset may report the old budget, so its headers do not count.
            is_stale = generation != self._generation
            reported = None
            if not is_stale and headers is not None:
                reported = read_budget(headers, self._clock(), MAX_RETRY_AFTER)
            if reported is not None:
                self._budget = self._budget.updated(reported)
            else:
                self._budget = self._budget.without_report(answered=not is_stale and headers is not None)
            self._in_flight -= 1
            self._in_flight_of_generation -= not is_stale
            self._changed.notify_all()

    def pause_all(self, seconds: float) -> None:
        """Let no request start for a number of seconds."""
        with self._changed:
            self._paused_until = max(self._paused_until, self._clock() + seconds)

    def _seconds_until_free(self, now: float) -> float:
        """Seconds until our own limit and the last 429 allow a request; 0 if they do now."""
        free_at = self._paused_until
        if len(self._starts) == self._starts.maxlen:
            free_at = max(free_at, self._starts[0] + _MINUTE)
        return max(free_at - now, 0.0)

    def _seconds_until_reset(self, now: float) -> float:
        """Seconds until the budget resets, if nothing remains of it; else 0."""
        budget = self._budget.at(now)
        if budget is not self._budget:
            self._budget, self._generation, self._in_flight_of_generation = budget, self._generation + 1, 0
        return budget.resets_at - now if budget.remaining < 1 else 0.0

    def _budget_allows_one(self) -> bool:
        """Whether the budget covers one more request, should all those in flight count against it.

        Against an estimate, requests from before the reset do not count: one slow request must not keep
        the first request of the new budget from finding out how much remains.
        """
        in_flight = self._in_flight_of_generation if self._budget.is_estimate else self._in_flight
        return self._budget.remaining > in_flight

    def _record_start(self, now: float) -> int:
        """Count a request as started; return the generation of its budget."""
        self._starts.append(now)
        self._in_flight += 1
        self._in_flight_of_generation += 1
        return self._generation
