"""SIGTERM and SIGINT: stop between messages, never inside one.

A scheduler that kills a run must not see success, so the exit code is 128 + the signal: 143 for
SIGTERM. Rows of the window in flight may be out without their STATE: the next run repeats them.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Termination:
    """Turns a signal into ``SystemExit`` at the next moment when no message is half written.

    Signal handlers run in the main thread, where messages are written too, so no lock is needed.
    """

    def __init__(self) -> None:
        self._signal: int | None = None
        self._writing = False

    def ask(self, signum: int) -> None:
        """Ask for the end: at once, or after the message that is being written.

        Args:
            signum: The signal.

        Raises:
            SystemExit: With 128 + the signal.
        """
        self._signal = signum
        if not self._writing:
            raise SystemExit(128 + signum)

    @contextmanager
    def message(self) -> Iterator[None]:
        """Hold the end back while a message is written.

        Raises:
            SystemExit: The end was asked for meanwhile.
        """
        if self._writing:
            yield
            return
        self._writing = True
        try:
            yield
        finally:
            self._writing = False
        if self._signal is not None:
            raise SystemExit(128 + self._signal)
