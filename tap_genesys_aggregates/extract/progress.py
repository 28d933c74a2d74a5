"""How far a query is, for whoever watches: a status line on a terminal, else a line of the log now and then.

It is told of windows and never of rows. Standard output is for messages: nothing is written there.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from tap_genesys_aggregates.extract.pulling import Part

_LOGGER = logging.getLogger("tap-genesys-aggregates")

DRAWN_EVERY = 0.2
LOGGED_EVERY = 10.0
"""Seconds between two of them, at the least; the end of a query is told at once."""

_BAR = 20
_USUAL_WIDTH = 80


@dataclass(slots=True)
class Stage:
    """What came of one query so far.

    Attributes:
        query: Its name.
        start: The first instant that is wanted.
        stop: The end of what is wanted, exclusive.
        done: Until where it is there.
        windows: Windows that are complete.
        rows: Rows that they brought, and what there is of the next window.
        requests: Requests sent for them.
    """

    query: str
    start: datetime
    stop: datetime
    done: datetime
    windows: int = 0
    rows: int = 0
    requests: int = 0

    @property
    def share(self) -> float:
        """How much of the period is done, from 0 to 1."""
        if self.stop <= self.start:
            return 1.0
        return min(max((self.done - self.start) / (self.stop - self.start), 0.0), 1.0)

    def seconds_left(self, spent: float) -> float | None:
        """How long the rest takes at the pace so far; None where nothing is done yet.

        Args:
            spent: Seconds since the query began.
        """
        share = self.share
        return spent * (1 - share) / share if share else None

    def add(self, part: Part) -> None:
        """A part is done, its rows are out."""
        self.rows += part.usage.rows
        self.requests += part.usage.requests
        if part.commits is not None:
            self.windows += 1
            self.done = part.commits.end

    def text(self, spent: float, *, ended: bool) -> str:
        """The line for people, without the query's name."""
        left = self.seconds_left(spent)
        time = f"in {_duration(spent)}" if ended else None if left is None else f"{_duration(left)} left"
        counts = {"window": self.windows, "row": self.rows, "request": self.requests}
        told = [f"{count:,} {name}{'s' * (count != 1)}" for name, count in counts.items()]
        return ", ".join(filter(None, [f"{self.share:.0%}", time, *told]))


class Progress:
    """Says how far the queries of a run are; on a terminal in a line that log lines do not garble."""

    def __init__(self, clock: Callable[[], float], stream: TextIO) -> None:
        """Begin; nothing is said yet.

        Args:
            clock: Seconds that only grow.
            stream: Standard error, whether or not it is a terminal.
        """
        self._clock = clock
        self._line = StatusLine(stream) if stream.isatty() and _LOGGER.isEnabledFor(logging.INFO) else None
        self._every = DRAWN_EVERY if self._line else LOGGED_EVERY

    def over(
        self, query: str, start: datetime, stop: datetime, found: Iterable[list[Part]]
    ) -> Iterator[list[Part]]:
        """Hand on what was pulled for a query, and say how far it is whenever somebody comes for more.

        Args:
            query: Its name.
            start: The first instant that is wanted.
            stop: The end of what is wanted, exclusive.
            found: The parts of its windows, in order; the rows of one are out when the next is wanted.

        Yields:
            The same.
        """
        stage = Stage(query, start, stop, start)
        began = told = self._clock()
        try:
            if self._line:
                self._tell(stage, 0.0)
            for parts in found:
                yield parts
                for part in parts:
                    stage.add(part)
                if (now := self._clock()) - told >= self._every:
                    self._tell(stage, now - began)
                    told = now
            stage.done = max(stage.start, stage.stop)
            self._tell(stage, self._clock() - began, ended=True)
        finally:
            if self._line:
                self._line.close()

    def _tell(self, stage: Stage, spent: float, *, ended: bool = False) -> None:
        """Say it, where it is to be said."""
        text, left = stage.text(spent, ended=ended), stage.seconds_left(spent)
        if self._line:
            done = int(stage.share * _BAR)
            self._line.draw(f"{stage.query} [{'#' * done}{'.' * (_BAR - done)}] {text}")
            return
        fields = {
            "query": stage.query,
            "windows": stage.windows,
            "rows": stage.rows,
            "requests": stage.requests,
            "share": round(stage.share, 4),
            "seconds_left": None if left is None else round(left, 1),
        }
        _LOGGER.info("query %r: %s", stage.query, text, extra=fields)


class StatusLine:
    """The last line of a terminal, drawn over and over; handlers of the log write above it.

    As their stream it is written to from any thread. A terminal that goes away ends no run.
    """

    def __init__(self, stream: TextIO) -> None:
        """Begin without a line.

        Args:
            stream: The terminal.
        """
        self._stream = stream
        self._shown = 0
        self._lock = threading.RLock()
        self._handlers: list[logging.StreamHandler[TextIO]] = []

    def draw(self, text: str) -> None:
        """Show a text in place of the one before, cut off at the terminal's edge."""
        if not self._handlers:
            self._come_between()
        text = text[: self._columns() - 1]
        with suppress(OSError, ValueError), self._lock:
            self._stream.write(f"\r{text:<{self._shown}}")
            self._stream.flush()
            self._shown = len(text)

    def close(self) -> None:
        """Leave the last text where it stands, and give the log its stream back."""
        atexit.unregister(self.close)
        for handler in self._handlers:  # not under the lock, which their own threads may want
            handler.setStream(self._stream)
        self._handlers.clear()
        with suppress(OSError, ValueError), self._lock:
            if self._shown:
                self._shown = 0
                self._stream.write("\n")
                self._stream.flush()

    def write(self, text: str) -> int:
        """Write what is logged in the line's place; it is drawn again when there is something new."""
        with self._lock:
            blank = f"\r{' ' * self._shown}\r" if self._shown else ""
            self._shown = 0
            self._stream.write(f"{blank}{text}")
        return len(text)

    def flush(self) -> None:
        """Flush what is logged."""
        self._stream.flush()

    def _come_between(self) -> None:
        """Take the place of the terminal in the log's handlers, at the latest until the process ends."""
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is self._stream:
                handler.setStream(cast("TextIO", self))
                self._handlers.append(handler)
        atexit.register(self.close)

    def _columns(self) -> int:
        """How wide the terminal is."""
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or _USUAL_WIDTH
        except (OSError, ValueError):
            return _USUAL_WIDTH


def _duration(seconds: float) -> str:
    """Hours, minutes and seconds."""
    return str(timedelta(seconds=round(seconds)))
