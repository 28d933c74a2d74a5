"""Events: what happened to one subject at one time, and how random events are drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from genesys_sandbox.contract import Kind, kind
from genesys_sandbox.timestamps import HOUR

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

_LONGEST = 2 * HOUR


@dataclass(frozen=True, slots=True)
class Subject:
    """What an event is about: a conversation as its queue or an agent sees it, a user, a bot session.

    Attributes:
        known: Explicit dimension values; None means that the dimension is not set.
        source: The seed of every other dimension's value.
    """

    known: Mapping[str, str | None]
    source: int


class Event(NamedTuple):
    """One value of one metric. A tuple, because a busy day has thousands.

    Attributes:
        at: When it is posted, UTC milliseconds. A timer is posted as a whole when it ends.
        metric: The metric, spelled as in the API.
        subject: What it is about, with its dimensions.
        value: A count (`n`), milliseconds (`t`), an amount (`o`), or 1 or 0 (ratios).
        qualifier: The status for metrics of the users family, otherwise empty.
        random_bits: 32 bits that decide whether the event is later rewritten.
    """

    at: int
    metric: str
    subject: Subject
    value: float
    qualifier: str
    random_bits: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Collects the events that start in one hour of one family."""

    rng: Random
    events: list[Event] = field(default_factory=list)

    def post(self, at: int, metric: str, subject: Subject, value: float = 1, qualifier: str = "") -> None:
        self.events.append(Event(at, metric, subject, value, qualifier, self.rng.getrandbits(32)))

    def chance(self, share: float) -> bool:
        """Return True with this probability."""
        return self.rng.random() < share

    def about(self, expected: float) -> range:
        """Return a range of about `expected` items; the fraction is rounded up or down at random."""
        return range(int(expected + self.rng.random()))


def digest(*parts: object) -> int:
    """Return 64 bits that depend only on the parts, the same in every process."""
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")


def stable_id(*parts: object) -> str:
    """Return a UUID that depends only on the parts."""
    text = f"{digest('a', *parts):016x}{digest('b', *parts):016x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"


def draw_value(batch: Batch, metric: str) -> float:
    """Draw a realistic value: a count, milliseconds, an amount in halves, or 0 or 1."""
    what = kind(metric)
    if what is Kind.COUNT:
        return 1 if batch.chance(0.9) else batch.rng.randrange(2, 5)
    if what is Kind.TIMER:
        return min(int(batch.rng.expovariate(1 / 45_000)) + 1, _LONGEST)
    if what is Kind.RATIO:
        return int(batch.chance(0.8))
    return batch.rng.randrange(200) / 2  # halves add up exactly in any order
