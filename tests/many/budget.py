"""One client's budget, whoever spends it; and threads that each write to an output of their own."""

from __future__ import annotations

import io
import threading
from collections import Counter
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from genesys_sandbox.access import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from genesys_sandbox import LogEntry, Options, Request, Response, Sandbox


class OneToken(Tokens):
    """Hands every caller the same token, so that the sandbox counts their requests together."""

    def __init__(self, options: Options) -> None:
        """Hand out none yet."""
        super().__init__(options)
        self._first: Response | None = None
        self._turn = threading.Lock()

    @override
    def issue(self, request: Request, now: datetime) -> Response:
        with self._turn:
            if self._first is None:
                self._first = super().issue(request, now)
            return self._first


def questions(sandbox: Sandbox) -> list[LogEntry]:
    """The requests that count: all but those for a token."""
    return [entry for entry in sandbox.log if entry.path != "/oauth/token"]


def answered(sandbox: Sandbox) -> Counter[str]:
    """How many requests were answered in each minute of the sandbox's clock."""
    return Counter(f"{entry.at:%d %H:%M}" for entry in questions(sandbox) if entry.status == 200)


def refused(sandbox: Sandbox) -> int:
    """How many requests were one too many."""
    return sum(entry.status == 429 for entry in questions(sandbox))


class _Outputs:
    """A standard output that is another one in each thread."""

    def __init__(self) -> None:
        self._local = threading.local()

    @property
    def buffer(self) -> io.BytesIO:
        """The bytes that this thread has written."""
        if not hasattr(self._local, "buffer"):
            self._local.buffer = io.BytesIO()
        found: io.BytesIO = self._local.buffer
        return found

    def flush(self) -> None:
        """Nothing waits."""


@contextmanager
def outputs() -> Iterator[Any]:
    """Give each thread a standard output of its own for as long as the block lasts."""
    own: Any = _Outputs()
    with redirect_stdout(own):
        yield own
