"""The command line of the demo: set up Meltano and Postgres, run the demo, clean up."""

from __future__ import annotations

import argparse
import fcntl
import signal
import time
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING

from rich.console import Console

from demo import paths, postgres, postgres_process, project
from demo.errors import DemoError
from demo.history import DemoHistory
from demo.run import DemoRun

if TYPE_CHECKING:
    from collections.abc import Sequence

DESCRIPTION = "Load data from a simulated Genesys Cloud into a real Postgres, all on this machine."


def run(argv: Sequence[str] | None = None) -> int:
    """Run the demo.

    Args:
        argv: The command line; ``sys.argv`` if None.

    Returns:
        0 if Postgres holds exactly the expected rows; 1 if it does not, or if a step failed.
    """
    parser = argparse.ArgumentParser(prog="./run demo", description=DESCRIPTION)
    parser.add_argument("--fresh", action="store_true", help="discard the data and state of earlier demos")
    parser.add_argument("--keep", action="store_true", help="leave the embedded Postgres running at the end")
    parser.add_argument("--stop", action="store_true", help="stop the Postgres that --keep left running")
    options = parser.parse_args(argv)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _exit_on_signal)
    console = Console(highlight=False)
    try:
        with ExitStack() as stack:
            stack.enter_context(_lock())
            if options.stop:
                return _stop(console)
            return _demo(console, stack, fresh=options.fresh, keep=options.keep)
    except DemoError as error:
        console.print(f"\n{error}", style="red", markup=False)
        return 1


def _stop(console: Console) -> int:
    running = postgres_process.stop(DemoHistory(None).postgres)
    console.print("Stopped. The data is kept." if running else "No Postgres of the demo is running.")
    return 0


def _demo(console: Console, stack: ExitStack, *, fresh: bool, keep: bool) -> int:
    began = time.monotonic()
    own_server = postgres.from_environment()
    history = DemoHistory(own_server.url if own_server else None)
    if fresh:
        postgres_process.stop(history.postgres)
        history.clear()
    meltano = project.prepare()
    with console.status("Starting Postgres ..."):
        server = own_server or stack.enter_context(postgres.embedded(history.postgres, keep=keep))
    status = DemoRun(console, meltano, server, history).run()
    if keep and own_server is None:
        console.print("\nPostgres keeps running. To look at the tables, and to stop it:\n")
        console.print(f"{server.psql}\n./run demo --stop", soft_wrap=True, markup=False)
    console.print(f"\nFinished in {time.monotonic() - began:.0f} seconds.", style="dim")
    return status


def _lock() -> IO[str]:
    """Lock ``.demo/``: two demos at once would overwrite each other's data."""
    paths.DEMO.mkdir(exist_ok=True)
    lock = (paths.DEMO / "lock").open("w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        message = "Another demo is already running in this clone. Wait for it to finish, or stop it first."
        raise DemoError(message) from None
    return lock


def _exit_on_signal(signum: int, _frame: object) -> None:
    raise SystemExit(128 + signum)
