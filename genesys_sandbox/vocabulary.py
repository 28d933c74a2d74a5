"""The people and things of the centre, and which value a dimension takes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product

from genesys_sandbox.facts import Subject, digest, stable_id

_GIVEN = ("Ada", "Bilal", "Carmen", "Dmitri", "Elif", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Kemal")
_FAMILY = ("Aksoy", "Brandt", "Costa", "Demir", "Eriksen", "Fischer", "Garcia", "Hansen", "Kaya", "Lopes")
_SHIFT_HOURS = 9

# A value of its own for each subject: grouping by one of these makes as many groups as subjects.
_UNIQUE = frozenset({"conversationId", "sessionId", "correlationId", "surveyId", "evaluationId"})
# One draw in so many leaves the dimension unset.
_UNSET_EVERY = 7


@dataclass(frozen=True, slots=True)
class Named:
    """Something with an identity: a queue, a skill, a flow."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Agent:
    """A user who takes conversations.

    Attributes:
        first_hour: Local hour at which the shift begins; it lasts nine hours.
        queues: Ids of the queues served.
    """

    id: str
    name: str
    division: str
    team: str
    first_hour: int
    queues: tuple[str, ...]
    weekends: bool

    def on_shift(self, hour: int, *, weekend: bool) -> bool:
        """Whether the agent works in a local hour."""
        return self.first_hour <= hour < self.first_hour + _SHIFT_HOURS and (self.weekends or not weekend)


def _named(what: str, names: str) -> tuple[Named, ...]:
    return tuple(Named(stable_id(what, name), name) for name in names.split(", "))


# The six ids are those of the sample week; the names are ours.
QUEUES = (
    Named("027396f4-553b-43ed-8ec0-09303971bd1c", "Outbound Campaigns"),
    Named("05f1c285-6777-4ccc-806f-8db085ae0793", "Customer Care"),
    Named("0c42ff58-231e-4f85-a47c-a81ea703718f", "Overflow"),
    Named("16342adc-9cb3-4106-947c-003699a7715d", "Technical Support"),
    Named("4498e44c-cbb0-47c7-9bba-d30dd875f403", "Collections"),
    Named("92c4908f-eba5-4255-8aef-39e735b44a4f", "Sales"),
)
DIVISIONS = _named("division", "Home, North, South")
TEAMS = _named("team", "Early Birds, Day Crew, Late Shift, Specialists")
SKILLS = _named("skill", "Billing, Hardware, Retention, Contracts, Complaints")
LANGUAGES = _named("language", "English, Turkish, German, Portuguese")
WRAP_UP_CODES = _named("wrapup", "Resolved, Call back, Escalated, Wrong number, Sale, No answer, Complaint")
FLOWS = _named("flow", "Main menu, Opening hours, Call back offer, Survey")
GROUPS = _named("group", "Back office, Supervisors, Quality")
MEDIA = ("voice", "chat", "email", "callback")

PRESENCES: dict[str, tuple[Named, ...]] = {
    "AVAILABLE": _named("presence", "Available"),
    "BUSY": _named("presence", "Busy, Outbound work"),
    "AWAY": _named("presence", "Away"),
    "BREAK": _named("presence", "Break"),
    "MEAL": _named("presence", "Meal"),
    "MEETING": _named("presence", "Meeting"),
    "TRAINING": _named("presence", "Training, Coaching"),
    "ON_QUEUE": _named("presence", "On Queue"),
}
ROUTING_STATUSES = ("OFF_QUEUE", "IDLE", "INTERACTING", "NOT_RESPONDING", "COMMUNICATING")


def _ids(things: tuple[Named, ...]) -> tuple[str, ...]:
    return tuple(thing.id for thing in things)


def _hire(number: int) -> Agent:
    names = list(product(_FAMILY, _GIVEN))
    family, given = names[number * 7 % len(names)]
    queues = [QUEUES[(number + step) % len(QUEUES)].id for step in range(1 + number % 3)]
    return Agent(
        id=stable_id("user", number),
        name=f"{given} {family}" if number < len(names) else f"{given} {family} {number // len(names) + 1}",
        division=DIVISIONS[number % len(DIVISIONS)].id,
        team=TEAMS[number % len(TEAMS)].id,
        first_hour=6 + number * 5 % 8,
        queues=tuple(queues),
        weekends=number % 4 == 0,
    )


class Vocabulary:
    """The agents of one centre, and the values that dimensions take there."""

    def __init__(self, agents: int) -> None:
        """Hire so many agents, always the same ones."""
        self.agents = tuple(map(_hire, range(agents)))
        self._shared = {
            "queueId": _ids(QUEUES),
            "touchpointQueueId": _ids(QUEUES),
            "userId": tuple(agent.id for agent in self.agents),
            "mediaType": MEDIA,
            "direction": ("inbound", "outbound"),
            "divisionId": _ids(DIVISIONS),
            "teamId": _ids(TEAMS),
            "groupId": _ids(GROUPS),
            "flowId": _ids(FLOWS),
            "wrapUpCode": _ids(WRAP_UP_CODES),
            "requestedRoutingSkillId": _ids(SKILLS),
            "activeSkillId": _ids(SKILLS),
            "requestedLanguageId": _ids(LANGUAGES),
        }
        self._drawn = lru_cache(maxsize=100_000)(self._draw)
        self._rosters = cache(self._find_roster)

    def value(self, subject: Subject, dimension: str) -> str | None:
        """The value of a dimension of a subject; None where it is not set."""
        if dimension in subject.known:
            return subject.known[dimension]
        if dimension in _UNIQUE:
            return stable_id(dimension, subject.source)
        return self._drawn(dimension, subject.source % 4093)

    def _draw(self, dimension: str, dice: int) -> str | None:
        roll = digest("dimension", dimension, dice)
        if roll % _UNSET_EVERY == 0:
            return None
        shared = self._shared.get(dimension)
        if shared is not None:
            return shared[roll // _UNSET_EVERY % len(shared)]
        return f"{dimension}-{roll // _UNSET_EVERY % 5}"

    def roster(self, queue: str, hour: int, *, weekend: bool) -> tuple[Agent, ...]:
        """Who serves a queue in a local hour; everybody who knows it when nobody is on shift."""
        return self._rosters(queue, hour, weekend)

    def _find_roster(self, queue: str, hour: int, weekend: bool) -> tuple[Agent, ...]:  # noqa: FBT001
        able = tuple(agent for agent in self.agents if queue in agent.queues) or self.agents
        return tuple(agent for agent in able if agent.on_shift(hour, weekend=weekend)) or able
