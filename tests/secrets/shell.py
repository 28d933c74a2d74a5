"""The command line in a process of its own at debug level, without waiting; all that it writes anywhere."""

from __future__ import annotations

import multiprocessing
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.hostile.running import SECRET, Leaping

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

PATIENCE = 60.0
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload([__name__])


@dataclass(frozen=True, slots=True)
class Said:
    """What a command came to.

    Attributes:
        status: Exit code.
        text: Standard output, standard error and the files that it left.
    """

    status: int
    text: str


class Crashing(Leaping):
    """A clock that breaks, with a secret in its last words."""

    @override
    def now(self) -> datetime:
        local = f"{SECRET} in a local variable"
        raise KeyError(local)


class Tap(TapGenesysAggregates):
    """The tap on a clock that leaps."""

    def __init__(self, **named: Any) -> None:
        """Begin a run."""
        clock = Crashing() if "CRASHING" in os.environ else Leaping()
        super().__init__(clock=clock, **named)


def said(folder: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> Said:
    """Run a command in a folder, which is its home too.

    Args:
        folder: Where it may leave files.
        arguments: What follows the command's name.
        variables: Its environment, but for what Python needs.

    Returns:
        What it came to.
    """
    streams = folder.parent / f"{folder.name}.streams"
    process = _PROCESSES.Process(
        target=_run, args=(str(folder), str(streams), arguments, dict(variables or {})), daemon=True
    )
    process.start()
    process.join(PATIENCE)
    if process.is_alive():
        process.kill()
        process.join()
    left = "".join(each.read_text("utf-8") for each in sorted(folder.rglob("*")) if each.is_file())
    status = process.exitcode
    assert status is not None
    return Said(status, streams.read_text(encoding="utf-8") + left)


def _run(folder: str, streams: str, arguments: tuple[str, ...], variables: dict[str, str]) -> None:
    """In the child."""
    os.chdir(folder)
    for name in os.environ:
        if name.startswith(("TAP_", "GENESYS_")) or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ.update({"HOME": folder, "LOGLEVEL": "DEBUG", **variables})
    target = os.open(streams, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    for number in (1, 2):
        os.dup2(target, number)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False, buffering=1)
    sys.argv = ["tap-genesys-aggregates", *arguments]
    try:
        Tap.cli(list(arguments))
    except SystemExit:
        raise
    except BaseException:  # noqa: BLE001  # as the interpreter would
        sys.excepthook(*sys.exc_info())
        sys.exit(1)
    finally:
        sys.stdout.flush()
