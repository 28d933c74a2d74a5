"""Bookmarks: the state of a query, and the period that its next run reads.

``replication_key_value`` is the end of the last window that was loaded completely. ``final_before``
is the instant before which every bucket was older than the lookback when it was last read. Genesys
rewrites recent history (docs/api-notes.md, "History changes"), so each bucket is read again until it
has been read once after it settled.
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
    """How far a query has been loaded, and how far its rows are final."""

    loaded_before: datetime | None = None
    final_before: datetime | None = None

    @classmethod
    def read(cls, state: Mapping[str, object], query: str) -> Bookmark:
        """Read the bookmark of one stream from Singer state.

        Args:
            state: ``bookmarks[stream]`` of the state.
            query: The query's name, for the message.

        Returns:
            The bookmark; empty if the state has none.

        Raises:
            SettingError: A value in the state is not an instant.
        """
        try:
            return cls(
                *(
                    instants.parse(str(state[key])) if state.get(key) is not None else None
                    for key in ("replication_key_value", "final_before")
                )
            )
        except ValueError as error:
            what = f"The state of stream {query!r} cannot be read: {error}"
            advice = f"Correct it, or remove bookmarks.{query} from the state to load the stream from scratch"
            raise SettingError(what, advice) from None

    def write(self) -> dict[str, str]:
        """The bookmark as Singer state. Parts that are not known yet are left out."""
        state = {"replication_key": REPLICATION_KEY}
        if self.loaded_before is not None:
            state["replication_key_value"] = instants.text(self.loaded_before)
        if self.final_before is not None:
            state["final_before"] = instants.text(self.final_before)
        return state

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

    def after(self, window: Window, now: datetime, lookback: timedelta) -> Bookmark:
        """The bookmark after the rows of a window have been written. It never moves backwards.

        Args:
            window: The window, contiguous with those loaded before it.
            now: The instant at which the run started, for all its windows: a bucket that settles
                during the run may have been read before it settled.
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
    begin = bookmark.next_start(start_date, now, query.lookback)
    return RunPeriod(
        start=max(start_date, align(query.grid, query.span, begin)),
        settled=now - query.lookback,
        stop=query.grid.floor(min(now, end_date or now)),
    )
