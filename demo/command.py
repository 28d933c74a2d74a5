"""The command: prepare the places, run the demo, end well."""

from __future__ import annotations

import argparse
import fcntl
import signal
import time
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING

from rich.console import Console

from demo import places, postgres, project
from demo.ledger import Ledger
from demo.show import Show
from demo.trouble import TroubleError

if TYPE_CHECKING:
    from collections.abc import Sequence

ABOUT = "Everything on this machine, from a make-believe Genesys Cloud to a real Postgres."


def run(argv: Sequence[str] | None = None) -> int:
    """Run the demo.

    Args:
        argv: The command line.

    Returns:
        0 if Postgres holds what it must; 1 if not, or if something went wrong.
    """
    parser = argparse.ArgumentParser(prog="./run demo", description=ABOUT)
    parser.add_argument("--fresh", action="store_true", help="forget what earlier demos loaded")
    asked = parser.parse_args(argv)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    console = Console(highlight=False)
    try:
        with ExitStack() as stack:
            stack.enter_context(_alone())
            return _demo(console, stack, fresh=asked.fresh)
    except TroubleError as trouble:
        console.print(f"\n{trouble}", style="red", markup=False)
        return 1


def _demo(console: Console, stack: ExitStack, *, fresh: bool) -> int:
    """Prepare the places, then load and show."""
    began = time.monotonic()
    theirs = postgres.of_the_user()
    ledger = Ledger(theirs.url if theirs else None)
    if fresh:
        ledger.forget()
    with console.status("Installing the tap and target-postgres with Meltano ..."):
        meltano = project.ready()
    with console.status("Starting Postgres ..."):
        server = theirs or stack.enter_context(postgres.embedded(ledger.postgres))
    status = Show(console, meltano, server, ledger).all()
    console.print(f"\n{time.monotonic() - began:.0f} seconds in all.", style="dim")
    return status


def _alone() -> IO[str]:
    """Hold the demo's folder: two demos at once would get into each other's way."""
    places.DEMO.mkdir(exist_ok=True)
    lock = (places.DEMO / "lock").open("w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        message = "Another demo is running in this clone."
        raise TroubleError(message) from None
    return lock


def _end(signum: int, _frame: object) -> None:
    raise SystemExit(128 + signum)
