"""Names for the ids in the facts: queues, users, wrap-up codes and more, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from genesys_sandbox import vocabulary as words
from genesys_sandbox.messages import refuse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from genesys_sandbox.messages import Request
    from genesys_sandbox.vocabulary import Agent, Named, Vocabulary

_USUAL_PAGE = 25
_LARGEST_PAGE = 500


@dataclass(frozen=True, slots=True)
class Lookup:
    """One list of things.

    Attributes:
        by_cursor: Whether pages are found by an `after` mark instead of by their number.
    """

    path: str
    permission: str
    entities: tuple[dict[str, object], ...]
    by_cursor: bool = False

    def page(self, request: Request) -> dict[str, object]:
        """The page that a request asks for by `pageSize` and `pageNumber`, or by `after`.

        Raises:
            RefusedError: 400, a parameter is out of its bounds.
        """
        size = _number(request, "pageSize", _USUAL_PAGE)
        if size > _LARGEST_PAGE:
            refuse("pageSize must be at most {most}", "invalid.value", most=_LARGEST_PAGE)
        return self._after(request, size) if self.by_cursor else self._numbered(request, size)

    def _after(self, request: Request, size: int) -> dict[str, object]:
        mark = request.query.get("after")
        known = [str(entity["id"]) for entity in self.entities]
        if mark is not None and mark not in known:
            refuse("Unknown cursor: {after}", "invalid.value", after=mark)
        first = known.index(mark) + 1 if mark else 0
        shown = self.entities[first : first + size]
        page: dict[str, object] = {"entities": shown}
        if first + size < len(self.entities):
            page["nextUri"] = self._uri(pageSize=size, after=shown[-1]["id"])
        return page

    def _numbered(self, request: Request, size: int) -> dict[str, object]:
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


def lookups(vocabulary: Vocabulary) -> dict[str, Lookup]:
    """Every list of a centre, by its path."""
    home = words.DIVISIONS[0]
    several = (
        _lookup("routing/queues", "routing:queue:view", words.QUEUES, division=_reference(home)),
        Lookup("/api/v2/users", "directory:user:view", tuple(map(_user, vocabulary.agents))),
        _lookup("routing/wrapupcodes", "routing:wrapupCode:view", words.WRAP_UP_CODES),
        Lookup("/api/v2/presence/definitions", "presence:presenceDefinition:view", tuple(_presences())),
        _lookup("authorization/divisions", "authorization:division:view", words.DIVISIONS),
        _lookup("routing/skills", "routing:skill:view", words.SKILLS, state="active"),
        _lookup("routing/languages", "routing:language:view", words.LANGUAGES, state="active"),
        _lookup("flows", "architect:flow:view", words.FLOWS, type="INBOUNDCALL", active=True),
        Lookup("/api/v2/teams", "groups:team:view", tuple(map(_reference, words.TEAMS)), by_cursor=True),
        _lookup("groups", "directory:group:view", words.GROUPS, state="active", type="official"),
    )
    return {lookup.path: lookup for lookup in several}


def _lookup(path: str, permission: str, things: Iterable[Named], **more: object) -> Lookup:
    full = f"/api/v2/{path}"
    entities = ({**_reference(thing), **more, "selfUri": f"{full}/{thing.id}"} for thing in things)
    return Lookup(full, permission, tuple(entities))


def _reference(thing: Named) -> dict[str, object]:
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
    for status, several in words.PRESENCES.items():
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
        refuse("{field} must be a positive number", "invalid.value", field=name)
    return int(text)
