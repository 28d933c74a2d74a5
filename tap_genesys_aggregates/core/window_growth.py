"""Window growth: how long the next window may be.

Windows grow while responses are small and shrink after one was too large. A length that failed, or that
the server refused as too long, is not tried again in the same run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from tap_genesys_aggregates.core import windows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_genesys_aggregates.core.bookmarks import RunPeriod
    from tap_genesys_aggregates.core.periods import Period
    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.windows import Window

ROWS_WANTED = 5_000
"""Rows that a window should have: well below the limits of the API (docs/api-notes.md, "Results: limits")."""

_MAX_FACTOR = 8
"""How many times longer than the last window the next one may be."""


@dataclass(frozen=True, slots=True)
class WindowGrowth:
    """The length of the next window, and the lengths that are known to fail.

    Attributes:
        length: The longest window to request next.
        maximum: The limit of growth (``max_window``).
        failed: The shortest window whose result was too large, if any.
        refused: The shortest window that the server refused, if any: how long an interval may be is not
            published (docs/api-notes.md, "Results: limits").
    """

    length: timedelta
    maximum: timedelta
    failed: timedelta | None = None
    refused: timedelta | None = None

    def at_maximum(self) -> WindowGrowth:
        """The growth of a query whose windows turned out to have no rows."""
        return replace(self, length=self.maximum)

    def fits(self, length: timedelta) -> bool:
        """Whether a window of this length may be requested: none of it or shorter has failed."""
        return self.failed is None or length < self.failed

    def is_accepted(self, length: timedelta) -> bool:
        """Whether a grown window of this length may be requested: none of it or shorter was refused."""
        return self.refused is None or length < self.refused

    def after_rows(self, length: timedelta, rows: int) -> WindowGrowth:
        """The growth after a window that fitted.

        Args:
            length: The window's length.
            rows: The number of its rows.

        Returns:
            A longer length if there were few rows, never beyond ``maximum`` or half of what failed or was
            refused.
        """
        factor = min(_MAX_FACTOR, ROWS_WANTED // max(rows, 1))
        longer = min(length * factor, self.maximum)
        for limit in (self.failed, self.refused):
            if limit is not None:
                longer = min(longer, limit / 2)
        return replace(self, length=max(longer, self.length))

    def after_failure(self, length: timedelta) -> WindowGrowth:
        """The growth after a window that was too large.

        Args:
            length: The window's length.

        Returns:
            At most half of that length.
        """
        failed = min(length, self.failed or length)
        return replace(self, failed=failed, length=min(self.length, failed / 2))

    def after_refusal(self, length: timedelta, plain: timedelta) -> WindowGrowth:
        """The growth after the server refused a window that had grown.

        Args:
            length: The window's length.
            plain: The length of a window that has not grown, from which growth starts again.
        """
        return replace(self, refused=min(length, self.refused or length), length=min(self.length, plain))


def plain_length(query: Query) -> timedelta:
    """The length of a window that has not grown, give or take an hour for changing clocks."""
    return timedelta(seconds=query.span.min_seconds)


def growth_at_start(query: Query, max_window: Period) -> WindowGrowth:
    """What a run begins with: windows of the plain length.

    Args:
        query: The query.
        max_window: The limit of growth.
    """
    plain = plain_length(query)
    return WindowGrowth(plain, max(plain, timedelta(seconds=max_window.min_seconds)))


def run_windows(query: Query, period: RunPeriod, growth: Callable[[], WindowGrowth]) -> Iterator[Window]:
    """The windows of a period. They grow only over settled history.

    What will be read again keeps the plain windows, so that the next run covers whole windows of the ledger.

    Args:
        query: The query.
        period: What to read.
        growth: Called before each window: how long it may be.

    Yields:
        Windows in order.
    """
    plain = plain_length(query)

    def grown() -> timedelta | None:
        length = growth().length
        # Less than two plain windows end where one does; more than one could end within a long day or month.
        return None if plain <= length < 2 * plain else length

    def shrunk() -> timedelta | None:
        length = growth().length
        return length if length < plain else None

    middle = min(max(period.start, windows.align(query.grid, query.span, period.settled)), period.stop)
    yield from windows.plan(query.grid, period.start, middle, query.span, grown)
    yield from windows.plan(query.grid, middle, period.stop, query.span, shrunk)
