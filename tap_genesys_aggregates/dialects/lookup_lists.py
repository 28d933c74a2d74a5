"""The look-ups: names for the ids in the rows, one table each.

They are data (``data/lookups.json``): a new entry there is a new stream. What an entry of a list has and
its look-up does not declare is no column: a look-up is not a query, it promises names and no more.
Paths, parameters, permissions and fields are those of the official SDKs (Python 269.0.0; the permissions
and the values of parameters as its command line tells them). Where no permission is documented, the
platform asks for none that it names.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

import msgspec

from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.errors import UnreadableError
from tap_genesys_aggregates.core.schema import Column, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_genesys_aggregates.core.rows import Row

PAGE_SIZE = 100
"""Entries asked for at once; every list takes that many."""

Paging = Literal["number", "link", "whole"]
"""How a list goes on: by ``pageNumber`` up to ``pageCount``; by ``nextUri``, which holds a cursor; or it
comes whole, and takes no parameters of paging, though a ``nextUri`` is followed even so."""

Value = str | int | float | bool

_EXTRACTED = Column("extracted_at", "date-time", "When the list was asked for, UTC; one instant a run. [tap]")


class Source(msgspec.Struct, frozen=True):
    """A column of a look-up, and where its value stands in an entry.

    Attributes:
        name: As the warehouse has it.
        path: Fields to walk down, with dots between; ``*`` is any, the first in their order.
        description: What it means.
        kind: What the value must be.
        otherwise: Paths to try in turn where the first leads nowhere.
    """

    name: str
    path: str
    description: str
    kind: Kind = "string"
    otherwise: tuple[str, ...] = ()

    def value(self, entity: Mapping[str, object]) -> Value | None:
        """The value in an entry; None where it has none.

        Raises:
            UnreadableError: It is of another kind.
        """
        places = (_at(entity, path.split(".")) for path in (self.path, *self.otherwise))
        found = next((each for each in places if each is not None), None)
        try:
            return None if found is None else _READ[self.kind](found)
        except ValueError:
            what = f"{self.path} of {str(entity['id'])[:80]} is {str(found)[:80]!r}, which is no {self.kind}"
            raise UnreadableError(what) from None


def _exactly(*types: type[Value]) -> Callable[[object], Value]:
    """A reader of values of some types."""

    def read(value: object) -> Value:
        if type(value) not in types:
            raise ValueError
        return value  # type: ignore[return-value]  # the line above says so

    return read


def _whole(value: object) -> Value:
    """A whole number, however it is written."""
    return int(value) if isinstance(value, float) and value.is_integer() else _exactly(int)(value)


def _instant(value: object) -> Value:
    """An instant as all of them are written."""
    return instants.text(instants.parse(str(value)))


_READ: dict[Kind, Callable[[object], Value]] = {
    "string": _exactly(str),
    "integer": _whole,
    "number": _exactly(int, float),
    "boolean": _exactly(bool),
    "date-time": _instant,
}


def _at(value: object, path: list[str]) -> object:
    """What stands at a path; None where it leads nowhere."""
    for step in path:
        if not isinstance(value, dict) or not value:
            return None
        value = value[min(value)] if step == "*" else value.get(step)
    return value


class Lookup(msgspec.Struct, frozen=True):
    """A list of the platform's, and the table that is made of it.

    Attributes:
        path: Where the list is.
        paging: How it goes on.
        columns: The table; ``id`` is its key.
        permission: What the OAuth client must be allowed to do; None where no one thing is documented.
        asks: The parameters of each request that the list takes to be complete.
    """

    path: str
    paging: Paging
    columns: tuple[Source, ...]
    permission: str | None = None
    asks: tuple[dict[str, str], ...] = ({},)

    @property
    def table(self) -> tuple[Column, ...]:
        """The columns of its rows."""
        return (
            *(
                Column(
                    each.name,
                    each.kind,
                    f"{each.description}. [response: {each.path}]",
                    key=each.name == "id",
                )
                for each in self.columns
            ),
            _EXTRACTED,
        )

    @property
    def advice(self) -> str:
        """What to do where the list is denied."""
        return f"Give the OAuth client a role with {self.permission or 'the permission that is missing'}"

    def link(self, ask: Mapping[str, str], number: int = 1) -> str:
        """Where a page is.

        Args:
            ask: One of ``asks``.
            number: Which page; only a list that counts its pages has others than the first.

        Returns:
            A path on the API's host.
        """
        paging = {"number": {"pageSize": PAGE_SIZE, "pageNumber": number}, "link": {"pageSize": PAGE_SIZE}}
        query = urlencode({**ask, **paging.get(self.paging, {})})
        return f"{self.path}?{query}" if query else self.path

    def following(self, ask: Mapping[str, str], listing: Listing, number: int) -> str | None:
        """Where the page after one is.

        Args:
            ask: One of ``asks``.
            listing: The page before, which need not hold anything.
            number: Its number, from 1.

        Returns:
            A link as the list has it, not to be trusted; None at the end.
        """
        if self.paging != "number":
            return listing.next_uri or None
        if listing.page_count is not None:
            more = number < listing.page_count
        else:
            more = bool(listing.next_uri) or len(listing.entities or ()) >= PAGE_SIZE
        return self.link(ask, number + 1) if more else None

    def row(self, entity: Mapping[str, object], extracted_at: str) -> Row:
        """The row of an entry.

        Args:
            entity: An entry with an id.
            extracted_at: When the list was asked for.

        Returns:
            A value for each column; what the entry does not have is None.

        Raises:
            UnreadableError: A value is of another kind than its column.
        """
        return {**{each.name: each.value(entity) for each in self.columns}, "extracted_at": extracted_at}


MOST_PAGES = 5_000
"""Pages after which a list counts as endless: half a million entries."""


class Listing(msgspec.Struct, rename="camel"):
    """A page of a list."""

    entities: list[dict[str, object]] | None = None
    page_count: int | None = None
    next_uri: str | None = None
    total: int | None = None
    message: str | None = None
    code: str | None = None


_DECODER = msgspec.json.Decoder(Listing)


def read_listing(body: bytes) -> Listing:
    """Read a page.

    Args:
        body: The bytes of the answer.

    Returns:
        The page; ``entities`` may be missing or null.

    Raises:
        UnreadableError: The bytes are no page of a list, or one of its entries has no id.
    """
    try:
        listing = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableError(f"the answer is no page of a list: {error}") from None
    if listing.entities is None and (listing.code or listing.message):
        said = f"{(listing.code or '')[:80]} {(listing.message or '')[:200]}"
        raise UnreadableError(f"an error came in place of entities: {said}")
    for entity in listing.entities or ():
        if not isinstance(entity.get("id"), str) or not entity["id"]:
            raise UnreadableError("an entry of the list has no id")
    return listing


class Entries:
    """The entries of a list as they come in, page by page.

    Pages can shift while they are read, so that an entry comes twice: the later one counts, which is
    the newer. A whole page that comes again is no shift, and a list without an end is no list.

    Attributes:
        total: How many there are, by the list's own account; 0 where it gives none.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._found: dict[str, dict[str, object]] = {}
        self._pages: set[tuple[object, ...]] = set()
        self._count = 0
        self.total = 0

    @property
    def by_id(self) -> Mapping[str, dict[str, object]]:
        """Each entry once."""
        return self._found

    def add(self, listing: Listing) -> None:
        """Take in a page.

        Raises:
            UnreadableError: It came before, or there are too many.
        """
        entities = listing.entities or ()
        page = tuple(entity["id"] for entity in entities)
        self._count += 1
        if page in self._pages or self._count > MOST_PAGES:
            what = f"page {self._count} of the list came before, or it has no end"
            raise UnreadableError(what, "The server's pages go round in a circle: please report it")
        if page:
            self._pages.add(page)
        self._found.update((str(entity["id"]), entity) for entity in entities)
        self.total = listing.total or self.total


@cache
def lookups() -> dict[str, Lookup]:
    """Every look-up by the name of its stream."""
    data = resources.files("tap_genesys_aggregates").joinpath("data/lookups.json").read_bytes()
    return msgspec.json.decode(data, type=dict[str, Lookup])
