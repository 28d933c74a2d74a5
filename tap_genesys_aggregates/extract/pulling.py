"""Pulls windows: which to ask for, whole or in halves, and how long the next may be.

It knows queries, windows and pages, and nothing of Singer or HTTP.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from tap_genesys_aggregates.core import windows
from tap_genesys_aggregates.core.errors import TapError
from tap_genesys_aggregates.core.rows import Stamp
from tap_genesys_aggregates.core.window_growth import AnswerSize, run_windows
from tap_genesys_aggregates.dialects.protocol import WindowRequest
from tap_genesys_aggregates.http.errors import BadRequestError, RefusedError, SlowError, TooLargeError
from tap_genesys_aggregates.http.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import timedelta

    from tap_genesys_aggregates.clock import Clock
    from tap_genesys_aggregates.core.bookmarks import RunPeriod
    from tap_genesys_aggregates.core.periods import Period
    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.window_growth import WindowGrowth
    from tap_genesys_aggregates.core.windows import Window
    from tap_genesys_aggregates.dialects.protocol import Page

_LOGGER = logging.getLogger("tap-genesys-aggregates")

BYTES_IN_FLIGHT = 24 * 2**20
"""Bytes of answers that may be on their way or wait to be written; decoded, they take more."""
_FIRST = 2
"""Windows that are asked for before the first answer tells how large answers are."""


@dataclass(frozen=True, slots=True)
class WindowPart:
    """The answer to one request: a window, part of one, or one batch of users in it.

    Attributes:
        window: What the answer covers.
        stamp: When the window was requested.
        pages: The answer.
        usage: What it cost.
        completes: The window that is complete with this part; None if more parts follow.
        held: Bytes that were expected of its request, once all of its parts are written; 0 if more follow.
    """

    window: Window
    stamp: Stamp
    pages: list[Page]
    usage: Usage
    completes: Window | None
    held: float = 0


def place(query: Query, window: Window) -> str:
    """The query and a window, for messages."""
    return f"query {query.name!r}, window {window}"


class Fetch(Protocol):
    """Fetches every page of a request and counts the cost."""

    def __call__(self, request: WindowRequest, usage: Usage) -> list[Page]:
        """Fetch the pages.

        Raises:
            TooLargeError: The answer is larger than the server returns at once.
            SlowError: The server timed out.
            BadRequestError: The server refused the request, perhaps for the length of the window.
        """


@dataclass(slots=True)
class Puller:
    """Pulls the windows of one query, and learns how long they may be.

    Attributes:
        query: The query.
        fetch: Fetches the pages of a request.
        clock: Tells the time.
        max_window: The limit of growth, for messages.
        growth: What is known about the length of windows: at first what earlier runs have learnt.
        batches: The batches of users to ask about, if they must be named.
    """

    query: Query
    fetch: Fetch
    clock: Clock
    max_window: Period
    growth: WindowGrowth
    batches: Callable[[], Sequence[tuple[str, ...]]] = lambda: [()]
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _sizes: list[AnswerSize] = field(default_factory=list, init=False)
    _held: float = field(default=0, init=False)

    def tasks(self, period: RunPeriod) -> Iterator[Callable[[], list[WindowPart]]]:
        """The tasks that pull a period, in order; iterate lazily, run each in any thread.

        Yields:
            Functions that return the parts of one window, or of one batch of users in it.
        """
        batches = self.batches()
        for window in islice(run_windows(self.query, period, lambda: self.growth), period.most):
            stamp = Stamp.of(self.query, self.clock.now())
            for number, users in enumerate(batches, start=1):
                last = number == len(batches)
                expected = self._expected(window.end - window.start)
                self._held += expected
                yield _Task(self, window, users, stamp, expected, alone=len(batches) == 1, last=last)

    def learn(self, part: WindowPart) -> None:
        """Let windows grow or shrink after a part; parts come in the order of their windows."""
        usage, length = part.usage, part.window.end - part.window.start
        self._held -= part.held
        self._sizes.append(AnswerSize(length, usage.rows, usage.bytes, usage.slowest))
        if part.completes is not None:
            if not self.query.rows_depend_on_window:
                with self._lock:
                    self.growth = self.growth.after_answer(*self._sizes)
            self._sizes.clear()

    def has_room(self) -> bool:
        """Whether another window may be pulled ahead: answers that wait take memory.

        What counts is what was expected of them, so that a run plans the same windows however fast its
        threads are.
        """
        return self._held + self._expected(self.growth.length) <= BYTES_IN_FLIGHT

    def _expected(self, length: timedelta) -> float:
        """The size of a window's answer, to go by until it is there."""
        found = self.growth.expected_bytes(length)
        if found is None:  # jobs take minutes, so all that may are submitted at once
            return 0 if self.query.mode == "async" else BYTES_IN_FLIGHT / _FIRST
        return found

    def pull(self, request: WindowRequest, stamp: Stamp, spent: Usage) -> Iterator[WindowPart]:
        """Fetch a window: in halves if it does not fit, in plain windows if the server refuses its length.

        Args:
            request: What to ask for.
            stamp: When its window was requested.
            spent: What earlier attempts cost; counted with the first part.

        Yields:
            The parts, in order.
        """
        shorter = self._known_not_to_work(request.window)
        if shorter is None:
            pages, shorter = self._fetched(request, spent)
            if not shorter:
                spent.pages = len(pages)
                yield WindowPart(request.window, stamp, pages, spent, request.window)
        for window in shorter:
            yield from self.pull(WindowRequest(window, request.users), stamp, spent)
            spent = Usage()

    def _known_not_to_work(self, window: Window) -> Sequence[Window] | None:
        """What to ask for instead of a window that would fail; None if it may be asked for."""
        growth, length = self.growth, window.end - window.start
        if not growth.is_accepted(length) and len(plain := self._plain_windows(window)) > 1:
            return plain
        return None if growth.fits(length) else self._halves(window)

    def _fetched(self, request: WindowRequest, spent: Usage) -> tuple[list[Page], Sequence[Window]]:
        """The pages of a window, or the windows to ask for instead."""
        window, began = request.window, self.clock.monotonic()
        halves, length = self._halves(window), window.end - window.start
        try:
            return self.fetch(replace(request, divisible=halves is not None), spent), ()
        except (TooLargeError, SlowError) as error:
            if halves is None:
                raise self._does_not_fit(error, window).within(place(self.query, window)) from None
            with self._lock:
                self.growth = self.growth.after_failure(length)
            return [], halves
        except BadRequestError as error:
            plain = self._plain_windows(window)
            if len(plain) == 1:
                raise self._bad_request(error).within(place(self.query, window)) from None
            with self._lock:
                self.growth = self.growth.after_refusal(length)
            _LOGGER.info("%s: asking for shorter windows: %s", place(self.query, window), error.what)
            return [], plain
        finally:
            spent.seconds += self.clock.monotonic() - began

    def _halves(self, window: Window) -> Sequence[Window] | None:
        """The halves of a window, unless it is a single bucket or its rows depend on its length."""
        return None if self.query.rows_depend_on_window else windows.halves(self.query.grid, window)

    def _plain_windows(self, window: Window) -> list[Window]:
        """A window that has grown, in windows that have not."""
        return list(windows.plan(self.query.grid, window.start, window.end, self.query.span))

    def _does_not_fit(self, error: TapError, window: Window) -> TapError:
        """The error for a window that is too large or too slow and cannot be split."""
        if windows.halves(self.query.grid, window) is not None:
            what = f"{error.what}. This window is not split, because its rows are ranked within it"
            return RefusedError(
                what,
                f"Set a window shorter than {self.query.window.text} on this query and give it a new name "
                "for a new table, because groups are then ranked within shorter windows",
            )
        if isinstance(error, SlowError):
            return error
        bucket = self.query.granularity.text
        what = f"a single bucket of {bucket} is larger than the server returns at once: {error.what}"
        return RefusedError(
            what,
            "Set a shorter granularity or fewer group_by dimensions on this query, and give it a new name "
            "for a new table; or set a filter and on_query_change: continue on it, so that its table is kept",
        )

    def _bad_request(self, error: BadRequestError) -> BadRequestError:
        """The error for a window that is refused although it has not grown."""
        query = self.query
        error.advice += (
            ". If the interval is longer than the server accepts, set a shorter window "
            f"(now {query.window.text}) and max_window (now {self.max_window.text}); "
            f"a window is never shorter than granularity (now {query.granularity.text})"
        )
        return error


@dataclass(frozen=True, slots=True)
class _Task:
    """Pulls one window, or one batch of users in it."""

    puller: Puller
    window: Window
    users: tuple[str, ...]
    stamp: Stamp
    expected: float
    alone: bool
    last: bool

    def __call__(self) -> list[WindowPart]:
        """Pull; errors name the query and the window."""
        try:
            parts = list(self.puller.pull(WindowRequest(self.window, self.users), self.stamp, Usage()))
        except TapError as error:
            raise error.within(place(self.puller.query, self.window)) from None
        for part in parts:
            part.usage.split = len(parts) > 1
        *others, last = (replace(part, completes=self._completes(part)) for part in parts)
        return [*others, replace(last, held=self.expected)]

    def _completes(self, part: WindowPart) -> Window | None:
        """A window that is asked for in batches is complete with the last of them."""
        if self.alone:
            return part.window
        return self.window if self.last and part.window.end == self.window.end else None
