"""SIGTERM and SIGINT: the run stops between messages, never inside one.

A scheduler that kills a run must not see success, so the exit code is 128 plus the signal: 143 for
SIGTERM. Rows of the current window may be written without their STATE; the next run repeats them.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Termination:
    """Turns a signal into ``SystemExit`` as soon as no message is half written.

    Python runs signal handlers in the main thread, which also writes the messages, so no lock is needed.
    """

    def __init__(self) -> None:
        self._signal: int | None = None
        self._writing = False

    def request(self, signum: int) -> None:
        """Stop the run now, or after the message that is being written.

        Args:
            signum: The signal.

        Raises:
            SystemExit: With 128 plus the signal.
        """
        self._signal = signum
        if not self._writing:
            raise SystemExit(128 + signum)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Defer termination while a message is written.

        Raises:
            SystemExit: Termination was requested meanwhile.
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
