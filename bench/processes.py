"""Runs the measured processes; the kernel reports what they cost, not the processes themselves."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / ".demo" / "peers" / "bin" / "python"
"""Python of the environment installed from requirements-peers.lock, which ``./run bench`` creates."""

_UNITS_PER_MIB = 1 << 20 if sys.platform == "darwin" else 1 << 10
"""``ru_maxrss`` is in bytes on macOS and in KiB elsewhere."""

_DLT = {"RUNTIME__DLTHUB_TELEMETRY": "false", "NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION": "true"}
"""Turns off telemetry and compression in dlt, because no other peer has either."""


@dataclass(frozen=True)
class Cost:
    """What a process cost.

    Attributes:
        cpu: CPU time in seconds, user and system.
        wall: Seconds from start to end.
        memory: Peak memory in MiB.
    """

    cpu: float
    wall: float
    memory: float


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Pin processes started in this block to one core, if the system supports that and has several."""
    if sys.platform != "linux" or len(cores := sorted(os.sched_getaffinity(0))) == 1:
        yield
        return
    os.sched_setaffinity(0, {cores[core % len(cores)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def environment() -> dict[str, str]:
    """Return the environment of a measured process, without variables that would configure it."""
    configuring = ("TAP_GENESYS_", "GENESYS_", "SINGER_SDK_", "PYTHON", "DLT_", "AIRBYTE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(configuring)}
    return {**kept, **_DLT, "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def run(command: Sequence[str], output: Path | None = None, *, on_one_core: bool = True) -> Cost:
    """Run a command and wait until it ends.

    Args:
        command: The command.
        output: A file for its standard output; discarded by default.
        on_one_core: Whether it runs on the first core only.

    Raises:
        RuntimeError: The command failed.
    """
    target, core = output or Path(os.devnull), pinned(0) if on_one_core else nullcontext()
    with tempfile.TemporaryFile() as errors, target.open("wb") as out, core:
        began = time.monotonic()
        child = subprocess.Popen(command, stdout=out, stderr=errors, cwd=ROOT, env=environment())  # noqa: S603  # our own
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:  # if we are stopped, stop the command too
            child.kill()
            child.wait()
            raise
        wall = time.monotonic() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            errors.seek(0)
            message = errors.read().decode(errors="replace")[-2_000:]
            raise RuntimeError(f"{' '.join(command)} failed with exit status {child.returncode}:\n{message}")
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / _UNITS_PER_MIB)


def python_command(module: str, *arguments: str | int | Path, at: str | Path = sys.executable) -> list[str]:
    """Return the command that runs a module.

    Args:
        module: Name of the module.
        arguments: Arguments of the module.
        at: The Python to use; by default the current one.
    """
    return [str(at), "-m", module, *map(str, arguments)]
