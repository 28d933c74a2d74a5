"""Reads a table of one organization, in a Python worker: the tap's own windows, retries and refusals."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tap_genesys_aggregates import ledger
from tap_genesys_aggregates.client import Client
from tap_genesys_aggregates.clock import SystemClock
from tap_genesys_aggregates.core.bookmarks import Bookmark, run_periods
from tap_genesys_aggregates.core.errors import TapError
from tap_genesys_aggregates.core.redaction import redact
from tap_genesys_aggregates.extract.extractor import Extractor
from tap_genesys_aggregates.extract.garbage import rare_garbage_collection
from tap_genesys_aggregates.extract.lookup_list import lookup_lists
from tap_genesys_aggregates.extract.user_batches import UserBatches
from tap_genesys_aggregates.singer.log_redaction import RedactedError, redact_logs
from tap_genesys_aggregates.spark.batches import BatchMaker
from tap_genesys_aggregates.spark.options import of_organization, resolved_settings
from tap_genesys_aggregates.spark.tables import columns_of, queries_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    import pyarrow as pa

    from tap_genesys_aggregates.config.settings import Settings
    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.rows import Row
    from tap_genesys_aggregates.extract.pulling import WindowPart
    from tap_genesys_aggregates.spark.options import Config

_clients: dict[Settings, Client] = {}
"""The clients of this process by what they depend on: the next task of an organization keeps its pace."""


@dataclass(frozen=True)
class OrganizationTable:
    """What one task reads: a table of one organization.

    Attributes:
        config: The config of the organization, references not looked up.
        table: The table's name.
        now: The time on the driver. Nothing after it is read.
    """

    config: Config = field(repr=False)
    table: str
    now: datetime


def shared_client(settings: Settings) -> Client:
    """The client of this process for an organization: one token, and one rate limit."""
    shared = replace(settings, queries=(), start_date=settings.start_date.min, end_date=None)
    if shared not in _clients:
        _clients[shared] = Client(shared, SystemClock())
    return _clients[shared]


def read_batches(
    part: OrganizationTable, connect: Callable[[Settings], Client] = shared_client
) -> Iterator[pa.RecordBatch]:
    """Read a table of an organization.

    Args:
        part: What to read.
        connect: Returns the client for settings.

    Yields:
        Batches in the schema of the table, none of them empty.

    Raises:
        TapError: The tap would not have loaded it, either.
    """
    redact_logs()
    try:
        settings = resolved_settings(part.config)
        client = connect(settings)
        try:
            with rare_garbage_collection():
                yield from filter(len, _Reading(part, settings, client).batches())
        finally:
            client.close()
    except TapError as error:
        raise of_organization(part.config, error) from None
    except Exception as error:
        shown = "".join(traceback.format_exception(error))
        if redact(shown) == shown:
            raise
        raise RedactedError(redact(shown)) from None


class _Reading:
    """Reads a table of an organization with its client."""

    def __init__(self, part: OrganizationTable, settings: Settings, client: Client) -> None:
        self._part = part
        self._settings = settings
        self._client = client
        self._lists = lookup_lists(client)
        self._maker = BatchMaker(part.table, columns_of(settings, part.table))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The batches of the table."""
        table = self._part.table
        if table in self._lists:
            yield self._maker.of_rows(self._lists[table].rows())
        for query in queries_of(self._settings, table):
            yield from self._ledger(query) if table == ledger.NAME else self._rows(query)

    def _rows(self, query: Query) -> Iterator[pa.RecordBatch]:
        """The rows of a query."""
        extractor = self._extractor(query)
        for part in self._parts(extractor):
            for page in part.pages:
                if page.block is not None:
                    yield self._maker.of_block(page.block, part.stamp)
                else:
                    yield self._maker.of_rows(extractor.made(part, page.leaves))

    def _ledger(self, query: Query) -> Iterator[pa.RecordBatch]:
        """The lines of the ledger for a query; its rows are read and counted for that."""
        lines: list[Row] = [
            ledger.entry(query, part.completes, part.stamp, part.usage, "new")
            for part in self._parts(self._extractor(query))
            if part.completes is not None
        ]
        yield self._maker.of_rows(lines)

    def _parts(self, extractor: Extractor) -> Iterator[WindowPart]:
        """The parts of every window from ``start_date`` on, as in a first run of the tap."""
        settings, end = self._settings, self._part.now
        periods = run_periods(
            extractor.query,
            Bookmark(),
            start_date=settings.start_date,
            end_date=min(settings.end_date or end, end),
            now=self._client.now(),
        )
        with extractor.open():
            for period in periods:
                yield from extractor.read(extractor.puller(), period)

    def _extractor(self, query: Query) -> Extractor:
        return Extractor(query, self._client, UserBatches(self._lists))
