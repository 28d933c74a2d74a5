"""What a server says is left of its budget of requests. Pure: ``now`` is an argument."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def read(headers: Mapping[str, str], now: float, longest: float) -> Budget | None:
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
