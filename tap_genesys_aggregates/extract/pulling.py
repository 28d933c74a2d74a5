"""Pulling windows: which to ask for, whole or in parts, and what was learnt on the way.

Knows queries, windows and pages; nothing of Singer, nothing of HTTP.
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
from tap_genesys_aggregates.http.errors import RefusedError, SlowError, TooLargeError
from tap_genesys_aggregates.http.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from tap_genesys_aggregates.clock import Clock
    from tap_genesys_aggregates.core.periods import Period
    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.windows import Window
    from tap_genesys_aggregates.dialects.protocol import Page


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing to ask for: a window, for some users where the family wants them named."""

    window: Window
    users: tuple[str, ...] = ()
    divisible: bool = True


@dataclass(frozen=True, slots=True)
class Part:
    """An answer, whole.

    Attributes:
        window: What it covers.
        stamp: When its window was asked for.
        pages: The answer.
        usage: What it cost.
        commits: The window that is complete with this part; None if more of it follows.
    """

    window: Window
    stamp: Stamp
    pages: list[Page]
    usage: Usage
    commits: Window | None


class Fetch(Protocol):
    """How an ask is answered: every page of it, its cost counted."""

    def __call__(self, ask: Ask, usage: Usage) -> list[Page]:
        """Fetch.

        Raises:
            TooLargeError: It holds more than the server gives at once.
            SlowError: The server ran out of time.
        """


@dataclass(slots=True)
class Puller:
    """Pulls the windows of one query; what it learns lasts as long as it does."""

    query: Query
    fetch: Fetch
    clock: Clock
    max_window: Period
    batches: Callable[[], Sequence[tuple[str, ...]]] = lambda: [()]
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _growth: WindowGrowth = field(init=False)

    def __post_init__(self) -> None:
        """Begin with the window that the settings name."""
        length, most = (
            timedelta(seconds=period.min_seconds) for period in (self.query.span, self.max_window)
        )
        self._growth = WindowGrowth(length, max(length, most))

    def works(self, start: datetime, settled: datetime, stop: datetime) -> Iterator[Callable[[], list[Part]]]:
        """The work of pulling ``[start, stop)``, in order; drawn lazily, run in any thread.

        Windows grow only over what has settled. What will be read again keeps the plain windows, so
        that the next run's cover whole ones.

        Args:
            start: The first instant wanted.
            settled: Where history begins that may still change.
            stop: Exclusive end.

        Yields:
            Functions that give the parts of one window, or of one batch of users in it; a window for which
            there are no batches is one part without pages.
        """
        batches = self.batches()
        for window in self._windows(start, settled, stop):
            stamp = Stamp.of(self.query, self.clock.now())
            if not batches:  # nobody to ask about: the window is done as it is
                yield partial(_nothing, window, stamp)
            for number, users in enumerate(batches, start=1):
                last = number == len(batches)
                yield _Work(self, window, users, stamp, alone=len(batches) == 1, last=last)

    def _windows(self, start: datetime, settled: datetime, stop: datetime) -> Iterator[Window]:
        """Windows of any growth up to where history has settled, plain ones from there."""
        grid, length = self.query.grid, self.query.span
        middle = min(max(start, windows.align(grid, length, settled)), stop)
        yield from windows.plan(grid, start, middle, length, self._length)
        yield from windows.plan(grid, middle, stop, length, self._shorter)

    def learn(self, part: Part) -> None:
        """Take note of how much a part brought, to growth further where that was little."""
        if part.usage.pages == 1 and part.commits is not None and self.query.span is self.query.window:
            with self._lock:
                self._growth = self.growth.after_rows(part.window.end - part.window.start, part.usage.rows)

    @property
    def growth(self) -> WindowGrowth:
        """How far windows may growth now."""
        return self._growth

    def whole(self, ask: Ask, stamp: Stamp, spent: Usage) -> Iterator[Part]:
        """The parts of an ask: one, or its halves where it does not fit.

        Args:
            ask: What to ask for.
            stamp: When its window was asked for.
            spent: What was spent on it in vain so far; counted with its first part.

        Yields:
            The parts in order.
        """
        halves = windows.halves(self.query.grid, ask.window)
        length = ask.window.end - ask.window.start
        if halves is None or self.growth.fits(length):
            began, pages = self.clock.monotonic(), None
            try:
                pages = self.fetch(Ask(ask.window, ask.users, divisible=halves is not None), spent)
            except (TooLargeError, SlowError) as error:
                if halves is None:
                    raise self._does_not_fit(error) from None
                with self._lock:
                    self._growth = self.growth.after_failure(length)
            spent.seconds += self.clock.monotonic() - began
            if pages is not None:
                spent.pages = len(pages)
                yield Part(ask.window, stamp, pages, spent, ask.window)
                return
        for half in halves or ():
            yield from self.whole(Ask(half, ask.users), stamp, spent)
            spent = Usage()

    def _length(self) -> timedelta | None:
        """How far the next window may go; None where the plain window is meant."""
        growth = self.growth
        usual = timedelta(seconds=self.query.span.min_seconds)
        return None if growth.length == usual else growth.length

    def _shorter(self) -> timedelta | None:
        """How far a plain window may go, where even that was too far."""
        length = self._length()
        return length if length and length < timedelta(seconds=self.query.span.min_seconds) else None

    def _does_not_fit(self, error: TapError) -> TapError:
        """What to do when a single bucket is too much."""
        if isinstance(error, SlowError):
            return error
        bucket = self.query.granularity.text
        what = f"a single bucket of {bucket} holds more than the server gives: {error.what}"
        return RefusedError(
            what, "Set a shorter granularity, fewer group_by dimensions or a filter on this query"
        )


def _nothing(window: Window, stamp: Stamp) -> list[Part]:
    """A window without rows, for which nothing is asked."""
    return [Part(window, stamp, [], Usage(), window)]


@dataclass(frozen=True, slots=True)
class _Work:
    """One window, or one batch of users in it."""

    puller: Puller
    window: Window
    users: tuple[str, ...]
    stamp: Stamp
    alone: bool
    last: bool

    def __call__(self) -> list[Part]:
        """Pull; errors are told with query and window."""
        try:
            parts = list(self.puller.whole(Ask(self.window, self.users), self.stamp, Usage()))
        except TapError as error:
            raise error.within(f"query {self.puller.query.name!r}, window {self.window}") from None
        for part in parts:
            part.usage.split = len(parts) > 1
        return [replace(part, commits=self._commits(part)) for part in parts]

    def _commits(self, part: Part) -> Window | None:
        """A window asked for in batches is complete with the last of them, not before."""
        if self.alone:
            return part.window
        return self.window if self.last and part.window.end == self.window.end else None
