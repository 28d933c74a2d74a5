"""Runs the tap as a process of its own, and reads what it says."""

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

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from genesys_sandbox import LogEntry, Sandbox

TAP = Path(sys.executable).parent / "tap-genesys-aggregates"
START = datetime(2025, 6, 16, tzinfo=timezone.utc)
END = datetime(2025, 6, 27, tzinfo=timezone.utc)
PATIENCE = 60
_OWN = {"extracted_at", "is_final"}

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
    said: str

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
        """The rows of a stream without what the tap says of its own reading."""
        records = [each for each in self.messages if each["type"] == "RECORD" and each["stream"] == stream]
        return [
            {name: value for name, value in each["record"].items() if name not in _OWN} for each in records
        ]


@contextlib.contextmanager
def begun(*arguments: str, variables: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A tap that runs; it is ended at the end of the block, if it has not by itself."""
    with subprocess.Popen(
        [str(TAP), *arguments],
        env={**os.environ, **(variables or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as tap:
        try:
            yield tap
        finally:
            tap.kill()


def run(*arguments: str, variables: Mapping[str, str] | None = None) -> Run:
    """Run the tap to its end."""
    with begun(*arguments, variables=variables) as tap:
        output, said = tap.communicate(timeout=PATIENCE)
    return Run(tap.returncode, output, said)


def written(folder: Path, name: str, content: object) -> str:
    """The path of a new JSON file."""
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


def questions(sandbox: Sandbox) -> list[LogEntry]:
    """The requests for data that a sandbox has seen: all but those for a token."""
    return [entry for entry in sandbox.log if entry.path != "/oauth/token"]


def by_key(rows: list[Row], keys: tuple[str, ...]) -> dict[tuple[object, ...], Row]:
    """Rows by their key, the last of a key counts: what a warehouse that upserts ends up with."""
    return {tuple(row[key] for key in keys): row for row in rows}
