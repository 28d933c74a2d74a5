"""A case in a process of its own: how it ended, how long that took, and the most memory it held."""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.hostile import running
from tests.hostile.serving import Server

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from tests.hostile.case import Case
    from tests.hostile.running import Ending

MEBIBYTE = 1 << 20
CEILING = 4 << 30
"""Bytes of address space that a run may have at all: what would go beyond fails, and not the machine."""
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024

# Forked from a process that has imported the tap and done nothing else: a run takes no second to begin, and
# the memory that is measured is its own.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload([running.__name__])


@dataclass(frozen=True, slots=True)
class Measured:
    """What a case came to: seconds, and MiB that were resident at most."""

    ending: Ending
    seconds: float
    memory: float


def measured(case: Case) -> Measured:
    """Run a case over real sockets.

    Args:
        case: The case.

    Returns:
        What it came to; a run that does not end in time is killed, and has died.
    """
    with Server(case.data, case.grant).listening() as origin:
        return apart(running.config(origin, **case.config), case.seconds * 4)


def apart(settings: dict[str, Any], patience: float) -> Measured:
    """Run the tap in a process of its own."""
    receiving, sending = _PROCESSES.Pipe(duplex=False)
    process = _PROCESSES.Process(target=_run, args=(settings, sending), daemon=True)
    process.start()
    sending.close()
    try:
        if receiving.poll(patience):
            found: Measured = receiving.recv()
            return found
    except EOFError:
        pass
    finally:
        process.kill()
        process.join()
        receiving.close()
    died = running.Ending(f"it died, or took over {patience:.0f} s", refused=False, waited=0, shown="")
    return Measured(died, patience, 0)


def _run(settings: dict[str, Any], sending: Connection) -> None:
    """In the child."""
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (CEILING, CEILING))
    began = time.monotonic()
    ending = running.run(settings)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT / MEBIBYTE
    sending.send(Measured(ending, time.monotonic() - began, memory))
    sending.close()
