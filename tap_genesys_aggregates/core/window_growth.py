"""How far a window may growth: it grows while answers are small and shrinks when one did not fit.

Pure: what was learnt is a value, and a new one comes of each lesson. No length that failed is tried
again in the same run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta

ROWS_WANTED = 5_000
"""Rows that a window should bring: far below the 30,000 at which the API gives up."""

_FASTEST = 8


@dataclass(frozen=True, slots=True)
class WindowGrowth:
    """The length of the next window, and what is known of longer ones.

    Attributes:
        length: The longest stretch to ask for next.
        most: The ceiling of growth (``max_window``).
        failed: The shortest stretch that did not fit, if any.
    """

    length: timedelta
    most: timedelta
    failed: timedelta | None = None

    def fits(self, length: timedelta) -> bool:
        """Whether a stretch may be asked for: none that long has failed."""
        return self.failed is None or length < self.failed

    def after_rows(self, length: timedelta, rows: int) -> WindowGrowth:
        """The lesson of an answer that fitted on one page.

        Args:
            length: The window's.
            rows: How many rows it brought.

        Returns:
            A longer growth where the answer was small, never beyond ``most`` or what failed.
        """
        times = min(_FASTEST, ROWS_WANTED // max(rows, 1))
        longer = min(length * times, self.most)
        if self.failed is not None:
            longer = min(longer, self.failed / 2)
        return replace(self, length=max(longer, self.length))

    def after_failure(self, length: timedelta) -> WindowGrowth:
        """The lesson of a stretch that did not fit.

        Args:
            length: The window's.

        Returns:
            Half of it as the new growth, at the most.
        """
        failed = min(length, self.failed or length)
        return replace(self, failed=failed, length=min(self.length, failed / 2))
