"""Runs the tap as a process, and reads what it writes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genesys_sandbox import ExpectedRows
from tap_genesys_aggregates.config.queries import presets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from genesys_sandbox import LogEntry, Sandbox

TAP = Path(sys.executable).parent / "tap-genesys-aggregates"
START = datetime(2025, 6, 16, tzinfo=timezone.utc)
END = datetime(2025, 6, 27, tzinfo=timezone.utc)
TIMEOUT = 60
TREE = "conversation_aggregates"
"""The preset of the group tree."""
_TREE_KEYS = ("interval_start", "routing_queue_id")
_TAP_COLUMNS = {"extracted_at", "is_final"}

Row = dict[str, Any]


def settings(url: str, api: str = "results", **more: object) -> dict[str, Any]:
    """A config for a served sandbox, over the days from ``START`` to ``END``."""
    access = {"base_url": url, "client_id": "sandbox", "client_secret": "sandbox"}
    return {**access, "api": api, "start_date": START.isoformat(), "end_date": END.isoformat(), **more}


@dataclass(frozen=True)
class Run:
    """A run that has ended."""

    status: int
    output: str
    stderr: str

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Its Singer messages; every line must be one."""
        return [json.loads(line) for line in self.output.splitlines()]

    @property
    def state(self) -> dict[str, Any]:
        """The last STATE."""
        states: list[dict[str, Any]] = [each["value"] for each in self.messages if each["type"] == "STATE"]
        return states[-1]

    def rows(self, stream: str) -> list[Row]:
        """The rows of a stream, without the columns that say when they were extracted."""
        records = [each for each in self.messages if each["type"] == "RECORD" and each["stream"] == stream]
        return [
            {name: value for name, value in each["record"].items() if name not in _TAP_COLUMNS}
            for each in records
        ]


@contextlib.contextmanager
def start(
    *arguments: str, variables: Mapping[str, str] | None = None, stderr: int = subprocess.PIPE
) -> Iterator[subprocess.Popen[str]]:
    """Start the tap; at the end of the block it is killed, unless it has ended."""
    with subprocess.Popen(
        [str(TAP), *arguments],
        env={**os.environ, **(variables or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    ) as tap:
        try:
            yield tap
        finally:
            tap.kill()


def run(*arguments: str, variables: Mapping[str, str] | None = None) -> Run:
    """Run the tap to its end."""
    with start(*arguments, variables=variables) as tap:
        output, stderr = tap.communicate(timeout=TIMEOUT)
    return Run(tap.returncode, output, stderr)


def write_json(folder: Path, name: str, content: object) -> str:
    """Write a JSON file, and return its path."""
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


def data_requests(sandbox: Sandbox) -> list[LogEntry]:
    """All requests that a sandbox has seen, except those for a token."""
    return [entry for entry in sandbox.log if entry.path != "/oauth/token"]


def by_key(rows: list[Row], keys: tuple[str, ...]) -> dict[tuple[object, ...], Row]:
    """Rows by their key, the last one of each key: what an upserting warehouse holds."""
    return {tuple(row[key] for key in keys): row for row in rows}


def is_complete(sandbox: Sandbox, *runs: Run) -> bool:
    """Whether runs together wrote exactly the expected rows of the preset ``TREE``."""
    rows = [row for each in runs for row in each.rows(TREE)]
    expected = ExpectedRows(sandbox).rows(presets()[TREE], START, END)
    return by_key(rows, _TREE_KEYS) == by_key(expected, _TREE_KEYS) != {}
