"""The contact center: events of every family, generated hour by hour, and what is known of them when."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, TypeAlias
from zoneinfo import ZoneInfo

from genesys_sandbox.contract import Kind, families, kind
from genesys_sandbox.conversations import HAND_MADE, ConversationGenerator
from genesys_sandbox.directory import PRESENCES, ROUTING_STATUSES, Directory
from genesys_sandbox.events import Batch, Event, Subject, digest, draw_value
from genesys_sandbox.timestamps import DAY, HOUR, SECOND, to_datetime

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date, datetime

    from genesys_sandbox.events import Event


# A conversation that begins in one hour may post its last fact three hours later.
_SPILL = 3
_HOURS_KEPT = 1_000

Facts: TypeAlias = "Mapping[str, Sequence[Event]]"
"""The facts of one hour of one family, by metric."""


@lru_cache(maxsize=8)
def open_contact_center(seed: int, agents: int, volume: float, zone: str) -> ContactCenter:
    """A centre that all sandboxes of the same kind share: it never changes."""
    return ContactCenter(seed, agents, volume, zone)


class ContactCenter:
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
        self.directory = Directory(agents)
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
            make_presence(batch, self.directory, moment)
            return
        expected = business(moment) * self._volume
        metrics = families()[family].metrics
        if family == "conversations":
            others = tuple(metric for metric in metrics if metric not in HAND_MADE)
            ConversationGenerator(batch, self.directory, moment, others).work(expected)
        else:
            make_generic(batch, metrics, moment, expected)


# Conversations that begin in each local hour of an ordinary Monday: about 420 in all.
_DAY = (1, 1, 0, 0, 0, 1, 3, 9, 28, 46, 52, 47, 36, 31, 36, 35, 30, 23, 15, 10, 7, 5, 3, 1)
_WEEK = (1.0, 0.96, 0.92, 0.94, 0.88, 0.24, 0.12)
_HOLIDAYS = {(12, 25), (1, 1)}


def is_holiday(day: date) -> bool:
    """Christmas Day and New Year's Day: nobody works and nobody calls."""
    return (day.month, day.day) in _HOLIDAYS


def local_hour(hour: int, zone: ZoneInfo) -> datetime:
    """The wall clock of the centre when an hour begins (hours since 1970, UTC)."""
    return to_datetime(hour * HOUR).astimezone(zone)


def business(moment: datetime) -> float:
    """How many conversations are to be expected in the hour that begins at a local moment."""
    if is_holiday(moment.date()):
        return 0.0
    return _DAY[moment.hour] * _WEEK[moment.weekday()]


_ROUTING_SHARES = (12, 25, 45, 3, 15)
_PRESENCES = tuple(PRESENCES)
_PRESENCE_SHARES = (20, 10, 8, 8, 6, 5, 3, 40)


def make_presence(batch: Batch, directory: Directory, moment: datetime) -> None:
    """One hour of every agent on shift.

    The statuses of an agent fill the hour without a gap: the sums of `tAgentRoutingStatus`, of
    `tSystemPresence` and of `tOrganizationPresence` are an hour each.
    """
    if is_holiday(moment.date()):
        return
    weekend = moment.weekday() > 4  # noqa: PLR2004 - Friday
    for agent in directory.agents:
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


_SUBJECTS = 0.4
_BUSIEST = 5


def make_generic(batch: Batch, metrics: tuple[str, ...], moment: datetime, expected: float) -> None:
    """Subjects of any family that begin in the hour from `moment` on, each with a few of its metrics."""
    rng = batch.rng
    start = int(moment.timestamp()) * SECOND
    for _ in batch.about(expected * _SUBJECTS):
        subject = Subject({}, rng.getrandbits(48))
        at = start + rng.randrange(HOUR)
        for metric in rng.sample(metrics, min(len(metrics), rng.randrange(1, _BUSIEST))):
            batch.post(at + rng.randrange(HOUR), metric, subject, draw_value(batch, metric))


# Of a hundred facts: so many come late, the next ones are corrected, the next removed.
_LATE, _CORRECTED, _REMOVED = 8, 13, 16
_LATEST = 2 * DAY
_FIRST_REWRITE = 2 * DAY
_RESOLUTIONS_TAKE_LONGER = 3
_HOURS_KEPT = 1_000


class History:
    """The facts of a centre as they are known at an instant, a pure function of that instant.

    Without `rewrites`, a fact is known from the millisecond after it is posted and never changes.
    With them, some come up to two days late, and some are corrected or removed between two days and
    one day before they settle. Nothing changes once a fact is `settle_days` old (three more for
    resolutions).
    """

    def __init__(self, contact_center: ContactCenter, settle_days: int, *, rewrites: bool) -> None:
        """Write down a centre's facts; `settle_days` is at least 4."""
        self.contact_center = contact_center
        self._settle_days = settle_days
        self._rewrites = rewrites
        self._settled = lru_cache(maxsize=_HOURS_KEPT)(self._settle)

    def settles_after(self, family: str) -> int:
        """Age in milliseconds from which on the facts of a family do not change."""
        if not self._rewrites:
            return 0
        more = _RESOLUTIONS_TAKE_LONGER if family == "resolutions" else 0
        return (self._settle_days + more) * DAY

    def hour(self, family: str, hour: int, as_of: int) -> Facts:
        """What is known at `as_of` (UTC milliseconds) of one UTC hour, by metric."""
        begin, end = hour * HOUR, (hour + 1) * HOUR
        if as_of <= begin:
            return {}
        if as_of >= end + self.settles_after(family):
            return self._settled(family, hour)
        return self._seen(family, hour, as_of)

    def between(
        self, family: str, start: int, end: int, as_of: int, metrics: Iterable[str]
    ) -> Iterator[Event]:
        """What is known at `as_of` of the half-open interval, metric by metric within each hour."""
        wanted = tuple(dict.fromkeys(metrics))
        for hour in range(start // HOUR, -(-min(end, as_of) // HOUR)):
            facts = self.hour(family, hour, as_of)
            for metric in wanted:
                for event in facts.get(metric, ()):
                    if start <= event.at < end:
                        yield event

    def _settle(self, family: str, hour: int) -> Facts:
        if not self._rewrites:
            return self.contact_center.hour(family, hour)
        return self._seen(family, hour, (hour + 1) * HOUR + self.settles_after(family))

    def _seen(self, family: str, hour: int, as_of: int) -> Facts:
        seen: dict[str, list[Event]] = {}
        for metric, events in self.contact_center.hour(family, hour).items():
            known = [now for event in events if (now := self._known(family, event, as_of)) is not None]
            if known:
                seen[metric] = known
        return seen

    def _known(self, family: str, event: Event, as_of: int) -> Event | None:
        if event.at >= as_of:
            return None
        if not self._rewrites:
            return event
        fate, share = event.dice % 100, (event.dice >> 8) / 2**24
        age = as_of - event.at
        if fate < _LATE:
            return event if age > share * _LATEST else None
        span = self.settles_after(family) - DAY - _FIRST_REWRITE
        if fate >= _REMOVED or age <= _FIRST_REWRITE + share * span:
            return event
        return event._replace(value=_corrected(event)) if fate < _CORRECTED else None


def _corrected(event: Event) -> float:
    what = kind(event.metric)
    if what is Kind.RATIO:
        return 1 - event.value
    return event.value + (1 if what is Kind.COUNT else 1_500)
