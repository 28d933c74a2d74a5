"""The aggregate stream: pull windows ahead, emit them in order, commit them one by one."""

from __future__ import annotations

import gc
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from singer_sdk.mapper import SameRecordTransform
from typing_extensions import override

from tap_genesys_aggregates.client import GenesysStream
from tap_genesys_aggregates.core import schema
from tap_genesys_aggregates.core.bookmarks import REPLICATION_KEY, Bookmark
from tap_genesys_aggregates.core.rows import RowMaker, Stamp, UniqueKeys
from tap_genesys_aggregates.core.windows import Window, align
from tap_genesys_aggregates.dialects import dialect_of
from tap_genesys_aggregates.extract.async_jobs import Jobs
from tap_genesys_aggregates.extract.prefetch import in_order
from tap_genesys_aggregates.extract.pulling import Ask, Puller
from tap_genesys_aggregates.http.usage import Usage
from tap_genesys_aggregates.ledger import entry
from tap_genesys_aggregates.singer.messages import MessageWriter

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from datetime import datetime

    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.tap_base import Tap

    from tap_genesys_aggregates.client import Run
    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.rows import Leaf, PlainRow, Row
    from tap_genesys_aggregates.dialects.protocol import Page
    from tap_genesys_aggregates.extract.user_batches import Users
    from tap_genesys_aggregates.ledger import LedgerStream

_ROWS_AT_ONCE = 1_000
_ALLOCATIONS = 50_000
"""New objects between two looks for cycles; Python's own 700 are those of a few rows."""


def _utc(now: datetime) -> str:
    """An instant as the SDK writes ``time_extracted``."""
    return now.isoformat(timespec="microseconds").replace("+00:00", "Z")


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Look for cycles seldom, and only among what is new: rows are many, brief and without cycles."""
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


class AggregateStream(GenesysStream):
    """One query: its table is its stream.

    Rows of a window go out, then its line in the ledger, then its STATE. The generator of pages is
    resumed only after the last row of a window was written, so what follows there is the commit, for
    an empty window too.
    """

    def __init__(self, tap: Tap, query: Query, run: Run, ledger: LedgerStream, users: Users) -> None:
        """Begin a query's stream.

        Args:
            tap: The tap.
            query: What to ask for.
            run: What all streams share.
            ledger: The stream of windows pulled.
            users: Whom to ask for, where the family wants them named.
        """
        self.query = query
        self.dialect = dialect_of(query)
        self._ledger = ledger
        self._users = users
        self._maker = RowMaker(query)
        self._distinct = UniqueKeys(query)
        self._stamp = Stamp("", "")
        super().__init__(tap, query.name, schema.json_schema(schema.columns(query)), run)
        self.jobs = Jobs(query, self.send, run.clock) if query.mode == "async" else None
        self.primary_keys = schema.keys(query)
        self.replication_key = REPLICATION_KEY

    @override
    def get_records(self, context: Context | None) -> Iterator[Leaf]:  # type: ignore[override]
        """The leaves of every window; ``post_process`` makes them rows."""
        for page in self._pages():
            yield from page.leaves

    @override
    def post_process(self, row: Leaf, context: Context | None = None) -> Record:  # type: ignore[override]
        """A leaf of the answer as a row that fits the schema."""
        self._distinct.check(row)
        return self._maker.row(row, self._stamp)

    def _pages(self) -> Iterator[Page]:
        """Every page of this run, in order; what follows each window is its commit."""
        run, settings = self._run, self._run.settings
        now = run.clock.now()
        begin = self._bookmark().next_start(settings.start_date, now, self.query.lookback)
        start = max(settings.start_date, align(self.query.grid, self.query.span, begin))
        puller = Puller(self.query, self.pages, run.clock, settings.max_window, self.batches)
        stop = self.query.grid.floor(min(now, settings.end_date or now))
        works = puller.works(start, now - self.query.lookback, stop)
        usage = Usage()
        found = in_order(works, settings.concurrency, 2 * settings.concurrency)
        for parts in run.progress.over(self.name, start, stop, found):
            for part in parts:
                self._stamp = part.stamp
                yield from part.pages
                part.usage.rows = self._distinct.rows - usage.rows
                puller.learn(part)
                usage.add(part.usage)
                if part.commits is not None:
                    self._ledger.record(entry(self.name, part.commits, part.stamp, usage))
                    self._commit(part.commits, now)
                    self._distinct, usage = UniqueKeys(self.query), Usage()

    def batches(self) -> Sequence[tuple[str, ...]]:
        """The users to ask for, in batches; one empty batch where nobody is to be named."""
        return self._users.batches(self.query)

    def probe(self) -> int:
        """Ask for the last complete bucket, emit nothing.

        Returns:
            How many rows it has.

        Raises:
            TapError: It is not to be had.
        """
        grid, now = self.query.grid, self._run.clock.now()
        end = grid.floor(min(now, self._run.settings.end_date or now))
        window = Window(grid.floor(end - timedelta(milliseconds=1)), end)
        batch = next(iter(self.batches()), None)
        if batch is None:  # nobody to ask about
            return 0
        pages = self.pages(Ask(window, batch, divisible=False), Usage())
        return sum(1 for page in pages for _ in page.leaves)

    def rows(self, start: datetime, stop: datetime) -> Iterator[Row]:
        """Read a period without emitting anything or touching the state.

        Args:
            start: First instant; the bucket that holds it is read whole.
            stop: Exclusive end.

        Yields:
            Its rows.

        Raises:
            TapError: They are not to be had.
        """
        settings = self._run.settings
        puller = Puller(self.query, self.pages, self._run.clock, settings.max_window, self.batches)
        works = puller.works(start, stop, stop)
        with self.jobs or nullcontext():
            for parts in in_order(works, settings.concurrency, 2 * settings.concurrency):
                for part in parts:
                    for leaf in chain.from_iterable(page.leaves for page in part.pages):
                        part.usage.rows += 1
                        yield self._maker.row(leaf, part.stamp)
                    puller.learn(part)

    def _bookmark(self) -> Bookmark:
        """Where the state says that this query is; nowhere for a full-table load."""
        if self.replication_method == "FULL_TABLE":
            return Bookmark()
        return Bookmark.read(self.stream_state, self.name)

    def _commit(self, window: Window, now: datetime) -> None:
        """The rows of a window are out: its STATE follows."""
        bookmark = Bookmark.read(self.stream_state, self.name)
        self.stream_state.update(bookmark.after(window, now, self.query.lookback).write())
        self.state_manager.is_flushed = False
        self._write_state_message()

    @override
    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], Any, Any]:
        writer = self._tap.message_writer
        with self.jobs or nullcontext():
            if write_messages and isinstance(writer, MessageWriter) and self._is_plain:
                self._write_pages(writer)
            else:
                yield from super()._sync_records(context, write_messages=write_messages)

    def _write_pages(self, writer: MessageWriter) -> None:
        """Write every row, a page at a time."""
        with self.get_record_counter() as counter, self.get_sync_timer(), _seldom_collecting():
            for page in self._pages():
                for rows in self._batches(page):
                    writer.write_rows(self.name, rows, _utc(self._run.clock.now()))
                    counter.increment(len(rows))

    def _batches(self, page: Page) -> Iterator[Sequence[Row | PlainRow]]:
        """The rows of a page, some at a time: of its block, or leaf by leaf where it has none."""
        if page.block is not None:
            self._distinct.check_block(page.block)
            yield from (self._maker.rows(piece, self._stamp) for piece in page.block.pieces(_ROWS_AT_ONCE))
            return
        leaves = iter(page.leaves)
        while rows := [self.post_process(leaf) for leaf in islice(leaves, _ROWS_AT_ONCE)]:
            yield rows

    @property
    def _is_plain(self) -> bool:
        """Whether rows go out as they are: no stream map, flattening, deselected column or row limit."""
        only, *others = self.stream_maps
        return (
            not others
            and type(only) is SameRecordTransform
            and not only.flattening_enabled
            and self.selected
            and all(self.mask.values())
            and self.ABORT_AT_RECORD_COUNT is None
        )

    # The bookmark is this class's own: it moves in _commit and nowhere else.

    @override
    def _increment_stream_state(self, latest_record: Record, *, context: Context | None = None) -> None:
        pass

    @override
    def _write_starting_replication_value(self, context: Context | None) -> None:
        pass

    @override
    def get_replication_key_signpost(self, context: Context | None = None) -> Any | None:
        return None
