"""The people and things of the contact center: dimension values, and the lookup lists that name them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from genesys_sandbox.events import Subject, digest, stable_id
from genesys_sandbox.http_messages import reject

if TYPE_CHECKING:
    from collections.abc import Iterable

    from genesys_sandbox.http_messages import Request


_GIVEN = ("Ada", "Bilal", "Carmen", "Dmitri", "Elif", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Kemal")
_FAMILY = ("Aksoy", "Brandt", "Costa", "Demir", "Eriksen", "Fischer", "Garcia", "Hansen", "Kaya", "Lopes")
_SHIFT_HOURS = 9

# Unique per subject: grouping by one of these returns as many groups as there are subjects.
_UNIQUE = frozenset({"conversationId", "sessionId", "correlationId", "surveyId", "evaluationId"})
# One in seven drawn values is unset.
_UNSET_EVERY = 7


@dataclass(frozen=True, slots=True)
class Entity:
    """A queue, skill, flow or anything else with an ID and a name."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Agent:
    """A user who takes conversations.

    Attributes:
        first_hour: Local hour at which the nine-hour shift starts.
        queues: IDs of the queues served.
    """

    id: str
    name: str
    division: str
    team: str
    first_hour: int
    queues: tuple[str, ...]
    weekends: bool

    def on_shift(self, hour: int, *, weekend: bool) -> bool:
        return self.first_hour <= hour < self.first_hour + _SHIFT_HOURS and (self.weekends or not weekend)


def _named(what: str, names: str) -> tuple[Entity, ...]:
    return tuple(Entity(stable_id(what, name), name) for name in names.split(", "))


# The IDs are those of the sample week, which has no names.
QUEUES = (
    Entity("027396f4-553b-43ed-8ec0-09303971bd1c", "Outbound Campaigns"),
    Entity("05f1c285-6777-4ccc-806f-8db085ae0793", "Customer Care"),
    Entity("0c42ff58-231e-4f85-a47c-a81ea703718f", "Overflow"),
    Entity("16342adc-9cb3-4106-947c-003699a7715d", "Technical Support"),
    Entity("4498e44c-cbb0-47c7-9bba-d30dd875f403", "Collections"),
    Entity("92c4908f-eba5-4255-8aef-39e735b44a4f", "Sales"),
)
DIVISIONS = _named("division", "Home, North, South")
TEAMS = _named("team", "Early Birds, Day Crew, Late Shift, Specialists")
SKILLS = _named("skill", "Billing, Hardware, Retention, Contracts, Complaints")
LANGUAGES = _named("language", "English, Turkish, German, Portuguese")
WRAP_UP_CODES = _named("wrapup", "Resolved, Call back, Escalated, Wrong number, Sale, No answer, Complaint")
FLOWS = _named("flow", "Main menu, Opening hours, Call back offer, Survey")
GROUPS = _named("group", "Back office, Supervisors, Quality")
MEDIA = ("voice", "chat", "email", "callback")

PRESENCES: dict[str, tuple[Entity, ...]] = {
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


def _ids(things: tuple[Entity, ...]) -> tuple[str, ...]:
    return tuple(thing.id for thing in things)


def _agent(number: int) -> Agent:
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


class Directory:
    """The agents of one contact center, and the values of dimensions there.

    The same number of agents always gives the same agents.
    """

    def __init__(self, agents: int) -> None:
        self.agents = tuple(map(_agent, range(agents)))
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
        self._serving = cache(self._find_serving)

    def value(self, subject: Subject, dimension: str) -> str | None:
        """Return a subject's value of a dimension; None if it is not set."""
        if dimension in subject.known:
            return subject.known[dimension]
        if dimension in _UNIQUE:
            return stable_id(dimension, subject.source)
        return self._drawn(dimension, subject.source % 4093)

    def _draw(self, dimension: str, random_bits: int) -> str | None:
        drawn = digest("dimension", dimension, random_bits)
        if drawn % _UNSET_EVERY == 0:
            return None
        shared = self._shared.get(dimension)
        if shared is not None:
            return shared[drawn // _UNSET_EVERY % len(shared)]
        return f"{dimension}-{drawn // _UNSET_EVERY % 5}"

    def agents_serving(self, queue: str, hour: int, *, weekend: bool) -> tuple[Agent, ...]:
        """Return the agents on shift for a queue in a local hour, or all who serve it if none is on shift."""
        return self._serving(queue, hour, weekend)

    def _find_serving(self, queue: str, hour: int, weekend: bool) -> tuple[Agent, ...]:  # noqa: FBT001
        able = tuple(agent for agent in self.agents if queue in agent.queues) or self.agents
        return tuple(agent for agent in able if agent.on_shift(hour, weekend=weekend)) or able


_DEFAULT_PAGE_SIZE = 25
_MAX_PAGE_SIZE = 500


@dataclass(frozen=True, slots=True)
class LookupList:
    """One lookup list.

    Attributes:
        by_cursor: Whether pages are addressed by an `after` cursor instead of a page number.
    """

    path: str
    permission: str
    entities: tuple[dict[str, object], ...]
    by_cursor: bool = False

    def page(self, request: Request) -> dict[str, object]:
        """Return the page given by `pageSize` and `pageNumber`, or by `after`.

        Raises:
            ApiError: 400, a parameter is out of range.
        """
        size = _number(request, "pageSize", _DEFAULT_PAGE_SIZE)
        if size > _MAX_PAGE_SIZE:
            reject("pageSize must be at most {maximum}", "invalid.value", maximum=_MAX_PAGE_SIZE)
        return self._page_by_cursor(request, size) if self.by_cursor else self._page_by_number(request, size)

    def _page_by_cursor(self, request: Request, size: int) -> dict[str, object]:
        cursor = request.query.get("after")
        known = [str(entity["id"]) for entity in self.entities]
        if cursor is not None and cursor not in known:
            reject("Unknown cursor: {after}", "invalid.value", after=cursor)
        first = known.index(cursor) + 1 if cursor else 0
        visible = self.entities[first : first + size]
        page: dict[str, object] = {"entities": visible}
        if first + size < len(self.entities):
            page["nextUri"] = self._uri(pageSize=size, after=visible[-1]["id"])
        return page

    def _page_by_number(self, request: Request, size: int) -> dict[str, object]:
        number, total = _number(request, "pageNumber", 1), len(self.entities)
        pages = max(1, -(-total // size))
        page: dict[str, object] = {
            "entities": self.entities[(number - 1) * size : number * size],
            "pageSize": size,
            "pageNumber": number,
            "total": total,
            "pageCount": pages,
            "firstUri": self._uri(pageSize=size, pageNumber=1),
            "selfUri": self._uri(pageSize=size, pageNumber=number),
            "lastUri": self._uri(pageSize=size, pageNumber=pages),
        }
        if number < pages:
            page["nextUri"] = self._uri(pageSize=size, pageNumber=number + 1)
        return page

    def _uri(self, **query: object) -> str:
        return f"{self.path}?{urlencode(query)}"


def lookups(directory: Directory) -> dict[str, LookupList]:
    """Return every lookup list by its path."""
    home = DIVISIONS[0]
    several = (
        _lookup("routing/queues", "routing:queue:view", QUEUES, division=_reference(home)),
        LookupList("/api/v2/users", "directory:user:view", tuple(map(_user, directory.agents))),
        _lookup("routing/wrapupcodes", "routing:wrapupCode:view", WRAP_UP_CODES),
        LookupList("/api/v2/presence/definitions", "presence:presenceDefinition:view", tuple(_presences())),
        _lookup("authorization/divisions", "authorization:division:view", DIVISIONS),
        _lookup("routing/skills", "routing:skill:view", SKILLS, state="active"),
        _lookup("routing/languages", "routing:language:view", LANGUAGES, state="active"),
        _lookup("flows", "architect:flow:view", FLOWS, type="INBOUNDCALL", active=True),
        LookupList("/api/v2/teams", "groups:team:view", tuple(map(_reference, TEAMS)), by_cursor=True),
        _lookup("groups", "directory:group:view", GROUPS, state="active", type="official"),
    )
    return {lookup.path: lookup for lookup in several}


def _lookup(path: str, permission: str, things: Iterable[Entity], **more: object) -> LookupList:
    full = f"/api/v2/{path}"
    entities = ({**_reference(thing), **more, "selfUri": f"{full}/{thing.id}"} for thing in things)
    return LookupList(full, permission, tuple(entities))


def _reference(thing: Entity) -> dict[str, object]:
    return {"id": thing.id, "name": thing.name}


def _user(agent: Agent) -> dict[str, object]:
    address = f"{agent.name.lower().replace(' ', '.')}@example.com"
    return {
        "id": agent.id,
        "name": agent.name,
        "email": address,
        "username": address,
        "state": "active",
        "division": {"id": agent.division},
        "selfUri": f"/api/v2/users/{agent.id}",
    }


def _presences() -> Iterable[dict[str, object]]:
    for status, several in PRESENCES.items():
        for number, definition in enumerate(several):
            yield {
                "id": definition.id,
                "languageLabels": {"en_US": definition.name},
                "systemPresence": status,
                "type": "System" if number == 0 else "User",
                "deactivated": False,
                "selfUri": f"/api/v2/presence/definitions/{definition.id}",
            }


def _number(request: Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        reject("{field} must be a positive number", "invalid.value", field=name)
    return int(text)
