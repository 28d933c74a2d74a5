"""The contact center: events of every family, generated hour by hour, and what is known of them when."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, TypeAlias
from zoneinfo import ZoneInfo

from genesys_sandbox.contract import Kind, families, kind
from genesys_sandbox.conversations import MODELED_METRICS, ConversationGenerator
from genesys_sandbox.directory import PRESENCES, ROUTING_STATUSES, Directory
from genesys_sandbox.events import Batch, Event, Subject, digest, draw_value
from genesys_sandbox.timestamps import DAY, HOUR, SECOND, to_datetime, to_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date, datetime


# A conversation may post its last event three hours after the hour in which it started.
_LONGEST_CONVERSATION_HOURS = 3
_HOURS_KEPT = 6_000

# Conversations that start in each local hour of an ordinary Monday: about 420 in all.
_DAY = (1, 1, 0, 0, 0, 1, 3, 9, 28, 46, 52, 47, 36, 31, 36, 35, 30, 23, 15, 10, 7, 5, 3, 1)
_WEEK = (1.0, 0.96, 0.92, 0.94, 0.88, 0.24, 0.12)
_HOLIDAYS = {(12, 25), (1, 1)}

_ROUTING_SHARES = (12, 25, 45, 3, 15)
_PRESENCES = tuple(PRESENCES)
_PRESENCE_SHARES = (20, 10, 8, 8, 6, 5, 3, 40)

# Generic subjects per expected conversation, and one more than the metrics that each may have.
_SUBJECTS = 0.4
_METRICS_END = 5

# Upper bounds of a draw from 0 to 99: below the first, an event is late; then corrected; then removed.
_LATE, _CORRECTED, _REMOVED = 8, 13, 16
# When rewrites happen (docs/api-notes.md, "History changes").
_LATEST = 2 * DAY
_FIRST_REWRITE = 2 * DAY
_RESOLUTIONS_SETTLE_DAYS_LATER = 3

EventsByMetric: TypeAlias = "Mapping[str, Sequence[Event]]"
"""The events of one hour and one family, by metric."""


@lru_cache(maxsize=8)
def open_contact_center(seed: int, agents: int, volume: float, zone: str) -> ContactCenter:
    """Return the contact center shared by all sandboxes with these options. It never changes."""
    return ContactCenter(seed, agents, volume, zone)


class ContactCenter:
    """A realistic contact center: six queues, some agents, busy mornings and quiet weekends.

    The same seed, agents, volume and zone always give the same events, whatever the order of the calls.
    """

    def __init__(self, seed: int, agents: int, volume: float, zone: str) -> None:
        """Generate a contact center.

        Args:
            seed: Decides every random choice.
            agents: Number of users.
            volume: 1 for about 420 conversations on a Monday, 10 for ten times as many.
            zone: IANA time zone of its opening hours.
        """
        self.directory = Directory(agents)
        self._seed = seed
        self._volume = volume
        self._zone = ZoneInfo(zone)
        self._started = lru_cache(maxsize=_HOURS_KEPT)(self._start)
        self._hours = lru_cache(maxsize=_HOURS_KEPT)(self._collect)

    def hour(self, family: str, hour: int) -> EventsByMetric:
        """Return all events posted in a UTC hour (counted from 1970), whenever they become known."""
        return self._hours(family, hour)

    def _collect(self, family: str, hour: int) -> EventsByMetric:
        """Collect the events of conversations that started up to three hours earlier."""
        found: dict[str, list[Event]] = {}
        for started in range(hour - _LONGEST_CONVERSATION_HOURS, hour + 1):
            for event in self._started(family, started).get(hour, ()):
                found.setdefault(event.metric, []).append(event)
        return found

    def _start(self, family: str, hour: int) -> dict[int, list[Event]]:
        """Generate what starts in an hour, keyed by the hour in which each event is posted."""
        batch = Batch(Random(digest(self._seed, family, hour)))
        self._generate(batch, family, hour)
        posted: dict[int, list[Event]] = {}
        for event in batch.events:
            posted.setdefault(event.at // HOUR, []).append(event)
        return posted

    def _generate(self, batch: Batch, family: str, hour: int) -> None:
        moment = _local_hour(hour, self._zone)
        if family == "users":
            _generate_statuses(batch, self.directory, moment)
            return
        expected = _expected_conversations(moment) * self._volume
        metrics = families()[family].metrics
        if family == "conversations":
            others = tuple(metric for metric in metrics if metric not in MODELED_METRICS)
            ConversationGenerator(batch, self.directory, moment, others).generate(expected)
        else:
            _generate_generic(batch, metrics, moment, expected)


def _is_holiday(day: date) -> bool:
    """Whether it is Christmas Day or New Year's Day: nobody works and nobody calls."""
    return (day.month, day.day) in _HOLIDAYS


def _local_hour(hour: int, zone: ZoneInfo) -> datetime:
    """Return the local time at which an hour (counted from 1970, UTC) starts."""
    return to_datetime(hour * HOUR).astimezone(zone)


def _expected_conversations(moment: datetime) -> float:
    """Return how many conversations to expect in the hour that starts at a local time."""
    if _is_holiday(moment.date()):
        return 0.0
    return _DAY[moment.hour] * _WEEK[moment.weekday()]


def _generate_statuses(batch: Batch, directory: Directory, moment: datetime) -> None:
    """Generate one hour of status events for every agent on shift.

    An agent's statuses fill the hour without a gap: `tAgentRoutingStatus`, `tSystemPresence` and
    `tOrganizationPresence` each add up to one hour.
    """
    if _is_holiday(moment.date()):
        return
    weekend = moment.weekday() > 4  # noqa: PLR2004 - Friday
    for agent in directory.agents:
        if agent.on_shift(moment.hour, weekend=weekend):
            subject = Subject({"userId": agent.id}, 0)
            _generate_routing_statuses(batch, subject, moment)
            _generate_presences(batch, subject, moment)


def _periods(batch: Batch, moment: datetime, number: int) -> list[tuple[int, int]]:
    """Split the hour into periods and return each one's end and length. The last ends within the hour."""
    start = int(moment.timestamp()) * SECOND
    inner = sorted(int(batch.rng.random() * HOUR) for _ in range(number - 1))
    cuts = [start, *(start + cut for cut in inner), start + HOUR]
    return [(min(end, start + HOUR - 1), end - begin) for begin, end in pairwise(cuts)]


def _generate_routing_statuses(batch: Batch, subject: Subject, moment: datetime) -> None:
    for at, length in _periods(batch, moment, 5):
        (status,) = batch.rng.choices(ROUTING_STATUSES, _ROUTING_SHARES)
        batch.post(at, "tAgentRoutingStatus", subject, length, status)


def _generate_presences(batch: Batch, subject: Subject, moment: datetime) -> None:
    for at, length in _periods(batch, moment, 2):
        (status,) = batch.rng.choices(_PRESENCES, _PRESENCE_SHARES)
        batch.post(at, "tSystemPresence", subject, length, status)
        definition = batch.rng.choice(PRESENCES[status])
        batch.post(at, "tOrganizationPresence", subject, length, definition.id)


def _generate_generic(batch: Batch, metrics: tuple[str, ...], moment: datetime, expected: float) -> None:
    """Generate subjects of any family that start in the hour from `moment`, each with a few metrics."""
    rng = batch.rng
    start = int(moment.timestamp()) * SECOND
    for _ in batch.about(expected * _SUBJECTS):
        subject = Subject({}, rng.getrandbits(48))
        at = start + rng.randrange(HOUR)
        for metric in rng.sample(metrics, min(len(metrics), rng.randrange(1, _METRICS_END))):
            batch.post(at + rng.randrange(HOUR), metric, subject, draw_value(batch, metric))


@dataclass(frozen=True, slots=True)
class LateRewrite:
    """A change of history of any age: an option that applies retroactively, or a deletion on request.

    Attributes:
        at: When it happens.
        start: Start of the period whose events change.
        end: End of that period, exclusive.
        metric: The only metric that changes; None for all.
        dimension: The only events that change are those with a value in this dimension; None for all.
        value: That value.
        removes: Whether the events are deleted; otherwise their values are corrected.
    """

    at: datetime
    start: datetime
    end: datetime
    metric: str | None = None
    dimension: str | None = None
    value: str | None = None
    removes: bool = False


class History:
    """The events as they are known at a given time, a pure function of that time.

    Without `rewrites`, an event is known from the millisecond after it is posted and never changes.
    With `rewrites`, some events arrive up to two days late, and some are corrected or removed between two
    days after they are posted and one day before they settle. Nothing changes once an event is
    `settle_days` old (`settle_days` is at least 4; resolutions settle three days later). `late_rewrites`
    may be added at any time, and change events of any age from their own time on.
    """

    def __init__(self, contact_center: ContactCenter, settle_days: int, *, rewrites: bool) -> None:
        self.contact_center = contact_center
        self._settle_days = settle_days
        self._rewrites = rewrites
        self.late_rewrites: list[LateRewrite] = []
        self._settled = lru_cache(maxsize=_HOURS_KEPT)(self._settle)

    def settles_after(self, family: str) -> int:
        """Return the age in milliseconds from which the events of a family no longer change."""
        if not self._rewrites:
            return 0
        more = _RESOLUTIONS_SETTLE_DAYS_LATER if family == "resolutions" else 0
        return (self._settle_days + more) * DAY

    def hour(self, family: str, hour: int, as_of: int) -> EventsByMetric:
        """Return the events of one UTC hour that are known at `as_of` (UTC milliseconds), by metric."""
        begin, end = hour * HOUR, (hour + 1) * HOUR
        if as_of <= begin:
            return {}
        events = self._at_first(family, hour, as_of)
        for rewrite in self.late_rewrites:
            if to_ms(rewrite.at) <= as_of and to_ms(rewrite.start) < end and begin < to_ms(rewrite.end):
                events = self._rewritten(events, rewrite)
        return events

    def _at_first(self, family: str, hour: int, as_of: int) -> EventsByMetric:
        """Return the events of an hour without late rewrites."""
        end = (hour + 1) * HOUR
        if as_of >= end + self.settles_after(family):
            return self._settled(family, hour)
        return self._seen(family, hour, as_of)

    def between(
        self, family: str, start: int, end: int, as_of: int, metrics: Iterable[str]
    ) -> Iterator[Event]:
        """Yield the events of a half-open interval known at `as_of`, metric by metric within each hour."""
        wanted = tuple(dict.fromkeys(metrics))
        for hour in range(start // HOUR, -(-min(end, as_of) // HOUR)):
            events = self.hour(family, hour, as_of)
            for metric in wanted:
                for event in events.get(metric, ()):
                    if start <= event.at < end:
                        yield event

    def _settle(self, family: str, hour: int) -> EventsByMetric:
        if not self._rewrites:
            return self.contact_center.hour(family, hour)
        return self._seen(family, hour, (hour + 1) * HOUR + self.settles_after(family))

    def _seen(self, family: str, hour: int, as_of: int) -> EventsByMetric:
        seen: dict[str, list[Event]] = {}
        for metric, events in self.contact_center.hour(family, hour).items():
            known = [now for event in events if (now := self._known(family, event, as_of)) is not None]
            if known:
                seen[metric] = known
        return seen

    def _rewritten(self, events: EventsByMetric, rewrite: LateRewrite) -> EventsByMetric:
        """Return events after a late rewrite."""
        start, end = to_ms(rewrite.start), to_ms(rewrite.end)
        value_of = self.contact_center.directory.value

        def is_meant(event: Event) -> bool:
            wanted = rewrite.dimension is None or value_of(event.subject, rewrite.dimension) == rewrite.value
            return wanted and start <= event.at < end

        found = dict(events)
        for metric in [rewrite.metric] if rewrite.metric else [*events]:
            if rewrite.removes:
                kept = [event for event in events.get(metric, ()) if not is_meant(event)]
            else:
                kept = [
                    event._replace(value=_corrected(event)) if is_meant(event) else event
                    for event in events.get(metric, ())
                ]
            found[metric] = kept
        return {metric: kept for metric, kept in found.items() if kept}

    def _known(self, family: str, event: Event, as_of: int) -> Event | None:
        if event.at >= as_of:
            return None
        if not self._rewrites:
            return event
        fate, share = event.random_bits % 100, (event.random_bits >> 8) / 2**24
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
