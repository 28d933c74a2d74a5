"""How far a query is: a status line on a terminal, and a log line every few seconds elsewhere.

Progress is counted in windows, so that it costs nothing per row. Nothing is written to standard output,
which belongs to Singer messages.
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

    from tap_genesys_aggregates.extract.pulling import WindowPart

_LOGGER = logging.getLogger("tap-genesys-aggregates")

DRAWN_EVERY = 0.2
LOGGED_EVERY = 10.0
"""Minimum seconds between two updates; the end of a query is always reported."""

_BAR = 20
_DEFAULT_WIDTH = 80


@dataclass(slots=True)
class Stage:
    """How far one query is.

    Attributes:
        query: Its name.
        start: First instant wanted.
        stop: Exclusive end of what is wanted.
        done: Everything before this instant was loaded.
        windows: Complete windows.
        rows: Rows loaded so far.
        requests: Requests sent so far.
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
        """The share of the period that was loaded, 0 to 1."""
        if self.stop <= self.start:
            return 1.0
        return min(max((self.done - self.start) / (self.stop - self.start), 0.0), 1.0)

    def seconds_left(self, spent: float) -> float | None:
        """Estimated seconds until the query is done; None before anything was loaded.

        Args:
            spent: Seconds since the query started.
        """
        share = self.share
        return spent * (1 - share) / share if share else None

    def add(self, part: WindowPart) -> None:
        """Count a part whose rows were written."""
        self.rows += part.usage.rows
        self.requests += part.usage.requests
        if part.completes is not None:
            self.windows += 1
            self.done = part.completes.end

    def text(self, spent: float, *, ended: bool) -> str:
        """The progress in words, without the query's name."""
        left = self.seconds_left(spent)
        time = f"in {_duration(spent)}" if ended else None if left is None else f"{_duration(left)} left"
        counts = {"window": self.windows, "row": self.rows, "request": self.requests}
        told = [f"{count:,} {name}{'s' * (count != 1)}" for name, count in counts.items()]
        return ", ".join(filter(None, [f"{self.share:.0%}", time, *told]))


class Progress:
    """Reports the progress of a run's queries; on a terminal, in a line that log lines do not garble."""

    def __init__(self, clock: Callable[[], float], stream: TextIO) -> None:
        """Prepare; nothing is written yet.

        Args:
            clock: A monotonic clock, in seconds.
            stream: Standard error, whether or not it is a terminal.
        """
        self._clock = clock
        self._line = StatusLine(stream) if stream.isatty() and _LOGGER.isEnabledFor(logging.INFO) else None
        self._every = DRAWN_EVERY if self._line else LOGGED_EVERY

    def over(
        self, query: str, start: datetime, stop: datetime, found: Iterable[list[WindowPart]]
    ) -> Iterator[list[WindowPart]]:
        """Pass on what was pulled for a query, and report progress whenever the caller asks for more.

        Args:
            query: Its name.
            start: First instant wanted.
            stop: Exclusive end of what is wanted.
            found: The parts of its windows, in order. The rows of a part were written when the next is
                asked for.

        Yields:
            The same parts.
        """
        stage = Stage(query, start, stop, start)
        began = reported = self._clock()
        try:
            if self._line:
                self._report(stage, 0.0)
            for parts in found:
                yield parts
                for part in parts:
                    stage.add(part)
                if (now := self._clock()) - reported >= self._every:
                    self._report(stage, now - began)
                    reported = now
            stage.done = max(stage.start, stage.stop)
            self._report(stage, self._clock() - began, ended=True)
        finally:
            if self._line:
                self._line.close()

    def _report(self, stage: Stage, spent: float, *, ended: bool = False) -> None:
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
    """The last line of a terminal, redrawn in place; log handlers write above it.

    While a line is shown, it replaces the terminal as the stream of the log handlers, and so is written
    to from any thread. A terminal that goes away does not end the run.
    """

    def __init__(self, stream: TextIO) -> None:
        """Prepare; no line is shown yet.

        Args:
            stream: The terminal.
        """
        self._stream = stream
        self._shown = 0
        self._lock = threading.RLock()
        self._handlers: list[logging.StreamHandler[TextIO]] = []

    def draw(self, text: str) -> None:
        """Replace the text shown, cut at the edge of the terminal."""
        if not self._handlers:
            self._capture_log_handlers()
        text = text[: self._columns() - 1]
        with suppress(OSError, ValueError), self._lock:
            self._stream.write(f"\r{text:<{self._shown}}")
            self._stream.flush()
            self._shown = len(text)

    def close(self) -> None:
        """Leave the last text where it is, and give the log handlers their stream back."""
        atexit.unregister(self.close)
        for handler in self._handlers:  # without the lock, which their own threads may be waiting for
            handler.setStream(self._stream)
        self._handlers.clear()
        with suppress(OSError, ValueError), self._lock:
            if self._shown:
                self._shown = 0
                self._stream.write("\n")
                self._stream.flush()

    def write(self, text: str) -> int:
        """Write a log line in place of the text; the text is redrawn with the next update."""
        with self._lock:
            blank = f"\r{' ' * self._shown}\r" if self._shown else ""
            self._shown = 0
            self._stream.write(f"{blank}{text}")
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def _capture_log_handlers(self) -> None:
        """Take the terminal's place in the log handlers, until ``close`` or the end of the process."""
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is self._stream:
                handler.setStream(cast("TextIO", self))
                self._handlers.append(handler)
        atexit.register(self.close)

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or _DEFAULT_WIDTH
        except (OSError, ValueError):
            return _DEFAULT_WIDTH


def _duration(seconds: float) -> str:
    """``H:MM:SS``."""
    return str(timedelta(seconds=round(seconds)))
