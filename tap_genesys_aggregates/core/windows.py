"""Windows: half-open, contiguous stretches on the grid, one request each.

Pure: ``plan`` cuts the time to be read, ``halves`` splits what was too large.
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
        """The interval as the API writes it."""
        return f"{instants.text(self.start)}/{instants.text(self.end)}"


def align(grid: Grid, length: Period, instant: datetime) -> datetime:
    """The last mark of a window's length that is not after an instant, down to a bucket's edge.

    Windows of every run start and end at the same marks (for ``P1D``: local midnights), so that what
    is read again covers whole windows of the ledger and not parts of them.
    """
    return grid.floor(Grid(length, grid.zone, grid.anchor).floor(instant))


def cut(
    grid: Grid, start: datetime, stop: datetime, length: Period, reach: timedelta | None = None
) -> Window:
    """The next window from ``start``: to a mark, on the grid, with one bucket at the least.

    Args:
        grid: The buckets.
        start: A bucket's start, before ``stop``.
        stop: A bucket's start: no window reaches past it.
        length: The stretch wanted: to its next mark.
        reach: How far it may go instead: over several marks, or less than one.

    Returns:
        The window; never empty.
    """
    marks = Grid(length, grid.zone, grid.anchor)
    end = marks.following(marks.floor(start))
    if reach is not None:
        end = max(end, marks.floor(start + reach)) if end - start <= reach else start + reach
    end = grid.floor(min(end, stop))
    if end <= start:
        end = grid.following(start)
    return Window(start, min(grid.straight(start, end), stop))


def plan(
    grid: Grid,
    start: datetime,
    stop: datetime,
    length: Period,
    reach: Callable[[], timedelta | None] = lambda: None,
) -> Iterator[Window]:
    """Cut ``[start, stop)`` into windows.

    Args:
        grid: The buckets.
        start: The first instant wanted; the bucket that holds it is read whole.
        stop: Exclusive end; only buckets that are complete by then are read.
        length: The stretch a window should have.
        reach: Asked before each window: how far it may go instead.

    Yields:
        Windows in order, without gap or overlap, from ``grid.floor(start)`` to
        ``grid.floor(stop)``.
    """
    start, stop = grid.floor(start), grid.floor(stop)
    while start < stop:
        window = cut(grid, start, stop, length, reach())
        yield window
        start = window.end


def halves(grid: Grid, window: Window) -> tuple[Window, Window] | None:
    """Split a window at the bucket's edge nearest to its middle.

    Args:
        grid: The buckets.
        window: A window on the grid.

    Returns:
        The two parts, or None for a single bucket.
    """
    middle = grid.floor(window.start + (window.end - window.start) / 2)
    if middle <= window.start:
        middle = grid.following(window.start)
    if middle >= window.end:
        return None
    return Window(window.start, middle), Window(middle, window.end)
