"""Runs the tap in this process, in a process of its own with its memory measured, or as a command.

Time jumps ahead wherever the tap would sleep, so that no run has to wait.
"""

from __future__ import annotations

import io
import json
import logging
import multiprocessing
import os
import resource
import sys
import time
import traceback
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_genesys_aggregates.core.errors import TapError
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.adversarial.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from multiprocessing.connection import Connection
    from pathlib import Path

    import requests

    from tests.adversarial.server import Case

CLIENT = "the-client"
SECRET = 'S3cr3t+of/the=client&%"q\u00e9x0123456789'
"""Contains every kind of character that base64, URLs, JSON and forms write differently."""
TREE_QUERY = {
    "name": "calls",
    "group_by": ["interval", "routing.queue.id"],
    "metrics": ["conversationCount"],
    "granularity": "P1D",
}
RESULTS_QUERY = {
    "name": "calls",
    "group_by": ["queueId"],
    "metrics": ["nOffered", "tHandle"],
    "granularity": "P1D",
}
JOBS_QUERY = {"name": "calls", "metrics": ["nOffered"], "granularity": "P1D", "mode": "async"}
_ADDED_COLUMNS = {"extracted_at", "is_final"}
_MEBIBYTE = 1 << 20
_ADDRESS_SPACE = 4 << 30
"""Bytes of address space that a run may use, so that a runaway run fails instead of the machine."""
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024
_COMMAND_TIMEOUT = 60.0

# Processes are forked from one that has imported the tap and done nothing else: a run starts at once, and
# the memory measured is its own.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload([__name__])


class InstantClock:
    """The machine's clock, except that sleeping takes no time."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self.slept = 0.0

    def now(self) -> datetime:
        """The current time; a run starts on November 20, 2023."""
        return datetime(2023, 11, 20, tzinfo=timezone.utc) + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started + self.slept

    def sleep(self, seconds: float) -> None:
        """Jump ahead."""
        self.slept += seconds


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes:
        summary: ``1 rows [...]``, or the error's class and message.
        is_handled: Whether it ended with rows or with one of the tap's own errors.
        slept: Seconds that the tap would have slept.
        output: Everything written and logged at debug level, tracebacks included.
    """

    summary: str
    is_handled: bool
    slept: float
    output: str


@dataclass(frozen=True, slots=True)
class Measured:
    """The outcome of a run, with its seconds and its peak resident memory in MiB."""

    outcome: Outcome
    seconds: float
    mib: float


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The result of a command.

    Attributes:
        status: The exit code.
        text: Standard output, standard error and every file left behind.
    """

    status: int
    text: str


def config(origin: str, **changes: object) -> dict[str, Any]:
    """A config for one day of one query on a host."""
    api = changes.get("api", "group_tree")
    return {
        "client_id": CLIENT,
        "client_secret": SECRET,
        "base_url": origin,
        "api": api,
        "start_date": "2023-11-01T00:00:00Z",
        "end_date": "2023-11-02T00:00:00Z",
        "max_window": "P1D",
        "concurrency": 1,
        "requests_per_minute": 3000,
        "queries": [TREE_QUERY if api == "group_tree" else RESULTS_QUERY],
        **changes,
    }


@contextmanager
def _debug_log() -> Iterator[io.StringIO]:
    """Set every logger to debug level and collect what they write."""
    text, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(text), root.level
    levels = {
        name: logger.level
        for name, logger in root.manager.loggerDict.items()
        if isinstance(logger, logging.Logger)
    }
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    for name in levels:
        logging.getLogger(name).setLevel(logging.NOTSET)
    try:
        yield text
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        for name, before in levels.items():
            logging.getLogger(name).setLevel(before)


def run_tap(settings: Mapping[str, Any], mount: Callable[[requests.Session], None] | None = None) -> Outcome:
    """Run the tap once in this process.

    Args:
        settings: The config.
        mount: Mounts another adapter on each session.
    """
    clock, error = InstantClock(), None
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with _debug_log() as log, redirect_stdout(out):
        try:
            TapGenesysAggregates(config=dict(settings), clock=clock, mount=mount).sync_all()
        except BaseException as raised:  # noqa: BLE001  # whatever ended the run is its outcome
            error = raised
        sys.stdout.flush()
    written = out.buffer.getvalue().decode()
    trace = "".join(traceback.format_exception(error)) if error else ""
    output = f"{written}{log.getvalue()}{trace}{error!r}"
    if error is not None:
        return Outcome(f"{type(error).__name__}: {error}", isinstance(error, TapError), clock.slept, output)
    rows = [
        message["record"] for message in map(json.loads, written.splitlines()) if message["type"] == "RECORD"
    ]
    shown = [
        {name: value for name, value in row.items() if name not in _ADDED_COLUMNS}
        for row in rows
        if "interval_start" in row
    ]
    return Outcome(f"{len(shown)} rows {json.dumps(shown[:3])}", True, clock.slept, output)  # noqa: FBT003


def run_case(case: Case) -> Measured:
    """Run a case over real sockets, in a process of its own.

    Args:
        case: The case; a run that does not end in time is killed.
    """
    with Server(case.api, case.token).listening() as origin:
        return _run_apart(config(origin, **case.config), case.max_seconds * 4)


def _run_apart(settings: dict[str, Any], timeout: float) -> Measured:
    """Run the tap in a process of its own."""
    receiving, sending = _PROCESSES.Pipe(duplex=False)
    process = _PROCESSES.Process(target=_measure, args=(settings, sending), daemon=True)
    process.start()
    sending.close()
    try:
        if receiving.poll(timeout):
            measured: Measured = receiving.recv()
            return measured
    except EOFError:
        pass
    finally:
        process.kill()
        process.join()
        receiving.close()
    outcome = Outcome(f"it died, or took more than {timeout:.0f} s", is_handled=False, slept=0, output="")
    return Measured(outcome, timeout, 0)


def _measure(settings: dict[str, Any], sending: Connection) -> None:
    """Runs in the child process."""
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    started = time.monotonic()
    outcome = run_tap(settings)
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT / _MEBIBYTE
    sending.send(Measured(outcome, time.monotonic() - started, mib))
    sending.close()


class _CrashingClock(InstantClock):
    """A clock that raises, with a secret in the error."""

    @override
    def monotonic(self) -> float:
        local = f"{SECRET} in a local variable"
        raise KeyError(local)


class _Tap(TapGenesysAggregates):
    """The tap with a clock that does not wait."""

    def __init__(self, **named: Any) -> None:
        clock = _CrashingClock() if "CRASHING" in os.environ else InstantClock()
        super().__init__(clock=clock, **named)


def run_command(folder: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> CommandResult:
    """Run the command at debug level in a process and a folder of its own.

    Args:
        folder: The working directory, and the home directory too.
        arguments: The command-line arguments.
        variables: Environment variables to set.
    """
    streams = folder.parent / f"{folder.name}.streams"
    process = _PROCESSES.Process(
        target=_command, args=(str(folder), str(streams), arguments, dict(variables or {})), daemon=True
    )
    process.start()
    process.join(_COMMAND_TIMEOUT)
    if process.is_alive():
        process.kill()
        process.join()
    files = "".join(each.read_text("utf-8") for each in sorted(folder.rglob("*")) if each.is_file())
    status = process.exitcode
    assert status is not None
    return CommandResult(status, streams.read_text(encoding="utf-8") + files)


def _command(folder: str, streams: str, arguments: tuple[str, ...], variables: dict[str, str]) -> None:
    """Runs in the child process."""
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
        _Tap.cli(list(arguments))
    except SystemExit:
        raise
    except BaseException:  # noqa: BLE001  # what the interpreter would do
        sys.excepthook(*sys.exc_info())
        sys.exit(1)
    finally:
        sys.stdout.flush()
