"""Processes under measurement: what a run cost, told by the kernel and not by the run itself."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / ".demo" / "peers" / "bin" / "python"
"""The Python of the environment that requirements-peers.lock describes; ``./run bench`` makes it."""

_MEBIBYTE = 1 << 20 if sys.platform == "darwin" else 1 << 10
"""What ``ru_maxrss`` counts in differs."""

_DLT = {"RUNTIME__DLTHUB_TELEMETRY": "false", "NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION": "true"}
"""dlt tells nobody that it runs, and compresses as little as the others."""


@dataclass(frozen=True)
class Cost:
    """What a process cost.

    Attributes:
        cpu: Seconds of processor time, its own and the kernel's for it.
        wall: Seconds from its start to its end.
        memory: The most memory it held at once, in MiB.
    """

    cpu: float
    wall: float
    memory: float


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Let what is started meanwhile run on one core, where the system can do that and has several."""
    if sys.platform != "linux" or len(cores := sorted(os.sched_getaffinity(0))) == 1:
        yield
        return
    os.sched_setaffinity(0, {cores[core % len(cores)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def environment() -> dict[str, str]:
    """The environment of every process measured: no settings that a developer happens to have."""
    steering = ("TAP_GENESYS_", "GENESYS_", "SINGER_SDK_", "PYTHON", "DLT_", "AIRBYTE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(steering)}
    return {**kept, **_DLT, "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def run(command: Sequence[str], output: Path | None = None) -> Cost:
    """Run a command to its end, on the first core.

    Args:
        command: What to run.
        output: Where its standard output goes; by default nowhere.

    Returns:
        What it cost.

    Raises:
        RuntimeError: It failed.
    """
    target = output or Path(os.devnull)
    with tempfile.TemporaryFile() as errors, target.open("wb") as out, pinned(0):
        began = time.monotonic()
        child = subprocess.Popen(command, stdout=out, stderr=errors, cwd=ROOT, env=environment())  # noqa: S603  # ours
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:  # we are stopped, and so is what we measure
            child.kill()
            child.wait()
            raise
        wall = time.monotonic() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            errors.seek(0)
            said = errors.read().decode(errors="replace")[-2_000:]
            raise RuntimeError(f"{' '.join(command)} ended with {child.returncode}:\n{said}")
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / _MEBIBYTE)


def python(module: str, *arguments: str | int | Path, at: str | Path = sys.executable) -> list[str]:
    """The command that runs a module.

    Args:
        module: The module.
        arguments: What follows it.
        at: The Python; by default this one.
    """
    return [str(at), "-m", module, *map(str, arguments)]
