"""Reads a lookup list (queues, users, …) whole, at most once per run, without a Tap."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tap_genesys_aggregates.client import LinkPaginator
from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.errors import IncompleteError, TapError
from tap_genesys_aggregates.core.schema import with_organization
from tap_genesys_aggregates.dialects.lookup_lists import Entries, lookups, read_list_page
from tap_genesys_aggregates.dialects.protocol import Call, Page
from tap_genesys_aggregates.http.errors import DeniedError
from tap_genesys_aggregates.http.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_genesys_aggregates.client import Client
    from tap_genesys_aggregates.core.rows import Row
    from tap_genesys_aggregates.core.schema import Column
    from tap_genesys_aggregates.dialects.lookup_lists import ListPage, Lookup

ATTEMPTS = 3
"""How often a list is read if entries are missing or it changes while it is read."""


class LookupList:
    """One list of the platform and the rows made of it. Any thread may ask for them."""

    def __init__(self, name: str, lookup: Lookup, client: Client) -> None:
        """Prepare to read a list.

        Args:
            name: The lookup's name, which is also its stream's.
            lookup: Where the list is and what columns it gives.
            client: Sends the requests.
        """
        self.name = name
        self.lookup = lookup
        self._client = client
        self._lock = threading.Lock()
        self._rows: list[Row] | None = None

    @property
    def table(self) -> tuple[Column, ...]:
        """The columns of its table."""
        return with_organization(self.organization, self.lookup.table)

    @property
    def organization(self) -> str | None:
        """The organization that its rows name, if any."""
        return self._client.settings.organization

    def rows(self) -> list[Row]:
        """One row per entry; the first call reads the list.

        Raises:
            DeniedError: The client lacks the permission.
            IncompleteError: The list is incomplete, or keeps changing.
            TapError: The list could not be read for another reason.
        """
        with self._lock:
            if self._rows is None:
                self._rows = self._read()
            return self._rows

    def _read(self) -> list[Row]:
        """Read everything; errors name the list."""
        extracted_at = instants.text(self._client.now())
        found: dict[str, dict[str, object]] = {}
        try:
            for ask in self.lookup.requests:
                found.update(self._entries(ask))
            owner: Row = {"organization": self.organization} if self.organization else {}
            return [{**owner, **self.lookup.row(entity, extracted_at)} for entity in found.values()]
        except TapError as error:
            if isinstance(error, DeniedError):
                error.advice = self.lookup.advice
            raise error.within(f"lookup {self.name!r}") from None

    def _entries(self, ask: Mapping[str, str]) -> dict[str, dict[str, object]]:
        """The entries for one set of parameters.

        Entries that are added or removed while pages are read shift the pages after them, so that an
        entry can be skipped. Such a list is read again.

        Raises:
            IncompleteError: No attempt brought as many entries as the list reports.
        """
        found: dict[str, dict[str, object]] = {}
        total = 0
        for _ in range(ATTEMPTS):
            entries = Entries()
            for page in self._listings(ask):
                entries.add(page)
            if entries.changed or entries.total != total:
                found, total = {}, entries.total  # what an earlier attempt found may be gone
            found.update(entries.by_id)
            if not entries.changed and len(found) >= total:
                return found
        if entries.changed:
            what = f"the list changed each of the {ATTEMPTS} times that it was read"
            raise IncompleteError(what, "Run again at a time when nobody edits it")
        what = (
            f"the list reports {total - len(found)} more entries than it returned, {ATTEMPTS} times in a row"
        )
        advice = f"{self.lookup.advice} in all divisions; the client may not be allowed to see them"
        raise IncompleteError(what, advice)

    def _listings(self, ask: Mapping[str, str]) -> Iterator[ListPage]:
        """The pages for one set of parameters."""
        first = self.lookup.page_link(ask)
        paginator = LinkPaginator(self._client.url(first), lambda _: Page(()))
        while not paginator.finished:
            page = self._client.send(Call("GET", paginator.current_value or first), read_list_page, Usage())
            yield page
            paginator.advance(Page((), self.lookup.next_link(ask, page, paginator.count + 1)))


def lookup_lists(client: Client) -> dict[str, LookupList]:
    """Every lookup list by name; a group-tree host has none."""
    if client.settings.api != "results":
        return {}
    return {name: LookupList(name, lookup, client) for name, lookup in lookups().items()}
