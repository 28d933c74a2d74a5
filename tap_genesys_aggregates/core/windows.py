"""Windows: half-open, contiguous intervals on the grid, one request each.

``plan`` divides the period to read into windows; ``halves`` splits a window that was too large.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime, timedelta

    from tap_genesys_aggregates.core.periods import Period


@dataclass(frozen=True, slots=True)
class Window:
    """``[start, end)`` in UTC."""

    start: datetime
    end: datetime

    @override
    def __str__(self) -> str:
        """The interval in the notation of the API."""
        return f"{instants.text(self.start)}/{instants.text(self.end)}"


def align(grid: Grid, length: Period, instant: datetime) -> datetime:
    """The last window boundary at or before an instant, down to a bucket boundary.

    Windows of every run start and end at the same boundaries (for ``P1D``: local midnights), so that
    a run that reads history again covers whole windows of the ledger.
    """
    return grid.floor(Grid(length, grid.zone, grid.anchor).floor(instant))


def next_window(
    grid: Grid, start: datetime, stop: datetime, length: Period, max_length: timedelta | None = None
) -> Window:
    """The next window from ``start``: up to a window boundary, and at least one bucket.

    Args:
        grid: The grid of the query.
        start: Start of a bucket, before ``stop``.
        stop: Start of a bucket; the window does not extend beyond it.
        length: The usual length: the window ends at the next boundary of this period.
        max_length: How long the window may be instead: several such periods, or less than one.

    Returns:
        The window; never empty.
    """
    boundaries = Grid(length, grid.zone, grid.anchor)
    end = boundaries.following(boundaries.floor(start))
    if max_length is not None:
        limit = start + max_length
        # A longer window still ends at a boundary; a shorter one may end anywhere on the grid.
        end = max(end, boundaries.floor(limit)) if end <= limit else limit
    end = grid.floor(min(end, stop))
    if end <= start:
        end = grid.following(start)
    return Window(start, min(grid.aligned_until(start, end), stop))


def plan(
    grid: Grid,
    start: datetime,
    stop: datetime,
    length: Period,
    max_length: Callable[[], timedelta | None] = lambda: None,
) -> Iterator[Window]:
    """Divide ``[start, stop)`` into windows.

    Args:
        grid: The grid of the query.
        start: The first instant wanted; the bucket that contains it is read completely.
        stop: Exclusive end; only buckets that are complete by then are read.
        length: The usual length of a window.
        max_length: Called before each window: how long it may be instead.

    Yields:
        Windows in order, without gaps or overlaps, from ``grid.floor(start)`` to
        ``grid.floor(stop)``.
    """
    start, stop = grid.floor(start), grid.floor(stop)
    while start < stop:
        window = next_window(grid, start, stop, length, max_length())
        yield window
        start = window.end


def halves(grid: Grid, window: Window) -> tuple[Window, Window] | None:
    """Split a window at a bucket boundary near its middle.

    Args:
        grid: The grid of the query.
        window: A window on the grid.

    Returns:
        The two halves, or None for a single bucket.
    """
    middle = grid.floor(window.start + (window.end - window.start) / 2)
    if middle <= window.start:
        middle = grid.following(window.start)
    if middle >= window.end:
        return None
    return Window(window.start, middle), Window(middle, window.end)
