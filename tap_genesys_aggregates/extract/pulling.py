"""Pulls windows: which to ask for, whole or in halves, and how long the next may be.

It knows queries, windows and pages, and nothing of Singer or HTTP.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Protocol

from tap_genesys_aggregates.core import windows
from tap_genesys_aggregates.core.errors import TapError
from tap_genesys_aggregates.core.rows import Stamp
from tap_genesys_aggregates.core.window_growth import WindowGrowth
from tap_genesys_aggregates.dialects.protocol import WindowRequest
from tap_genesys_aggregates.http.errors import RefusedError, SlowError, TooLargeError
from tap_genesys_aggregates.http.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tap_genesys_aggregates.clock import Clock
    from tap_genesys_aggregates.core.bookmarks import RunPeriod
    from tap_genesys_aggregates.core.periods import Period
    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.windows import Window
    from tap_genesys_aggregates.dialects.protocol import Page


@dataclass(frozen=True, slots=True)
class WindowPart:
    """The answer to one request: a window, part of one, or one batch of users in it.

    Attributes:
        window: What the answer covers.
        stamp: When the window was requested.
        pages: The answer.
        usage: What it cost.
        completes: The window that is complete with this part; None if more parts follow.
    """

    window: Window
    stamp: Stamp
    pages: list[Page]
    usage: Usage
    completes: Window | None


class Fetch(Protocol):
    """Fetches every page of a request and counts the cost."""

    def __call__(self, request: WindowRequest, usage: Usage) -> list[Page]:
        """Fetch the pages.

        Raises:
            TooLargeError: The answer is larger than the server returns at once.
            SlowError: The server timed out.
        """


@dataclass(slots=True)
class Puller:
    """Pulls the windows of one query. What it learns about their size lasts as long as it does."""

    query: Query
    fetch: Fetch
    clock: Clock
    max_window: Period
    batches: Callable[[], Sequence[tuple[str, ...]]] = lambda: [()]
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _growth: WindowGrowth = field(init=False)

    def __post_init__(self) -> None:
        length, most = (
            timedelta(seconds=period.min_seconds) for period in (self.query.span, self.max_window)
        )
        self._growth = WindowGrowth(length, max(length, most))

    def tasks(self, period: RunPeriod) -> Iterator[Callable[[], list[WindowPart]]]:
        """The tasks that pull a period, in order; iterate lazily, run each in any thread.

        Windows grow only over settled history. What will be read again keeps the plain windows, so that
        the next run covers whole windows of the ledger.

        Yields:
            Functions that return the parts of one window, or of one batch of users in it. A window without
            users to ask about is one part without pages.
        """
        batches = self.batches()
        for window in self._windows(period):
            stamp = Stamp.of(self.query, self.clock.now())
            if not batches:
                yield partial(_empty, window, stamp)
            for number, users in enumerate(batches, start=1):
                last = number == len(batches)
                yield _Task(self, window, users, stamp, alone=len(batches) == 1, last=last)

    def _windows(self, period: RunPeriod) -> Iterator[Window]:
        """Windows that may grow up to where history is settled, plain ones from there."""
        grid, length = self.query.grid, self.query.span
        middle = min(max(period.start, windows.align(grid, length, period.settled)), period.stop)
        yield from windows.plan(grid, period.start, middle, length, self._length)
        yield from windows.plan(grid, middle, period.stop, length, self._shrunk_length)

    def learn(self, part: WindowPart) -> None:
        """Let windows grow if a part brought few rows."""
        if part.usage.pages == 1 and part.completes is not None and self.query.span is self.query.window:
            with self._lock:
                self._growth = self.growth.after_rows(part.window.end - part.window.start, part.usage.rows)

    @property
    def growth(self) -> WindowGrowth:
        """What is known about the length of windows now."""
        return self._growth

    def pull(self, request: WindowRequest, stamp: Stamp, spent: Usage) -> Iterator[WindowPart]:
        """Fetch a window, in halves if it does not fit.

        Args:
            request: What to ask for.
            stamp: When its window was requested.
            spent: What earlier attempts cost; counted with the first part.

        Yields:
            The parts, in order.
        """
        halves = windows.halves(self.query.grid, request.window)
        length = request.window.end - request.window.start
        if halves is None or self.growth.fits(length):
            began, pages = self.clock.monotonic(), None
            try:
                pages = self.fetch(replace(request, divisible=halves is not None), spent)
            except (TooLargeError, SlowError) as error:
                if halves is None:
                    raise self._does_not_fit(error) from None
                with self._lock:
                    self._growth = self.growth.after_failure(length)
            spent.seconds += self.clock.monotonic() - began
            if pages is not None:
                spent.pages = len(pages)
                yield WindowPart(request.window, stamp, pages, spent, request.window)
                return
        for half in halves or ():
            yield from self.pull(WindowRequest(half, request.users), stamp, spent)
            spent = Usage()

    def _length(self) -> timedelta | None:
        """The length of the next window; None for the plain one."""
        growth = self.growth
        plain = timedelta(seconds=self.query.span.min_seconds)
        return None if growth.length == plain else growth.length

    def _shrunk_length(self) -> timedelta | None:
        """The length of the next window if it must be shorter than the plain one."""
        length = self._length()
        return length if length and length < timedelta(seconds=self.query.span.min_seconds) else None

    def _does_not_fit(self, error: TapError) -> TapError:
        """The error for a single bucket that is too large or too slow."""
        if isinstance(error, SlowError):
            return error
        bucket = self.query.granularity.text
        what = f"a single bucket of {bucket} is larger than the server returns at once: {error.what}"
        return RefusedError(
            what, "Set a shorter granularity, fewer group_by dimensions or a filter on this query"
        )


def _empty(window: Window, stamp: Stamp) -> list[WindowPart]:
    """A window without users to ask about: no request, no rows."""
    return [WindowPart(window, stamp, [], Usage(), window)]


@dataclass(frozen=True, slots=True)
class _Task:
    """Pulls one window, or one batch of users in it."""

    puller: Puller
    window: Window
    users: tuple[str, ...]
    stamp: Stamp
    alone: bool
    last: bool

    def __call__(self) -> list[WindowPart]:
        """Pull; errors name the query and the window."""
        try:
            parts = list(self.puller.pull(WindowRequest(self.window, self.users), self.stamp, Usage()))
        except TapError as error:
            raise error.within(f"query {self.puller.query.name!r}, window {self.window}") from None
        for part in parts:
            part.usage.split = len(parts) > 1
        return [replace(part, completes=self._completes(part)) for part in parts]

    def _completes(self, part: WindowPart) -> Window | None:
        """A window that is asked for in batches is complete with the last of them."""
        if self.alone:
            return part.window
        return self.window if self.last and part.window.end == self.window.end else None
