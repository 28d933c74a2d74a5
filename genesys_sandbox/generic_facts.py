"""Facts by a rule of thumb, for every metric that is not made by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genesys_sandbox.contract import Kind, kind
from genesys_sandbox.facts import Batch, Subject
from genesys_sandbox.instants import HOUR, SECOND

if TYPE_CHECKING:
    from datetime import datetime

_SUBJECTS = 0.4
_BUSIEST = 5
_LONGEST = 2 * HOUR


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


def make_generic(batch: Batch, metrics: tuple[str, ...], moment: datetime, expected: float) -> None:
    """Subjects of any family that begin in the hour from `moment` on, each with a few of its metrics."""
    rng = batch.rng
    start = int(moment.timestamp()) * SECOND
    for _ in batch.about(expected * _SUBJECTS):
        subject = Subject({}, rng.getrandbits(48))
        at = start + rng.randrange(HOUR)
        for metric in rng.sample(metrics, min(len(metrics), rng.randrange(1, _BUSIEST))):
            batch.post(at + rng.randrange(HOUR), metric, subject, draw_value(batch, metric))
