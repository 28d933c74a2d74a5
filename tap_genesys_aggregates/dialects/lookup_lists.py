"""The lookups: lists of names for the ids in the rows, each loaded into a table of its own.

Lookups are data (``data/lookups.json``): a new entry there is a new stream. A field that a lookup does not
declare is ignored, because a lookup promises names and nothing more. See docs/api-notes.md, "Lookup lists".
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
from tap_genesys_aggregates.dialects.error_bodies import PAGING_FIELDS, check_empty, refuse_error
from tap_genesys_aggregates.dialects.protocol import whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_genesys_aggregates.core.rows import Row

PAGE_SIZE = 100
"""Entries per page, which every list accepts."""
MAX_PAGES = 5_000
"""Pages of a list: beyond half a million entries, paging counts as endless."""

Paging = Literal["number", "link", "whole"]
"""How a list is paged: by ``pageNumber`` up to ``pageCount``; by ``nextUri``, which holds a cursor; or not at
all, without paging parameters, though a ``nextUri`` is followed even then."""

Value = str | int | float | bool

_EXTRACTED_AT = Column(
    "extracted_at", "date-time", "When the list was read, in UTC; the same for every row. [tap]"
)


@cache
def lookups() -> dict[str, Lookup]:
    """Every lookup, by the name of its stream."""
    data = resources.files("tap_genesys_aggregates").joinpath("data/lookups.json").read_bytes()
    return msgspec.json.decode(data, type=dict[str, Lookup])


class Lookup(msgspec.Struct, frozen=True):
    """A list of the platform, and the table made from it.

    Attributes:
        path: The path of the list.
        paging: How the list is paged.
        columns: The columns of the table; ``id`` is the key.
        permission: The permission that the OAuth client needs; None if none is documented.
        requests: The parameters of each request that is needed to get every entry.
    """

    path: str
    paging: Paging
    columns: tuple[LookupColumn, ...]
    permission: str | None = None
    requests: tuple[dict[str, str], ...] = ({},)

    @property
    def table(self) -> tuple[Column, ...]:
        """The columns of the table, with ``extracted_at``."""
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
            _EXTRACTED_AT,
        )

    @property
    def advice(self) -> str:
        """What to do if access to the list is denied."""
        return f"Give the OAuth client a role with {self.permission or 'the missing permission'}"

    def page_link(self, parameters: Mapping[str, str], number: int = 1) -> str:
        """The link to a page.

        Args:
            parameters: One of ``requests``.
            number: The number of the page; a list that does not number its pages has only the first.

        Returns:
            A path on the API's host.
        """
        paging = {"number": {"pageSize": PAGE_SIZE, "pageNumber": number}, "link": {"pageSize": PAGE_SIZE}}
        query = urlencode({**parameters, **paging.get(self.paging, {})})
        return f"{self.path}?{query}" if query else self.path

    def next_link(self, parameters: Mapping[str, str], page: ListPage, number: int) -> str | None:
        """The link to the page after another.

        Args:
            parameters: One of ``requests``.
            page: The current page, which may be empty.
            number: The number of the current page, from 1.

        Returns:
            The link, which may be the server's own and must not be trusted; None after the last page.

        Raises:
            UnreadableError: The link is not a text.
        """
        if self.paging != "number":
            if page.next_uri is not None and not isinstance(page.next_uri, str):
                raise UnreadableError("the link to the next page of the list is not a text")
            return page.next_uri or None
        page_count = whole_number(page.page_count)
        if page_count is not None:
            more = number < page_count
        else:
            more = bool(page.next_uri) or len(page.entities or ()) >= PAGE_SIZE
        return self.page_link(parameters, number + 1) if more else None

    def row(self, entity: Mapping[str, object], extracted_at: str) -> Row:
        """The row of an entry.

        Args:
            entity: An entry with an id.
            extracted_at: When the list was asked for.

        Returns:
            A value for each column; None for what the entry does not have.

        Raises:
            UnreadableError: A value is of another kind than its column.
        """
        return {**{each.name: each.value(entity) for each in self.columns}, "extracted_at": extracted_at}


class LookupColumn(msgspec.Struct, frozen=True):
    """A column of a lookup, and where its value is in an entry.

    Attributes:
        name: The name of the column.
        path: The path of the field, with dots; ``*`` is the first field in alphabetical order.
        description: The description of the column.
        kind: The kind of the value.
        fallbacks: Paths to try in turn if the first one has no value.
    """

    name: str
    path: str
    description: str
    kind: Kind = "string"
    fallbacks: tuple[str, ...] = ()

    def value(self, entity: Mapping[str, object]) -> Value | None:
        """The value in an entry, or None if it has none.

        Raises:
            UnreadableError: The value is of another kind.
        """
        values = (_value_at(entity, path.split(".")) for path in (self.path, *self.fallbacks))
        found = next((each for each in values if each is not None), None)
        try:
            return None if found is None else _CONVERTERS[self.kind](found)
        except ValueError:
            what = (
                f"{self.path} of {str(entity['id'])[:80]} is {str(found)[:80]!r}, which is not a {self.kind}"
            )
            raise UnreadableError(what) from None


def _value_at(value: object, path: list[str]) -> object:
    """The value at a path, or None if there is none."""
    for step in path:
        if not isinstance(value, dict) or not value:
            return None
        value = value[min(value)] if step == "*" else value.get(step)
    return value


def _exactly(*types: type[Value]) -> Callable[[object], Value]:
    """A converter that accepts values of these types only."""

    def convert(value: object) -> Value:
        if type(value) not in types:
            raise ValueError
        return value  # type: ignore[return-value]  # its type was just checked

    return convert


def _integer(value: object) -> Value:
    """Convert an integer, which may be written as 3.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else _exactly(int)(value)


def _instant(value: object) -> Value:
    """Normalize a date-time to UTC with milliseconds."""
    return instants.text(instants.parse(str(value)))


_CONVERTERS: dict[Kind, Callable[[object], Value]] = {
    "string": _exactly(str),
    "integer": _integer,
    "number": _exactly(int, float),
    "boolean": _exactly(bool),
    "date-time": _instant,
}


class ListPage(msgspec.Struct, rename="camel"):
    """A page of a list; ``entities`` may be missing or null. Only what rows or paging need has a type."""

    entities: list[dict[str, object]] | None = None
    page_count: object = None
    next_uri: object = None
    total: object = None
    error: object = None
    errors: object = None


_DECODER = msgspec.json.Decoder(ListPage)


def read_list_page(body: bytes) -> ListPage:
    """Parse a page of a list.

    Raises:
        UnreadableError: The bytes are not a page of a list, or an entry has no id.
    """
    try:
        page = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableError(f"the response is not a page of a list: {error}") from None
    if page.error or page.errors:
        raise refuse_error(body, "entities")
    if not page.entities:
        check_empty(body, "entities", PAGING_FIELDS)
    for entity in page.entities or ():
        if not isinstance(entity.get("id"), str) or not entity["id"]:
            raise UnreadableError("an entry of the list has no id")
    return page


class Entries:
    """The entries of a list, collected page by page.

    Entries can move between pages while these are read, so an entry can arrive twice: the later one is newer
    and wins. A whole page that arrives twice, however, means that paging does not end.

    Attributes:
        total: The number of entries that the list reported last; 0 if it reports none.
        changed: Whether that number was another one on an earlier page.
    """

    def __init__(self) -> None:
        self._by_id: dict[str, dict[str, object]] = {}
        self._pages: set[tuple[object, ...]] = set()
        self._count = 0
        self._has_total = False
        self.total = 0
        self.changed = False

    @property
    def by_id(self) -> Mapping[str, dict[str, object]]:
        """The entries by id."""
        return self._by_id

    def add(self, page: ListPage) -> None:
        """Add the entries of a page.

        Raises:
            UnreadableError: The page arrived before, or there are too many pages.
        """
        entities = page.entities or ()
        ids = tuple(entity["id"] for entity in entities)
        self._count += 1
        if ids in self._pages or self._count > MAX_PAGES:
            what = f"page {self._count} of the list repeats an earlier page, or the list never ends"
            raise UnreadableError(what, "The server's pages form a loop: report it to the server's owner")
        if ids:
            self._pages.add(ids)
        self._by_id.update((str(entity["id"]), entity) for entity in entities)
        total = whole_number(page.total)
        if total is not None:
            self.changed = self.changed or (self._has_total and total != self.total)
            self.total, self._has_total = total, True
