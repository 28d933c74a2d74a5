"""The ledger: one row per window pulled, so that SQL in the warehouse can prove that nothing is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.streams import Stream
from typing_extensions import override

from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.schema import Column, json_schema, with_organization

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.tap_base import Tap

    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.rows import Row, Stamp
    from tap_genesys_aggregates.core.windows import Window
    from tap_genesys_aggregates.http.usage import Usage

NAME = "extractions"

COLUMNS: tuple[Column, ...] = (
    Column("query", "string", "Name of the query and of its table. [tap]", key=True),
    Column("window_start", "date-time", "Start of the window, UTC. [tap]", key=True),
    Column("window_end", "date-time", "Exclusive end of the window, UTC. [tap]", key=True),
    Column(
        "extracted_at",
        "date-time",
        "When the window was requested, UTC; its rows have the same value. [tap]",
        key=True,
    ),
    Column("row_count", "integer", "Rows in it. [tap]"),
    Column("pages", "integer", "Pages of the answer. [tap]"),
    Column("requests", "integer", "Requests sent for it, retries included. [tap]"),
    Column("retries", "integer", "Retries among the requests. [tap]"),
    Column("bytes", "integer", "Size of the answers, uncompressed, in bytes. [tap]"),
    Column("seconds", "number", "Time spent on the requests, in seconds. [tap]"),
    Column("is_final", "boolean", "Whether the whole window was older than the lookback. [tap]"),
    Column(
        "was_split",
        "boolean",
        "Whether a longer window was split because the server could not answer it. [tap]",
    ),
    Column(
        "reason",
        "string",
        "Why it was pulled: new, lookback, recheck (settled history had changed), reload (the query had "
        "changed), or backfill (start_date was moved earlier). [tap]",
    ),
)


def entry(query: Query, window: Window, stamp: Stamp, usage: Usage, reason: str) -> Row:
    """The ledger's row for a complete window.

    Args:
        query: The query.
        window: The window.
        stamp: When it was requested.
        usage: What it brought and what it cost.
        reason: Why it was pulled.

    Returns:
        A value for each of ``COLUMNS``, and the organization first if there is one.
    """
    end = instants.text(window.end)
    return {
        **({"organization": query.organization} if query.organization else {}),
        "query": query.name,
        "window_start": instants.text(window.start),
        "window_end": end,
        "extracted_at": stamp.extracted_at,
        "row_count": usage.rows,
        "pages": usage.pages,
        "requests": usage.requests,
        "retries": usage.retries,
        "bytes": usage.bytes,
        "seconds": round(usage.seconds, 3),
        "is_final": end <= stamp.final_before,
        "was_split": usage.split,
        "reason": reason,
    }


class LedgerStream(Stream):
    """The stream ``extractions``. Aggregate streams write its rows, each before the STATE of its window."""

    def __init__(self, tap: Tap, organization: str | None = None) -> None:
        table = with_organization(organization, COLUMNS)
        super().__init__(tap, schema=json_schema(table), name=NAME)
        self.primary_keys = tuple(each.name for each in table if each.key)
        self._announced = False

    def record(self, row: Row) -> None:
        """Write a row now, and the SCHEMA before the first one."""
        if self.selected:
            self._write_schema_message()
            self._write_record_message(row)

    @override
    def get_records(self, context: Context | None) -> Iterator[Record]:
        return iter(())

    # It has no state of its own: the bookmarks of the queries say what was loaded.

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
