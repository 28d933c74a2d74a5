"""The look-up streams: names for the ids in the rows, whole lists of the platform's, off unless selected."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_genesys_aggregates.client import GenesysStream, LinkPaginator
from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.errors import TapError
from tap_genesys_aggregates.core.schema import json_schema
from tap_genesys_aggregates.dialects.lookup_lists import Entries, lookups, read_listing
from tap_genesys_aggregates.dialects.protocol import Call, Page
from tap_genesys_aggregates.http.errors import DeniedError
from tap_genesys_aggregates.http.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.tap_base import Tap

    from tap_genesys_aggregates.client import Run
    from tap_genesys_aggregates.core.rows import Row
    from tap_genesys_aggregates.dialects.lookup_lists import Listing, Lookup

_READINGS = 2


class LookupStream(GenesysStream):
    """One list, read whole before any of it goes out, and at most once a run.

    Where the client lacks the permission for it, this list is left out and the run goes on; it still
    ends as a failure, after everything else is done.
    """

    selected_by_default = False

    def __init__(self, tap: Tap, name: str, lookup: Lookup, run: Run, denied: list[str]) -> None:
        """Begin a list's stream.

        Args:
            tap: The tap.
            name: The stream's name.
            lookup: Which list, and what becomes of it.
            run: What all streams share.
            denied: Where the look-ups of this run note that they were left out.
        """
        self._lookup = lookup
        self._denied = denied
        self._lock = threading.Lock()
        self._rows: list[Row] | None = None
        super().__init__(tap, name, json_schema(lookup.table), run)
        self.primary_keys = ("id",)
        self.state_manager.tap_state = {}  # nobody's: every run reads all of it, so there is none to keep

    def rows(self) -> list[Row]:
        """The whole table, asked for once; any thread may ask.

        Raises:
            DeniedError: The client lacks the permission.
            TapError: It is not to be had for another reason.
        """
        with self._lock:
            if self._rows is None:
                self._rows = self._read()
            return self._rows

    @override
    def get_records(self, context: Context | None) -> Iterator[Record]:
        yield from map(dict, self.rows())  # the SDK takes deselected columns out of what it is given

    @cached_property
    def _is_granted(self) -> bool:
        """Whether the client may have the list; if not, that is told once."""
        try:
            self.rows()
        except DeniedError as error:
            error.advice += ", or do not select this stream; the run goes on without it"
            self.logger.error("%s", error)  # noqa: TRY400  # a traceback would bury the line that helps
            self._denied.append(self.name)
            return False
        return True

    @override
    def _write_schema_message(self) -> None:
        if self._is_granted:  # else its table is left alone: a target may empty it on a schema
            super()._write_schema_message()

    @override
    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], Any, Any]:
        if self._is_granted:
            yield from super()._sync_records(context, write_messages=write_messages)

    @override
    def log_sync_costs(self) -> None:  # called for every stream when all of them are done
        super().log_sync_costs()
        if self._denied:
            what = f"every stream is done but these look-ups, which were denied: {', '.join(self._denied)}"
            raise DeniedError(what, "The lines above say which permissions they want")

    def _read(self) -> list[Row]:
        """Ask for everything; errors are told with the list's name."""
        asked = instants.text(self._run.clock.now())
        found: dict[str, dict[str, object]] = {}
        try:
            for ask in self._lookup.asks:
                found.update(self._entries(ask))
            return [self._lookup.row(entity, asked) for entity in found.values()]
        except TapError as error:
            if isinstance(error, DeniedError):
                error.advice = self._lookup.advice
            raise error.within(f"look-up {self.name!r}") from None

    def _entries(self, ask: Mapping[str, str]) -> dict[str, dict[str, object]]:
        """The entries that one ask brings: read again where pages shifted so that some were passed over."""
        found: dict[str, dict[str, object]] = {}
        for _ in range(_READINGS):
            entries = Entries()
            for page in self._listings(ask):
                entries.add(page)
            found.update(entries.by_id)
            missing = entries.total - len(found)
            if missing <= 0:
                return found
        self.logger.warning(
            "look-up %r says that it has %d entries more than came; they may be hidden from this client",
            self.name,
            missing,
        )
        return found

    def _listings(self, ask: Mapping[str, str]) -> Iterator[Listing]:
        """The pages of one ask."""
        first = self._lookup.link(ask)
        paginator = LinkPaginator(self.absolute(first), lambda _: Page(()))
        while not paginator.finished:
            page = self.send(Call("GET", paginator.current_value or first), read_listing, Usage())
            yield page
            paginator.advance(Page((), self._lookup.following(ask, page, paginator.count + 1)))

    @override
    def _write_state_message(self) -> None:
        pass


def lookup_streams(tap: Tap, run: Run) -> dict[str, LookupStream]:
    """The look-up streams by name; a group-tree host has none.

    Args:
        tap: The tap.
        run: What all streams share.

    Returns:
        A stream for each entry of the table.
    """
    if run.settings.api != "results":
        return {}
    denied: list[str] = []
    return {name: LookupStream(tap, name, lookup, run, denied) for name, lookup in lookups().items()}
