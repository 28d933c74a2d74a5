"""The aggregate stream: plan windows, fetch ahead, emit in order, commit one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_genesys_aggregates.client import GenesysStream
from tap_genesys_aggregates.core import schema, windows
from tap_genesys_aggregates.core.bookmarks import REPLICATION_KEY, Bookmark
from tap_genesys_aggregates.core.refusal import TapError
from tap_genesys_aggregates.core.rows import Distinct, RowMaker, Stamp
from tap_genesys_aggregates.dialects.speak import dialect_of
from tap_genesys_aggregates.errors import RefusedError, SlowError, TooLargeError
from tap_genesys_aggregates.prefetch import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime, timedelta

    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.tap_base import Tap

    from tap_genesys_aggregates.clock import Clock
    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.rows import Leaf
    from tap_genesys_aggregates.core.windows import Window
    from tap_genesys_aggregates.dialects.protocol import Page
    from tap_genesys_aggregates.settings import Settings
    from tap_genesys_aggregates.transport import Transport


@dataclass(frozen=True, slots=True)
class Pulled:
    """A window's answer, whole."""

    window: Window
    stamp: Stamp
    pages: list[Page]


class AggregateStream(GenesysStream):
    """One query: its table is its stream.

    Rows of a window go out, then its STATE. The generator of rows is resumed only after the last row
    of a window was written, so the line after it is the commit, for an empty window too.
    """

    def __init__(
        self, tap: Tap, query: Query, settings: Settings, transport: Transport, clock: Clock
    ) -> None:
        """Begin a query's stream.

        Args:
            tap: The tap.
            query: What to ask for.
            settings: From when, until when, how many requests at a time.
            transport: The way to the API, shared by all streams.
            clock: The present.
        """
        self.query = query
        self.dialect = dialect_of(query)
        self._settings = settings
        self._clock = clock
        self._maker = RowMaker(query)
        self._distinct = Distinct(query)
        self._stamp = Stamp("", "")
        self._too_long: timedelta | None = None
        super().__init__(
            tap, query.name, schema.json_schema(schema.columns(query)), transport, settings.hosts.api
        )
        self.primary_keys = schema.keys(query)
        self.replication_key = REPLICATION_KEY

    @override
    def get_records(self, context: Context | None) -> Iterator[Leaf]:  # type: ignore[override]
        """The leaves of every window; ``post_process`` makes them rows."""
        now = self._clock.now()
        works = (self._pull(window) for window in self._windows(now))
        for pulled in in_order(works, self._settings.concurrency, 2 * self._settings.concurrency):
            for part in pulled:
                self._stamp = part.stamp
                self._distinct = Distinct(self.query)
                for page in part.pages:
                    yield from page.leaves
                self._commit(part.window, now)

    @override
    def post_process(self, row: Leaf, context: Context | None = None) -> Record:  # type: ignore[override]
        """A leaf of the tree as a row that fits the schema."""
        self._distinct.check(row)
        return self._maker.row(row, self._stamp)

    def _windows(self, now: datetime) -> Iterator[Window]:
        """What this run reads: from where history may still change to the last complete bucket."""
        query, settings = self.query, self._settings
        start = self._bookmark().begin(settings.start_date, now, query.lookback)
        stop = min(now, settings.end_date or now)
        return windows.plan(query.grid, start, stop, query.span)

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

    def _pull(self, window: Window) -> Callable[[], list[Pulled]]:
        """The work of fetching a window, for any thread."""

        def work() -> list[Pulled]:
            try:
                return self._whole(window)
            except TapError as error:
                raise error.within(f"query {self.name!r}, window {window}") from None

        return work

    def _whole(self, window: Window) -> list[Pulled]:
        """A window, or its halves where it holds more than the server gives at once."""
        halves = windows.halves(self.query.grid, window)
        length = window.end - window.start
        if halves and self._too_long and length >= self._too_long:
            return [*self._whole(halves[0]), *self._whole(halves[1])]
        stamp = Stamp.of(self.query, self._clock.now())
        try:
            return [Pulled(window, stamp, self.pages(window, divisible=halves is not None))]
        except (TooLargeError, SlowError) as error:
            if halves is None:
                raise self._does_not_fit(error) from None
            self.logger.info("Window %s is too large for the server, halving it: %s", window, error)
            self._too_long = min(length, self._too_long or length)
            return [*self._whole(halves[0]), *self._whole(halves[1])]

    def _does_not_fit(self, error: TapError) -> TapError:
        """What to do when a single bucket is too much."""
        if isinstance(error, SlowError):
            return error
        what = (
            f"a single bucket of {self.query.granularity.text} holds more than the server gives: {error.what}"
        )
        return RefusedError(
            what, "Set a shorter granularity, fewer group_by dimensions or a filter on this query"
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
