"""The ledger: one row for each window pulled, so that a warehouse can prove that it has everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.streams import Stream
from typing_extensions import override

from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.schema import Column, json_schema

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.tap_base import Tap

    from tap_genesys_aggregates.core.rows import Row, Stamp
    from tap_genesys_aggregates.core.windows import Window
    from tap_genesys_aggregates.http.usage import Usage

NAME = "extractions"

COLUMNS = (
    Column("query", "string", "Name of the query, and so of its table. [tap]", key=True),
    Column("window_start", "date-time", "Start of the window, UTC. [tap]", key=True),
    Column("window_end", "date-time", "Exclusive end of the window, UTC. [tap]", key=True),
    Column(
        "extracted_at",
        "date-time",
        "When it was asked for, UTC; its rows carry the same instant. [tap]",
        key=True,
    ),
    Column("rows", "integer", "Rows that it brought. [tap]"),
    Column("pages", "integer", "Pages that they came on. [tap]"),
    Column("requests", "integer", "Requests sent for it, tries included. [tap]"),
    Column("retries", "integer", "Requests among them that were sent again. [tap]"),
    Column("bytes", "integer", "Bytes of its answers, uncompressed. [tap]"),
    Column("seconds", "number", "Time spent on it, in seconds. [tap]"),
    Column("is_final", "boolean", "Whether all of it was older than the look-back. [tap]"),
    Column("was_split", "boolean", "Whether the server could not answer for a longer window at once. [tap]"),
)


def entry(query: str, window: Window, stamp: Stamp, usage: Usage) -> Row:
    """The ledger's row for a window that is complete.

    Args:
        query: Name of the query.
        window: The window.
        stamp: When it was asked for.
        usage: What it brought, and what that cost.

    Returns:
        A value for each of ``COLUMNS``.
    """
    end = instants.text(window.end)
    return {
        "query": query,
        "window_start": instants.text(window.start),
        "window_end": end,
        "extracted_at": stamp.extracted_at,
        "rows": usage.rows,
        "pages": usage.pages,
        "requests": usage.requests,
        "retries": usage.retries,
        "bytes": usage.bytes,
        "seconds": round(usage.seconds, 3),
        "is_final": end <= stamp.final_before,
        "was_split": usage.split,
    }


class LedgerStream(Stream):
    """The stream ``extractions``: other streams write its rows, each before the STATE of its window."""

    def __init__(self, tap: Tap) -> None:
        """Begin, with the schema not yet out."""
        super().__init__(tap, schema=json_schema(COLUMNS), name=NAME)
        self.primary_keys = tuple(each.name for each in COLUMNS if each.key)
        self._announced = False

    def record(self, row: Row) -> None:
        """Write a row now, after the schema if that is not out yet."""
        if self.selected:
            self._write_schema_message()
            self._write_record_message(row)

    @override
    def get_records(self, context: Context | None) -> Iterator[Record]:
        return iter(())

    # It has no state of its own: what is done stands in the bookmarks of the queries.

    @override
    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], Any, Any]:
        yield from ()

    @override
    def finalize_state_progress_markers(self, state: dict[str, Any] | None = None) -> None:
        pass

    @override
    def _write_schema_message(self) -> None:
        if not self._announced:
            super()._write_schema_message()
        self._announced = True
