"""The aggregate stream: one query, its rows, its bookmark."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from singer_sdk.mapper import SameRecordTransform
from singer_sdk.streams import RESTStream
from typing_extensions import override

from tap_genesys_aggregates.core import schema
from tap_genesys_aggregates.core.bookmarks import REPLICATION_KEY, Bookmark, reread_period, run_periods
from tap_genesys_aggregates.core.errors import SettingError, TapError
from tap_genesys_aggregates.core.estimate import Estimate
from tap_genesys_aggregates.core.query_changes import resumed
from tap_genesys_aggregates.core.rechecks import REREAD_WINDOWS, RereadCount, can_recheck, news
from tap_genesys_aggregates.core.rows import RowMaker
from tap_genesys_aggregates.extract.garbage import rare_garbage_collection
from tap_genesys_aggregates.ledger import entry
from tap_genesys_aggregates.singer.input_files import check_keys, columns_left_out
from tap_genesys_aggregates.singer.messages import MessageWriter

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from datetime import datetime

    import requests
    from singer_sdk.helpers.types import Auth, Context, Record
    from singer_sdk.singerlib import Catalog
    from singer_sdk.tap_base import Tap

    from tap_genesys_aggregates.core.bookmarks import RunPeriod
    from tap_genesys_aggregates.core.rows import Leaf, PlainRow, Row
    from tap_genesys_aggregates.core.windows import Window
    from tap_genesys_aggregates.dialects.protocol import Page
    from tap_genesys_aggregates.extract.extractor import Extractor
    from tap_genesys_aggregates.extract.failures import Failures
    from tap_genesys_aggregates.extract.progress import Progress
    from tap_genesys_aggregates.extract.pulling import WindowPart
    from tap_genesys_aggregates.http.usage import Usage
    from tap_genesys_aggregates.ledger import LedgerStream

_ROWS_AT_ONCE = 1_000


def _utc(now: datetime) -> str:
    """An instant as the SDK writes ``time_extracted``."""
    return now.isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class RunContext:
    """What the aggregate streams of a run share.

    Attributes:
        ledger: The stream of pulled windows.
        progress: Reports how far a query is.
        failures: Collects the errors of single streams.
    """

    ledger: LedgerStream
    progress: Progress
    failures: Failures


class AggregateStream(RESTStream["str | None"]):
    """One query. Its stream is its table.

    The extractor asks for windows; this class puts their rows, their ledger line and their STATE in order.
    The generator ``_pages`` is resumed only after the last row of a window was written, so what follows its
    ``yield`` is the commit, for an empty window too.
    """

    allow_redirects = False

    def __init__(self, tap: Tap, extractor: Extractor, run: RunContext) -> None:
        """Prepare the stream of a query.

        Args:
            tap: The tap.
            extractor: Asks for the query's windows.
            run: What the streams of a run share.
        """
        self.query = extractor.query
        self.extractor = extractor
        self._client = extractor.client
        self._run = run
        self._part: WindowPart  # whose rows are being written
        self._began = self._bookmark = Bookmark()
        self._reread = RereadCount()
        super().__init__(tap, name=self.query.name, schema=schema.json_schema(schema.columns(self.query)))
        self.primary_keys = schema.keys(self.query)
        self.replication_key = REPLICATION_KEY
        self._catalog_error: SettingError | None = None
        self._columns_left_out = ""
        self._awaits_schema = False

    # The SDK's own REST hooks, for whoever uses this class as any other RESTStream. Extracting does not
    # need them: windows are requested by the client, which works without a Tap.

    @property
    @override
    def url_base(self) -> str:
        return self._client.settings.hosts.api

    @property
    @override
    def authenticator(self) -> Auth:
        return self._client.transport.credentials

    @property
    @override
    def requests_session(self) -> requests.Session:
        return self._client.transport.session

    @override
    def apply_catalog(self, catalog: Catalog) -> None:
        # A catalog that was made for another query refuses this one only, when its turn comes (_start).
        keys = self.primary_keys
        try:
            check_keys(catalog, [self])
        except SettingError as error:
            self._catalog_error = error
        self._columns_left_out = columns_left_out(catalog, self)
        super().apply_catalog(catalog)
        self.primary_keys = keys

    @override
    def _write_schema_message(self) -> None:
        # A target changes its table when a SCHEMA arrives, so it waits until the query is not refused.
        self._awaits_schema = True

    def write_awaited_schema(self) -> None:
        """Write the SCHEMA that was put off, if there is one."""
        if self._awaits_schema:
            super()._write_schema_message()
            self._awaits_schema = False

    @override
    def get_records(self, context: Context | None) -> Iterator[Leaf]:  # type: ignore[override]
        """The leaves of every window; ``post_process`` turns them into rows."""
        for page in self._pages():
            yield from page.leaves

    @override
    def post_process(self, row: Leaf, context: Context | None = None) -> Record:  # type: ignore[override]
        """Flatten a leaf of the answer into a row that fits the schema."""
        return self.extractor.made(self._part, [row])[0]

    def _pages(self) -> Iterator[Page]:
        """Every page of this run, in order; after the pages of a window comes its commit."""
        now = self._client.now()
        self._began = self._bookmark = self._start(now)
        puller = self.extractor.puller(self._began.windows, now)
        for period in chain(self._periods(self._began, now), self._rereads(now)):
            report = partial(self._run.progress.over, self.name, period.start, period.stop)
            for part in self.extractor.read(puller, period, report):
                self._part = part
                yield from part.pages
                if part.completes is not None:
                    self._bookmark = replace(self._bookmark, windows=puller.growth.learnt(now))
                    self._commit(part.completes, part.usage, period, now)
                    if period.is_recheck and self._reread.windows >= REREAD_WINDOWS:
                        break  # of the planned windows, some were split

    def estimate(self, now: datetime) -> Estimate:
        """What a run would cost; nothing is written.

        Raises:
            SettingError: The query would be refused.
        """
        bookmark, settings = self._resumed(now)[0], self._client.settings
        found = Estimate.of(self.query, periods := self._periods(bookmark, now), settings.max_window)
        if self.replication_method == "FULL_TABLE":
            return found
        return found.with_rechecks(bookmark, periods[-1], self.query.grid.floor(settings.start_date))

    def _periods(self, bookmark: Bookmark, now: datetime) -> tuple[RunPeriod, ...]:
        settings = self._client.settings
        return run_periods(
            self.query,
            Bookmark() if self.replication_method == "FULL_TABLE" else bookmark,
            start_date=settings.start_date,
            end_date=settings.end_date,
            now=now,
        )

    def _resumed(self, now: datetime) -> tuple[Bookmark, list[str]]:
        """The bookmark to go on from, and lines to warn with.

        Raises:
            SettingError: The query is no longer the one that its state or its catalog was written for.
        """
        if self._catalog_error is not None:
            raise self._catalog_error
        start_date = self._client.settings.start_date
        return resumed(self.query, self.stream_state, start_date=start_date, now=now)

    def _start(self, now: datetime) -> Bookmark:
        """The bookmark to go on from, written into the state.

        Raises:
            SettingError: The query is no longer the one that its state or its catalog was written for.
        """
        bookmark, warnings = self._resumed(now)
        for line in filter(None, (self._columns_left_out, *warnings)):
            self.logger.warning("%s", line)
        if bookmark.earlier is not None:
            since = bookmark.earlier.start.isoformat()
            self.logger.info("query %r: loading what is missing since %s", self.name, since)
        bookmark.store(self.stream_state)
        self.write_awaited_schema()
        return bookmark

    def _commit(self, window: Window, usage: Usage, period: RunPeriod, now: datetime) -> None:
        """Write the ledger line and the STATE of a window whose rows are out."""
        rows, bookmark = usage.rows, self._bookmark
        if not rows and window.end <= period.settled and bookmark.had_rows(window):
            self.logger.warning(
                "query %r, window %s: it had rows when it was last read, and has none now that it is settled",
                self.name,
                window,
            )
        reason = self._began.reason(window, period)
        self._run.ledger.record(entry(self.query, window, self._part.stamp, usage, reason))
        if period.is_recheck:
            self._reread.add(window, usage.requests)
            bookmark = replace(bookmark, rechecks=bookmark.rechecks.after_window(window))
        elif period.is_earlier:
            bookmark = bookmark.after_earlier(window)
        else:
            bookmark = bookmark.after(window, now, self.query.lookback, rows=rows)
        self._save(bookmark)

    def _save(self, bookmark: Bookmark) -> None:
        """Write the STATE with a bookmark: everything that it says is out."""
        self._bookmark = bookmark
        bookmark.store(self.stream_state)
        self._write_state()

    def _rereads(self, now: datetime) -> Iterator[RunPeriod]:
        """Look at settled months, once everything else is loaded; the periods to read again."""
        if not can_recheck(self.query) or self.replication_method == "FULL_TABLE":
            return
        yield from self._left_to_reread()
        if not self._bookmark.rechecks.rereads:
            self._look(now)
            yield from self._left_to_reread()
        if line := self._reread.outlook(self.query, self._bookmark.rechecks, self._bookmark.final_before):
            self.logger.warning("%s", line)

    def _left_to_reread(self) -> Iterator[RunPeriod]:
        """What is to be read again, as far as one run may."""
        while period := reread_period(self._bookmark, self._reread.windows):
            yield period

    def _look(self, now: datetime) -> None:
        """Ask for the settled months whose turn it is, and remember what came of it."""
        query, seen = self.query, set[str]()
        fresh_since = query.grid.floor(self._periods(self._began, now)[-1].start)
        first = query.grid.floor(self._client.settings.start_date)
        for _ in range(query.recheck_requests):
            bookmark = self._bookmark
            if bookmark.loaded_since is None or bookmark.final_before is None:
                return
            rechecks = bookmark.rechecks.beginning(query, max(first, bookmark.loaded_since))
            due = rechecks.due(rechecks.stretches(query, bookmark.final_before))
            stretch = next((each for each in due if each.name not in seen), None)
            if stretch is None:
                return
            seen.add(stretch.name)
            fingerprint = self.extractor.fingerprint(stretch.window)
            if fingerprint is None:
                after = rechecks.after_refusal(query, stretch, now)
            else:
                after = rechecks.after_look(stretch, fingerprint, now, fresh_since=fresh_since)
            if line := news(query, stretch, rechecks, after):
                self.logger.warning("%s", line)
            self._save(replace(bookmark, rechecks=after))

    def _write_state(self) -> None:
        """Write a STATE, whether or not it changed: some targets keep only what follows the last row."""
        self.state_manager.is_flushed = False
        self._write_state_message()

    @override
    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], Any, Any]:
        # A page of rows at once: more than ten times as fast as the SDK's way, record by record
        # (bench/README.md). Whatever changes records takes the SDK's way.
        writer = self._tap.message_writer
        try:
            with self.extractor.open():
                if write_messages and isinstance(writer, MessageWriter) and self._is_plain:
                    self._write_pages(writer)
                else:
                    yield from super()._sync_records(context, write_messages=write_messages)
        except TapError as error:
            self._run.failures.add(self.name, error)
        if write_messages:
            self._write_state()

    def _write_pages(self, writer: MessageWriter) -> None:
        """Write every row, a page at a time."""
        properties = self.schema["properties"]
        maker = RowMaker(self.query, [name for name in properties if not self.mask["properties", name]])
        with self.get_record_counter() as counter, self.get_sync_timer(), rare_garbage_collection():
            for page in self._pages():
                for rows in self._chunks(page, maker):
                    writer.write_rows(self.name, rows, _utc(self._client.now()))
                    counter.increment(len(rows))

    def _chunks(self, page: Page, maker: RowMaker) -> Iterator[Sequence[Row | PlainRow]]:
        """The rows of a page in chunks: made of its block, or leaf by leaf if it has none."""
        if page.block is not None:
            yield from (maker.rows(piece, self._part.stamp) for piece in page.block.pieces(_ROWS_AT_ONCE))
            return
        leaves = iter(page.leaves)
        while rows := self.extractor.made(self._part, islice(leaves, _ROWS_AT_ONCE), maker):
            yield rows

    @property
    def _is_plain(self) -> bool:
        """Whether rows go out as they are made: no stream map, flattening or record limit."""
        only, *others = self.stream_maps
        return (
            not others
            and type(only) is SameRecordTransform
            and not only.flattening_enabled
            and self.selected
            and self.ABORT_AT_RECORD_COUNT is None
        )

    # The SDK would move the bookmark with every row. Here it moves in _commit and nowhere else.

    @override
    def _increment_stream_state(self, latest_record: Record, *, context: Context | None = None) -> None:
        pass

    @override
    def _write_starting_replication_value(self, context: Context | None) -> None:
        pass

    @override
    def get_replication_key_signpost(self, context: Context | None = None) -> Any | None:
        return None
