"""Runs the whole tap against a sandbox without sockets or waiting, and keeps what it wrote."""

from __future__ import annotations

import io
import json
import sys
from collections import Counter
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from genesys_sandbox.in_process import InProcessAdapter
from tap_genesys_aggregates.tap import TapGenesysAggregates

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

    from genesys_sandbox import Sandbox

UTC = timezone.utc
HOST = "https://sandbox.invalid"

Message = dict[str, Any]
Row = dict[str, Any]


class Time:
    """A clock that moves only when somebody sleeps on it, or says so."""

    def __init__(self, now: datetime) -> None:
        """Begin at an instant."""
        self.instant = now

    def now(self) -> datetime:
        """The instant."""
        return self.instant

    def monotonic(self) -> float:
        """The instant, in seconds."""
        return self.instant.timestamp()

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self.instant += timedelta(seconds=seconds)


@dataclass
class Outcome:
    """What a run wrote, and how it ended."""

    messages: list[Message]
    error: BaseException | None = None
    log: str = field(default="", repr=False)

    @property
    def state(self) -> Message:
        """The last STATE, or none."""
        states = [message["value"] for message in self.messages if message["type"] == "STATE"]
        return states[-1] if states else {}

    def rows(self, stream: str) -> list[Row]:
        """The rows of a stream, in order."""
        return [
            message["record"]
            for message in self.messages
            if message["type"] == "RECORD" and message["stream"] == stream
        ]


def plain(row: Mapping[str, Any]) -> Row:
    """A row without the columns that say when it was read."""
    return {name: value for name, value in row.items() if name not in {"extracted_at", "is_final"}}


def bag(rows: list[Row]) -> Counter[str]:
    """Rows as a multiset: order does not count, twins do."""
    return Counter(json.dumps(plain(row), sort_keys=True) for row in rows)


class Warehouse:
    """What a target that upserts by key would hold."""

    def __init__(self) -> None:
        """Begin empty."""
        self.tables: dict[str, dict[tuple[Any, ...], Row]] = {}
        self.state: Message = {}
        self._keys: dict[str, list[str]] = {}

    def load(self, messages: list[Message]) -> None:
        """Load what a run wrote."""
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
    """A config for the sandbox; by default the results contract, one request at a time."""
    return {
        "client_id": "sandbox",
        "client_secret": "a-secret-of-the-sandbox",
        "base_url": HOST,
        "api": "results",
        "start_date": "2026-03-02T00:00:00Z",
        "concurrency": 1,
        "max_window": "P1D",
        **changes,
    }


def run(
    sandbox: Sandbox,
    settings: Mapping[str, Any],
    *,
    state: Message | None = None,
    time: Time | None = None,
    **tap: Any,
) -> Outcome:
    """Run the tap once.

    Args:
        sandbox: Who answers.
        settings: The config.
        state: What an earlier run left.
        time: The clock; by default the sandbox's present, standing still.
        tap: What else the tap takes.

    Returns:
        What it wrote until it ended, however it did.
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
                clock=time or Time(sandbox.now()),
                mount=mount,
                **tap,
            ).sync_all()
        except BaseException as raised:  # noqa: BLE001  # whatever ended it is part of the outcome
            error = raised
        sys.stdout.flush()
    written = out.buffer.getvalue().decode()
    return Outcome([json.loads(line) for line in written.splitlines()], error)
