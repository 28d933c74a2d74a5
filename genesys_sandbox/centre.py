"""The centre: every fact of every family, made lazily hour by hour from a seed."""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING, TypeAlias
from zoneinfo import ZoneInfo

from genesys_sandbox.calendar_shape import business, local_hour
from genesys_sandbox.contract import families
from genesys_sandbox.conversations import HAND_MADE, Floor
from genesys_sandbox.facts import Batch, Event, digest
from genesys_sandbox.generic_facts import make_generic
from genesys_sandbox.instants import HOUR
from genesys_sandbox.presence import make_presence
from genesys_sandbox.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# A conversation that begins in one hour may post its last fact three hours later.
_SPILL = 3
_HOURS_KEPT = 1_000

Facts: TypeAlias = "Mapping[str, Sequence[Event]]"
"""The facts of one hour of one family, by metric."""


@lru_cache(maxsize=8)
def open_centre(seed: int, agents: int, volume: float, zone: str) -> Centre:
    """A centre that all sandboxes of the same kind share: it never changes."""
    return Centre(seed, agents, volume, zone)


class Centre:
    """A believable contact centre: six queues, some agents, days with a shape.

    The same seed, agents, volume and zone always give the same facts, in any order of asking.
    """

    def __init__(self, seed: int, agents: int, volume: float, zone: str) -> None:
        """Open a centre.

        Args:
            seed: Decides everything that chance decides.
            agents: How many users there are.
            volume: 1 for about 420 conversations on a Monday, 10 for ten times as many.
            zone: IANA time zone in which it opens and closes.
        """
        self.vocabulary = Vocabulary(agents)
        self._seed = seed
        self._volume = volume
        self._zone = ZoneInfo(zone)
        self._begun = lru_cache(maxsize=_HOURS_KEPT)(self._begin)
        self._hours = lru_cache(maxsize=_HOURS_KEPT)(self._collect)

    def hour(self, family: str, hour: int) -> Facts:
        """The facts posted in one UTC hour, counted from 1970, whatever is known of them when."""
        return self._hours(family, hour)

    def _collect(self, family: str, hour: int) -> Facts:
        """What began in this hour or shortly before, and was posted in this one."""
        found: dict[str, list[Event]] = {}
        for begun in range(hour - _SPILL, hour + 1):
            for event in self._begun(family, begun).get(hour, ()):
                found.setdefault(event.metric, []).append(event)
        return found

    def _begin(self, family: str, hour: int) -> dict[int, list[Event]]:
        """What begins in an hour, by the hour in which it is posted."""
        batch = Batch(Random(digest(self._seed, family, hour)))
        self._fill(batch, family, hour)
        posted: dict[int, list[Event]] = {}
        for event in batch.events:
            posted.setdefault(event.at // HOUR, []).append(event)
        return posted

    def _fill(self, batch: Batch, family: str, hour: int) -> None:
        moment = local_hour(hour, self._zone)
        if family == "users":
            make_presence(batch, self.vocabulary, moment)
            return
        expected = business(moment) * self._volume
        metrics = families()[family].metrics
        if family == "conversations":
            others = tuple(metric for metric in metrics if metric not in HAND_MADE)
            Floor(batch, self.vocabulary, moment, others).work(expected)
        else:
            make_generic(batch, metrics, moment, expected)
