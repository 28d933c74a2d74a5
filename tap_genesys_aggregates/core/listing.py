"""Lists of the platform's, as they come: page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tap_genesys_aggregates.core.refusal import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def read(body: bytes) -> Listing:
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
