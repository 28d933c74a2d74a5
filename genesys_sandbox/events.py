"""Events: what happened to one subject at one instant, and random values for them."""

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
    """Whom a fact is about: a conversation as its queue or one agent sees it, a user, a bot session.

    Attributes:
        known: Dimensions given by hand; None means that the dimension is not set.
        source: What every other dimension's value is drawn from.
    """

    known: Mapping[str, str | None]
    source: int


class Event(NamedTuple):
    """One contribution to one metric. A tuple, since a busy day has thousands.

    Attributes:
        at: When it is posted, UTC milliseconds. A timer is posted whole when it ends.
        metric: The metric, in the API's spelling.
        subject: The dimensions.
        value: How many (`n`), milliseconds (`t`), an amount (`o`), 1 or 0 of a share (ratios).
        qualifier: The status of a users metric, else empty.
        dice: 32 bits that decide what history does to it.
    """

    at: int
    metric: str
    subject: Subject
    value: float
    qualifier: str
    dice: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Facts in the making: those that begin in one hour of one family."""

    rng: Random
    events: list[Event] = field(default_factory=list)

    def post(self, at: int, metric: str, subject: Subject, value: float = 1, qualifier: str = "") -> None:
        """Write one fact down."""
        self.events.append(Event(at, metric, subject, value, qualifier, self.rng.getrandbits(32)))

    def chance(self, share: float) -> bool:
        """Whether something happens that happens in a share of all cases."""
        return self.rng.random() < share

    def about(self, expected: float) -> range:
        """As many turns as expected, rounded by chance."""
        return range(int(expected + self.rng.random()))


def digest(*parts: object) -> int:
    """64 bits that depend on nothing but the parts, the same in every process."""
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")


def stable_id(*parts: object) -> str:
    """A UUID that depends on nothing but the parts."""
    text = f"{digest('a', *parts):016x}{digest('b', *parts):016x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"


def draw_value(batch: Batch, metric: str) -> float:
    """A believable contribution to a metric: a count, milliseconds, an amount in halves, 0 or 1."""
    what = kind(metric)
    if what is Kind.COUNT:
        return 1 if batch.chance(0.9) else batch.rng.randrange(2, 5)
    if what is Kind.TIMER:
        return min(int(batch.rng.expovariate(1 / 45_000)) + 1, _LONGEST)
    if what is Kind.RATIO:
        return int(batch.chance(0.8))
    return batch.rng.randrange(200) / 2  # halves add up exactly in any order
