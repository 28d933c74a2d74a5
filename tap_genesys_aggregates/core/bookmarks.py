"""Bookmarks: what the state of a query says, and where the next run begins.

``replication_key_value`` is the end of the last window that was loaded whole. ``final_before`` is the
instant before which every bucket was read when it was already older than the look-back: history
keeps changing until then, so it is read again until it has been read once after it settled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.errors import SettingError
from tap_genesys_aggregates.core.windows import align

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.windows import Window

REPLICATION_KEY = "interval_start"


@dataclass(frozen=True, slots=True)
class Bookmark:
    """How far a query has been loaded, and how far for good."""

    loaded_before: datetime | None = None
    final_before: datetime | None = None

    @classmethod
    def read(cls, state: Mapping[str, object], query: str) -> Bookmark:
        """Read the bookmark of one stream from Singer state.

        Args:
            state: ``bookmarks[stream]`` of the state.
            query: The query's name, for the message.

        Returns:
            The bookmark; empty where the state has none.

        Raises:
            SettingError: The state holds something that is no instant.
        """
        try:
            return cls(
                *(
                    instants.parse(str(state[key])) if state.get(key) is not None else None
                    for key in ("replication_key_value", "final_before")
                )
            )
        except ValueError as error:
            what = f"state of stream {query!r} is unreadable: {error}"
            advice = f"Mend the bookmark, or remove bookmarks.{query} from the state to load it anew"
            raise SettingError(what, advice) from None

    def write(self) -> dict[str, str]:
        """The bookmark as Singer state, without the parts that are not known."""
        state = {"replication_key": REPLICATION_KEY}
        if self.loaded_before is not None:
            state["replication_key_value"] = instants.text(self.loaded_before)
        if self.final_before is not None:
            state["final_before"] = instants.text(self.final_before)
        return state

    def begin(self, start_date: datetime, now: datetime, lookback: timedelta) -> datetime:
        """Where the next run begins: at what is new or may have changed, whichever is earlier.

        The look-back is counted from ``now``, so an outage does not shrink it; what was read before
        it had settled is read again however long ago that was.

        Args:
            start_date: The first instant wanted at all.
            now: The instant of this run.
            lookback: How long history keeps changing.

        Returns:
            The first instant to read, not yet on the grid.
        """
        if self.loaded_before is None:
            return start_date
        known = (self.loaded_before, self.final_before, now - lookback)
        return max(start_date, min(instant for instant in known if instant is not None))

    def after(self, window: Window, now: datetime, lookback: timedelta) -> Bookmark:
        """The bookmark when the rows of a window are out; it never goes backwards.

        Args:
            window: The window, contiguous with what was loaded before it.
            now: The instant of this run, the same for all its windows: what settles while the run
                goes on was read too early.
            lookback: How long history keeps changing.

        Returns:
            The new bookmark.
        """
        final = min(window.end, now - lookback)
        return Bookmark(
            max(window.end, self.loaded_before or window.end),
            max(final, self.final_before or final),
        )


@dataclass(frozen=True, slots=True)
class RunPeriod:
    """The period that one run of a query reads.

    Attributes:
        start: The first instant to read. Windows start at the bucket that contains it.
        settled: Buckets that end after this instant may still change.
        stop: Exclusive end, on the grid. Not after ``start`` when there is nothing to read.
    """

    start: datetime
    settled: datetime
    stop: datetime


def run_period(
    query: Query, bookmark: Bookmark, *, start_date: datetime, end_date: datetime | None, now: datetime
) -> RunPeriod:
    """Decide which period a run reads.

    Args:
        query: The query.
        bookmark: What earlier runs have loaded; an empty one for a full-table load.
        start_date: The first instant wanted at all.
        end_date: Exclusive end of what is wanted, or None for everything up to now.
        now: The instant of the run.

    Returns:
        The period. It starts on a window boundary, so that the run reads whole windows again, but never
        before ``start_date``; it stops at the last bucket that is complete by ``now`` and ``end_date``.
    """
    begin = bookmark.begin(start_date, now, query.lookback)
    return RunPeriod(
        start=max(start_date, align(query.grid, query.span, begin)),
        settled=now - query.lookback,
        stop=query.grid.floor(min(now, end_date or now)),
    )
