"""Reads a lookup list (queues, users, …) whole, at most once per run, without a Tap."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from tap_genesys_aggregates.client import LinkPaginator
from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.errors import TapError
from tap_genesys_aggregates.dialects.lookup_lists import Entries, lookups, read_list_page
from tap_genesys_aggregates.dialects.protocol import Call, Page
from tap_genesys_aggregates.http.errors import DeniedError
from tap_genesys_aggregates.http.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_genesys_aggregates.client import Client
    from tap_genesys_aggregates.core.rows import Row
    from tap_genesys_aggregates.dialects.lookup_lists import ListPage, Lookup

_LOGGER = logging.getLogger("tap-genesys-aggregates")
_ATTEMPTS = 2


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

    def rows(self) -> list[Row]:
        """One row per entry; the first call reads the list.

        Raises:
            DeniedError: The client lacks the permission.
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
            return [self.lookup.row(entity, extracted_at) for entity in found.values()]
        except TapError as error:
            if isinstance(error, DeniedError):
                error.advice = self.lookup.advice
            raise error.within(f"lookup {self.name!r}") from None

    def _entries(self, ask: Mapping[str, str]) -> dict[str, dict[str, object]]:
        """The entries for one set of parameters.

        Entries that are added or removed while pages are read shift the pages after them, so that an
        entry can be skipped. Such a list is read a second time.
        """
        found: dict[str, dict[str, object]] = {}
        for _ in range(_ATTEMPTS):
            entries = Entries()
            for page in self._listings(ask):
                entries.add(page)
            found.update(entries.by_id)
            missing = entries.total - len(found)
            if missing <= 0:
                return found
        _LOGGER.warning(
            "lookup %r reports %d more entries than it returned; this client may not be allowed to see them",
            self.name,
            missing,
        )
        return found

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
