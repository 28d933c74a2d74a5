"""What agents are doing: the facts of the `users` family, once per status."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from genesys_sandbox.calendar_shape import is_holiday
from genesys_sandbox.facts import Subject
from genesys_sandbox.instants import HOUR, SECOND
from genesys_sandbox.vocabulary import PRESENCES, ROUTING_STATUSES

if TYPE_CHECKING:
    from datetime import datetime

    from genesys_sandbox.facts import Batch
    from genesys_sandbox.vocabulary import Vocabulary

_ROUTING_SHARES = (12, 25, 45, 3, 15)
_PRESENCES = tuple(PRESENCES)
_PRESENCE_SHARES = (20, 10, 8, 8, 6, 5, 3, 40)


def make_presence(batch: Batch, vocabulary: Vocabulary, moment: datetime) -> None:
    """One hour of every agent on shift.

    The statuses of an agent fill the hour without a gap: the sums of `tAgentRoutingStatus`, of
    `tSystemPresence` and of `tOrganizationPresence` are an hour each.
    """
    if is_holiday(moment.date()):
        return
    weekend = moment.weekday() > 4  # noqa: PLR2004 - Friday
    for agent in vocabulary.agents:
        if agent.on_shift(moment.hour, weekend=weekend):
            subject = Subject({"userId": agent.id}, 0)
            _routing(batch, subject, moment)
            _presence(batch, subject, moment)


def _stretches(batch: Batch, moment: datetime, several: int) -> list[tuple[int, int]]:
    """The hour cut into stretches: when each ends, and its length. The last ends within the hour."""
    start = int(moment.timestamp()) * SECOND
    inner = sorted(int(batch.rng.random() * HOUR) for _ in range(several - 1))
    cuts = [start, *(start + cut for cut in inner), start + HOUR]
    return [(min(end, start + HOUR - 1), end - begin) for begin, end in pairwise(cuts)]


def _routing(batch: Batch, subject: Subject, moment: datetime) -> None:
    for at, length in _stretches(batch, moment, 5):
        (status,) = batch.rng.choices(ROUTING_STATUSES, _ROUTING_SHARES)
        batch.post(at, "tAgentRoutingStatus", subject, length, status)


def _presence(batch: Batch, subject: Subject, moment: datetime) -> None:
    for at, length in _stretches(batch, moment, 2):
        (status,) = batch.rng.choices(_PRESENCES, _PRESENCE_SHARES)
        batch.post(at, "tSystemPresence", subject, length, status)
        definition = batch.rng.choice(PRESENCES[status])
        batch.post(at, "tOrganizationPresence", subject, length, definition.id)
