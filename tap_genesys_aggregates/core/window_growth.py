"""Window growth: how long the next window may be.

Windows grow while answers are small and quick, and shrink after one that was not. A length that failed, or
that the server refused as too long, is not tried again for weeks. What was learnt is part of the state, so
that the next run goes on with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from tap_genesys_aggregates.core import windows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from tap_genesys_aggregates.core.bookmarks import RunPeriod
    from tap_genesys_aggregates.core.periods import Period
    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.windows import Window

ROWS_WANTED = 20_000
"""Rows that an answer should have: below the limit of the API (docs/api-notes.md, "Results: limits")."""
BYTES_WANTED = 16 * 2**20
"""Bytes that an answer should have: 20,000 rows of 800 bytes, a thirtieth of what is accepted at most."""
SECONDS_WANTED = 10.0
"""Seconds that an answer should take at most: gateways often give up after 30 or 60."""

_MAX_FACTOR = 8
"""How many times longer than the last window the next one may be."""
_REMEMBERED = timedelta(days=30)
"""How long a length that failed or was refused is not tried again. A platform can change."""
_DECAY = 0.75
"""How slowly ``density`` falls: windows that are busier than the last one must still fit."""
_DAY = timedelta(days=1)
_LARGEST = 10**12
"""More than any number of seconds or bytes in the state can be."""


def _seconds(length: timedelta | None) -> int | None:
    return None if length is None else int(length.total_seconds())


def _length(seconds: int | None) -> timedelta | None:
    return timedelta(seconds=seconds) if seconds else None


@dataclass(frozen=True, slots=True)
class AnswerSize:
    """What one request brought.

    Attributes:
        length: The length of the window that it asked for.
        rows: Rows in all pages.
        bytes: Bytes of all pages, uncompressed.
        seconds: Time that the slowest page took.
    """

    length: timedelta
    rows: int
    bytes: int = 0
    seconds: float = 0.0

    @property
    def share(self) -> float:
        """How much of the strictest bound was used; above 1 it was exceeded."""
        return max(self.rows / ROWS_WANTED, self.bytes / BYTES_WANTED, self.seconds / SECONDS_WANTED)

    @property
    def wanted(self) -> timedelta:
        """The length of a window with which that bound would have been reached."""
        return self.length / max(self.share, 1 / _MAX_FACTOR)


@dataclass(frozen=True, slots=True)
class Learnt:
    """What runs have learnt about the windows of a query, as the state keeps it.

    Attributes:
        seconds: The longest window to request next; None for one that has not grown.
        failed: Seconds of the shortest window whose result was too large or too slow, if any.
        refused: Seconds of the shortest window that the server refused, if any.
        since: The day on which either of them was last learnt.
        bytes_a_day: Bytes of an answer per day of its window.
    """

    seconds: int | None = None
    failed: int | None = None
    refused: int | None = None
    since: date | None = None
    bytes_a_day: int | None = None

    @classmethod
    def read(cls, state: object) -> Learnt:
        """Read what ``write`` wrote.

        Raises:
            ValueError: It is something else.
        """
        if state is None:
            return cls()
        if not isinstance(state, dict):
            raise ValueError("windows is not an object")  # noqa: TRY004  # bad state, like the rest
        numbers = {name: state.get(name) for name in ("seconds", "failed", "refused", "bytes_a_day")}
        for name, number in numbers.items():
            if number is not None and (type(number) is not int or not 0 <= number <= _LARGEST):
                raise ValueError(f"windows.{name} is not a whole number")
        since = state.get("since")
        return cls(**numbers, since=date.fromisoformat(str(since)) if since is not None else None)

    def write(self) -> dict[str, object]:
        """Itself as Singer state; empty if nothing was learnt."""
        parts = {
            "seconds": self.seconds,
            "failed": self.failed,
            "refused": self.refused,
            "since": None if self.since is None else self.since.isoformat(),
            "bytes_a_day": self.bytes_a_day,
        }
        return {name: value for name, value in parts.items() if value is not None}


@dataclass(frozen=True, slots=True)
class WindowGrowth:
    """The length of the next window, and the lengths that are known to fail.

    Attributes:
        plain: The length of a window that has not grown.
        maximum: The limit of growth (``max_window``).
        length: The longest window to request next.
        failed: The shortest window whose result was too large or too slow, if any.
        refused: The shortest window that the server refused, if any: how long an interval may be is not
            published (docs/api-notes.md, "Results: limits").
        density: Bytes of an answer per day of its window; None if nothing was answered yet.
        since: The day on which ``failed`` or ``refused`` was last learnt; None if it was in this run.
    """

    plain: timedelta
    maximum: timedelta
    length: timedelta
    failed: timedelta | None = None
    refused: timedelta | None = None
    density: float | None = None
    since: date | None = None

    def at_maximum(self) -> WindowGrowth:
        """The growth of a query whose windows turned out to have no rows."""
        return replace(self, length=self.maximum)

    def fits(self, length: timedelta) -> bool:
        """Whether a window of this length may be requested: none of it or shorter has failed."""
        return self.failed is None or length < self.failed

    def is_accepted(self, length: timedelta) -> bool:
        """Whether a grown window of this length may be requested: none of it or shorter was refused."""
        return self.refused is None or length < self.refused

    def expected_bytes(self, length: timedelta) -> float | None:
        """The size of the answer for a window; None if nothing is known yet."""
        return None if self.density is None else self.density * (length / _DAY)

    def after_answer(self, *sizes: AnswerSize) -> WindowGrowth:
        """The growth after a window that fitted.

        Args:
            sizes: Its answers; several if it was asked for in batches.

        Returns:
            A longer length if its answers were small and quick, never beyond ``maximum`` or half of what
            failed or was refused. A shorter one if they were not, but never shorter than ``plain``.
        """
        wanted = min(size.wanted for size in sizes)
        density = max(size.bytes / (size.length / _DAY) for size in sizes)
        known = replace(self, density=max(density, _DECAY * (self.density or 0)))
        if any(size.share > 1 for size in sizes):
            return replace(known, length=min(self.length, max(wanted, self.plain)))
        return replace(known, length=max(self.length, self.limited(wanted)))

    def limited(self, length: timedelta) -> timedelta:
        """A length, unless it is beyond the maximum or close to what failed or was refused."""
        limits = [limit / 2 for limit in (self.failed, self.refused) if limit is not None]
        return min(length, self.maximum, *limits)

    def after_failure(self, length: timedelta) -> WindowGrowth:
        """The growth after a window that was too large or too slow.

        Args:
            length: The window's length.

        Returns:
            At most half of that length.
        """
        failed = min(length, self.failed or length)
        return replace(self, failed=failed, length=min(self.length, failed / 2), since=None)

    def after_refusal(self, length: timedelta) -> WindowGrowth:
        """The growth after the server refused a window that had grown, which then starts again.

        Args:
            length: The window's length.
        """
        refused = min(length, self.refused or length)
        return replace(self, refused=refused, length=min(self.length, self.plain), since=None)

    def learnt(self, now: datetime) -> Learnt:
        """What the next run should know.

        Args:
            now: The instant of the run.
        """
        return Learnt(
            None if self.length == self.plain else _seconds(self.length),
            _seconds(self.failed),
            _seconds(self.refused),
            self.since or now.date() if self.failed or self.refused else None,
            None if self.density is None else round(self.density),
        )


def plain_length(query: Query) -> timedelta:
    """The length of a window that has not grown, give or take an hour for changing clocks."""
    return timedelta(seconds=query.span.min_seconds)


def growth_at_start(
    query: Query, max_window: Period, learnt: Learnt | None = None, now: datetime | None = None
) -> WindowGrowth:
    """What a run begins with: windows of the plain length, or as long as earlier runs have learnt.

    Args:
        query: The query.
        max_window: The limit of growth.
        learnt: What earlier runs have learnt, if anything.
        now: The instant of the run; needed if there is something.
    """
    plain = plain_length(query)
    growth = WindowGrowth(plain, max(plain, timedelta(seconds=max_window.min_seconds)), plain)
    if learnt is None or now is None:
        return growth
    growth = replace(growth, density=learnt.bytes_a_day)
    if learnt.since is not None and learnt.since > (now - _REMEMBERED).date():
        failed, refused = _length(learnt.failed), _length(learnt.refused)
        growth = replace(growth, failed=failed, refused=refused, since=learnt.since)
    return replace(growth, length=growth.limited(_length(learnt.seconds) or plain))


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
