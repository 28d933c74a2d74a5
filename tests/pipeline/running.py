"""Runs the whole tap in this process against a sandbox, without sockets or waiting."""

from __future__ import annotations

import io
import json
import math
import sys
import threading
from collections import Counter
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from genesys_sandbox.in_process import InProcessAdapter
from tap_genesys_aggregates.tap import TapGenesysAggregates

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import requests

    from genesys_sandbox import Sandbox

UTC = timezone.utc
HOST = "https://sandbox.invalid"
DAILY_CALLS: dict[str, Any] = {
    "name": "calls",
    "metrics": ["nOffered", "tHandle"],
    "group_by": ["queueId"],
    "granularity": "P1D",
}
QUEUE = "027396f4-553b-43ed-8ec0-09303971bd1c"
"""A queue that the sandbox has."""

Message = dict[str, Any]
Row = dict[str, Any]


class ManualClock:
    """A clock that moves only when it is slept on or set."""

    def __init__(self, now: datetime) -> None:
        self.instant = now

    def now(self) -> datetime:
        """The time on the clock."""
        return self.instant

    def monotonic(self) -> float:
        """The same in seconds."""
        return self.instant.timestamp()

    def sleep(self, seconds: float) -> None:
        """Set the clock forward, rounded up: whoever waits for an instant must not wake before it."""
        self.instant += timedelta(microseconds=math.ceil(seconds * 1_000_000) + 1)


@dataclass
class Outcome:
    """What a run wrote, and how it ended.

    Attributes:
        messages: The Singer messages on standard output.
        error: What ended the run, if it did not succeed.
        log: The log, where it was captured.
    """

    messages: list[Message]
    error: BaseException | None = None
    log: str = field(default="", repr=False)

    @property
    def state(self) -> Message:
        """The value of the last STATE message; empty if there was none."""
        states = [message["value"] for message in self.messages if message["type"] == "STATE"]
        return states[-1] if states else {}

    def rows(self, stream: str) -> list[Row]:
        """The rows of a stream, in order."""
        return [
            message["record"]
            for message in self.messages
            if message["type"] == "RECORD" and message["stream"] == stream
        ]


def without_extraction_columns(row: Mapping[str, Any]) -> Row:
    """A row without the columns that depend on when it was extracted."""
    return {name: value for name, value in row.items() if name not in {"extracted_at", "is_final"}}


def multiset(rows: list[Row]) -> Counter[str]:
    """Rows to compare with others, in any order but with duplicates; extraction columns are left out."""
    return Counter(json.dumps(without_extraction_columns(row), sort_keys=True) for row in rows)


class Warehouse:
    """The tables of a target that upserts by key."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[tuple[Any, ...], Row]] = {}
        self.state: Message = {}
        self._keys: dict[str, list[str]] = {}

    def load(self, messages: list[Message]) -> None:
        """Load the messages of a run, in order."""
        for message in messages:
            if message["type"] == "SCHEMA":
                self._keys[message["stream"]] = message["key_properties"]
            elif message["type"] == "RECORD":
                row = message["record"]
                key = tuple(row[name] for name in self._keys[message["stream"]])
                self.tables.setdefault(message["stream"], {})[key] = row
            elif message["type"] == "STATE":
                self.state = message["value"]

    def rows(self, stream: str) -> list[Row]:
        """The rows of a table."""
        return list(self.tables.get(stream, {}).values())


def config(**changes: Any) -> dict[str, Any]:
    """A config for the sandbox; by default the results API, one request at a time, and no rechecks."""
    return {
        "client_id": "sandbox",
        "client_secret": "a-secret-of-the-sandbox",
        "base_url": HOST,
        "api": "results",
        "start_date": "2026-03-02T00:00:00Z",
        "concurrency": 1,
        "max_window": "P1D",
        "recheck_requests": 0,
        **changes,
    }


def run(
    sandbox: Sandbox,
    settings: Mapping[str, Any],
    *,
    state: Message | None = None,
    time: ManualClock | None = None,
    **tap: Any,
) -> Outcome:
    """Run the tap once.

    Args:
        sandbox: Answers the requests.
        settings: The config.
        state: The state of an earlier run.
        time: The clock; by default it stands at the current time of the sandbox.
        tap: Further arguments of the tap.

    Returns:
        What it wrote until it ended, and the error that ended it, if any.
    """

    def mount(session: requests.Session) -> None:
        session.mount("https://", InProcessAdapter(sandbox))

    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    error: BaseException | None = None
    with redirect_stdout(out):
        try:
            TapGenesysAggregates(
                config=dict(settings),
                state=json.loads(json.dumps(state or {})),
                clock=time or ManualClock(sandbox.now()),
                mount=mount,
                **tap,
            ).sync_all()
        except BaseException as raised:  # noqa: BLE001  # whatever ended it is part of the outcome
            error = raised
        sys.stdout.flush()
    written = out.buffer.getvalue().decode()
    return Outcome([json.loads(line) for line in written.splitlines()], error)


class _StdoutByThread:
    """A standard output with a separate buffer in each thread."""

    def __init__(self) -> None:
        self._local = threading.local()

    @property
    def buffer(self) -> io.BytesIO:
        """The bytes that this thread has written."""
        if not hasattr(self._local, "buffer"):
            self._local.buffer = io.BytesIO()
        found: io.BytesIO = self._local.buffer
        return found

    def flush(self) -> None:
        """Do nothing: the buffer is in memory."""


@contextmanager
def stdout_by_thread() -> Iterator[Any]:
    """Replace standard output by one that keeps the output of each thread separate."""
    stdout: Any = _StdoutByThread()
    with redirect_stdout(stdout):
        yield stdout
