"""Bookmarks: the state of a query, and the periods that its next run reads.

``replication_key_value`` is the end of the last window that was loaded completely, ``loaded_since`` the
beginning of the history that was loaded without a gap before it. ``final_before`` is the instant before
which every bucket was older than the lookback when it was last read. Genesys rewrites recent history
(docs/api-notes.md, "History changes"), so each bucket is read again until it has been read once after it
settled.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.errors import SettingError
from tap_genesys_aggregates.core.rechecks import REREAD_WINDOWS, Rechecks
from tap_genesys_aggregates.core.window_growth import Learnt
from tap_genesys_aggregates.core.windows import Window, align

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping
    from datetime import datetime, timedelta

    from tap_genesys_aggregates.core.query import Query

REPLICATION_KEY = "interval_start"
_MAX_REMEMBERED = 40
"""Recent windows with rows that a bookmark remembers: the state must stay small."""
_NO_RECHECKS, _NOTHING_LEARNT = Rechecks(), Learnt()
_OWN_KEYS = (
    "replication_key",
    "replication_key_value",
    "final_before",
    "loaded_since",
    "earlier",
    "with_rows",
    "query",
    "metrics_without_history",
    "reload_before",
    "rechecks",
    "windows",
)


@dataclass(frozen=True, slots=True)
class Bookmark:
    """How far a query has been loaded, how far its rows are final, and which query they are rows of.

    Attributes:
        loaded_before: End of the last window that was loaded completely.
        final_before: Every bucket before it had settled when it was last read.
        loaded_since: Beginning of the history that was loaded without a gap.
        earlier: While history before ``loaded_since`` is being loaded: from where, and how far it is.
        with_rows: Starts of recent windows that had rows when they were last read, in order.
        query: The definition of the query that the rows belong to (``core/query_changes.py``).
        metrics_without_history: Metrics that were added after rows had been loaded without them.
        reload_before: Everything before it had been loaded when the query changed, and is loaded again.
        rechecks: What is known about settled months (``core/rechecks.py``).
        windows: What runs have learnt about the length of windows (``core/window_growth.py``).
    """

    loaded_before: datetime | None = None
    final_before: datetime | None = None
    loaded_since: datetime | None = None
    earlier: Window | None = None
    with_rows: tuple[datetime, ...] = ()
    query: Mapping[str, object] | None = field(default=None, hash=False)
    metrics_without_history: tuple[str, ...] = ()
    reload_before: datetime | None = None
    rechecks: Rechecks = _NO_RECHECKS
    windows: Learnt = _NOTHING_LEARNT

    @classmethod
    def read(cls, state: Mapping[str, object], query: str) -> Bookmark:
        """Read the bookmark of one stream from Singer state.

        Args:
            state: ``bookmarks[stream]`` of the state.
            query: The query's name, for the message.

        Returns:
            The bookmark; empty if the state has none.

        Raises:
            SettingError: The state holds something that no bookmark does.
        """
        try:
            loaded, final, since, reload = (
                instants.parse(str(state[key])) if state.get(key) is not None else None
                for key in ("replication_key_value", "final_before", "loaded_since", "reload_before")
            )
            earlier = state.get("earlier")
            definition = state.get("query")
            if definition is not None and not isinstance(definition, dict):
                raise ValueError("query is not an object")  # noqa: TRY301  # all of it is bad state
            return cls(
                loaded,
                final,
                since,
                Window(*map(instants.parse, _texts(earlier, "earlier", length=2))) if earlier else None,
                tuple(map(instants.parse, _texts(state.get("with_rows"), "with_rows"))),
                definition,
                tuple(_texts(state.get("metrics_without_history"), "metrics_without_history")),
                reload,
                Rechecks.read(state.get("rechecks")),
                Learnt.read(state.get("windows")),
            )
        except ValueError as error:
            what = f"The state of stream {query!r} cannot be read: {error}"
            advice = f"Correct it, or remove bookmarks.{query} from the state to load the stream from scratch"
            raise SettingError(what, advice) from None

    def write(self) -> dict[str, object]:
        """The bookmark as Singer state. Parts that are not known are left out."""
        state: dict[str, object] = {"replication_key": REPLICATION_KEY}
        for key, instant in (
            ("replication_key_value", self.loaded_before),
            ("final_before", self.final_before),
            ("loaded_since", self.loaded_since),
            ("reload_before", self.reload_before),
        ):
            if instant is not None:
                state[key] = instants.text(instant)
        if self.earlier is not None:
            state["earlier"] = [instants.text(self.earlier.start), instants.text(self.earlier.end)]
        if self.with_rows:
            state["with_rows"] = list(map(instants.text, self.with_rows))
        if self.query is not None:
            state["query"] = dict(self.query)
        if self.metrics_without_history:
            state["metrics_without_history"] = list(self.metrics_without_history)
        parts = {"rechecks": self.rechecks.write(), "windows": self.windows.write()}
        return state | {name: part for name, part in parts.items() if part}

    def store(self, state: MutableMapping[str, object]) -> None:
        """Put the bookmark into ``bookmarks[stream]`` of the state, in place of the one that is there."""
        for key in _OWN_KEYS:
            state.pop(key, None)
        state.update(self.write())

    def clipped(self, now: datetime, lookback: timedelta) -> Bookmark:
        """The bookmark without what cannot be true yet.

        A run whose clock was ahead may have left instants that lie in the future. Buckets can have
        been loaded up to now at the most, and have settled up to the lookback.
        """
        return replace(
            self,
            loaded_before=min(self.loaded_before, now) if self.loaded_before else None,
            final_before=min(self.final_before, now - lookback) if self.final_before else None,
        )

    def next_start(self, start_date: datetime, now: datetime, lookback: timedelta) -> datetime:
        """Where the next run begins: at the earliest bucket that is new or may have changed.

        The lookback is counted from ``now``, so an outage does not shrink it. Buckets that were read
        before they settled are read again, however long ago that was.

        Args:
            start_date: The first instant wanted at all.
            now: The instant of the run.
            lookback: How long history keeps changing.

        Returns:
            The first instant to read, not yet aligned to the grid.
        """
        if self.loaded_before is None:
            return start_date
        known = (self.loaded_before, self.final_before, now - lookback)
        return max(start_date, min(instant for instant in known if instant is not None))

    def starting(self, first: datetime) -> Bookmark:
        """The bookmark of a run that wants history from ``first``, on the grid.

        If ``start_date`` was moved earlier, the history before ``loaded_since`` is missing and is to be
        loaded; if it was moved once more, that starts over.
        """
        if self.loaded_before is None:
            return replace(self, loaded_since=None, earlier=None, rechecks=Rechecks())
        is_empty = self.loaded_since is not None and self.loaded_before <= self.loaded_since
        if is_empty or first > min(self.loaded_before, self.final_before or self.loaded_before):
            # start_date was moved later, beyond what was loaded and had settled: what lies between is not
            # read, or not read again. Or the bookmark was clipped to before all that was loaded. So what was
            # loaded no longer counts: loading starts over.
            return Bookmark(
                with_rows=self.with_rows,
                query=self.query,
                metrics_without_history=self.metrics_without_history,
                reload_before=self.reload_before,
                windows=self.windows,
            )
        since = self.loaded_since or first  # states of earlier versions do not say
        if first >= since:
            return replace(self, loaded_since=since, earlier=None)
        if self.earlier is not None and self.earlier.start == first:
            return self
        return replace(self, loaded_since=since, earlier=Window(first, first))

    def after(self, window: Window, now: datetime, lookback: timedelta, *, rows: int = 0) -> Bookmark:
        """The bookmark after the rows of a window have been written. It never moves backwards.

        Args:
            window: The window, contiguous with those loaded before it.
            now: The instant at which the run started, for all its windows: a bucket that settles
                during the run may have been read before it settled.
            lookback: How long history keeps changing.
            rows: The number of rows in the window.

        Returns:
            The new bookmark.
        """
        final = min(window.end, now - lookback)
        return replace(
            self,
            loaded_before=max(window.end, self.loaded_before or window.end),
            final_before=max(final, self.final_before or final),
            loaded_since=window.start if self.loaded_before is None else self.loaded_since,
            with_rows=self._with_rows_after(window, is_final=window.end <= now - lookback, rows=rows),
            reload_before=self.reload_before if window.end < (self.reload_before or window.end) else None,
        )

    def after_earlier(self, window: Window) -> Bookmark:
        """The bookmark after a window of the history before ``loaded_since`` has been written."""
        if self.earlier is None or self.loaded_since is None:
            return self
        if window.end >= self.loaded_since:
            return replace(self, loaded_since=self.earlier.start, earlier=None)
        return replace(self, earlier=Window(self.earlier.start, window.end))

    def had_rows(self, window: Window) -> bool:
        """Whether rows are known to have been in a window when it was last read."""
        return any(window.start <= start < window.end for start in self.with_rows)

    def _with_rows_after(self, window: Window, *, is_final: bool, rows: int) -> tuple[datetime, ...]:
        """The recent windows with rows; those that settled are forgotten, as they are not read again."""
        others = [start for start in self.with_rows if not window.start <= start < window.end]
        if rows and not is_final:
            others.append(window.start)
        return tuple(sorted(others)[-_MAX_REMEMBERED:])

    def reason(self, window: Window, period: RunPeriod) -> str:
        """Why a window of a period was pulled, for the ledger; the bookmark is that of the run's start."""
        if period.is_recheck:
            return "recheck"
        if self.reload_before is not None and window.start < self.reload_before:
            return "reload"
        if period.is_earlier:
            return "backfill"
        return "lookback" if self.loaded_before is not None and window.end <= self.loaded_before else "new"


def _texts(value: object, key: str, *, length: int | None = None) -> list[str]:
    """A list of strings from the state.

    Raises:
        ValueError: It is not one.
    """
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(f"{key} is not a list of strings")
    if length is not None and len(value) != length:
        raise ValueError(f"{key} does not have {length} items")
    return value


@dataclass(frozen=True, slots=True)
class RunPeriod:
    """A period that one run of a query reads.

    Attributes:
        start: The first instant to read. Windows start at the bucket that contains it.
        settled: Buckets that end after this instant may still change.
        stop: Exclusive end, on the grid. Not after ``start`` when there is nothing to read.
        is_earlier: Whether it is history before what was loaded so far.
        is_recheck: Whether it had been loaded and had settled, but changed.
        most: How many windows to read at most.
    """

    start: datetime
    settled: datetime
    stop: datetime
    is_earlier: bool = False
    is_recheck: bool = False
    most: int | None = None


def run_periods(
    query: Query, bookmark: Bookmark, *, start_date: datetime, end_date: datetime | None, now: datetime
) -> tuple[RunPeriod, ...]:
    """Decide which periods a run reads, in order.

    Args:
        query: The query.
        bookmark: What earlier runs have loaded (``Bookmark.starting``); an empty one for a full-table
            load.
        start_date: The first instant wanted at all.
        end_date: Exclusive end of what is wanted, or None for everything up to now.
        now: The instant of the run.

    Returns:
        First the rest of the history before ``loaded_since``, if ``start_date`` was moved earlier. Then what
        is new or may have changed: it starts on a window boundary, so that the run reads whole windows
        again, but never before ``start_date``. Both stop at the last bucket that is complete by ``now`` and
        ``end_date``.
    """
    begin = bookmark.next_start(start_date, now, query.lookback)
    settled, stop = now - query.lookback, query.grid.floor(min(now, end_date or now))
    main = RunPeriod(max(start_date, align(query.grid, query.span, begin)), settled, stop)
    if bookmark.earlier is None or bookmark.loaded_since is None:
        return (main,)
    missing = RunPeriod(bookmark.earlier.end, settled, min(bookmark.loaded_since, stop), is_earlier=True)
    return (missing, main)


def reread_period(bookmark: Bookmark, windows: int) -> RunPeriod | None:
    """The next piece of settled history that changed and is to be read again.

    Args:
        bookmark: What is to be read again, among others.
        windows: How many windows the run has read again already.

    Returns:
        The period; None if there is nothing, or the run has read ``REREAD_WINDOWS`` windows again.
    """
    if not bookmark.rechecks.rereads or windows >= REREAD_WINDOWS:
        return None
    left = bookmark.rechecks.rereads[0].left
    return RunPeriod(left.start, left.end, left.end, is_recheck=True, most=REREAD_WINDOWS - windows)
