"""Who is measured: the tap and its peers, as commands for a number of windows."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from bench.asking import FIRST_DAY, GROUP_BY, METRICS
from bench.processes import PEERS, python, run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bench.asking import Api

_TAP = "from tap_genesys_aggregates.tap import TapGenesysAggregates as tap; tap.cli()"
"""What the installed command does."""


class Contender(Protocol):
    """Something that turns a number of windows into rows."""

    def __call__(self, windows: int) -> list[str]:
        """The command for so many windows of a day."""


@dataclass(frozen=True)
class Stage:
    """Where contenders meet: a contract, a server, and a folder for their files."""

    api: Api
    url: str
    groups: int
    folder: Path

    def tap(self, windows: int, **settings: str | int) -> list[str]:
        """The tap itself, with windows of a day and one request at a time unless settings say otherwise."""
        return [sys.executable, "-c", _TAP, "--config", str(self._tap_config(windows, settings))]

    def discover(self) -> list[str]:
        """The tap's ``--discover``."""
        return [*self.tap(0), "--discover"]

    def limit(self, windows: int) -> list[str]:
        """Decode and encode, and nothing else."""
        lines = self.folder / "one-window.jsonl"
        if not lines.exists():
            run(self.tap(1), lines)
        return python("bench.peers.limit", self.api, self.groups, windows, lines)

    def script(self, windows: int) -> list[str]:
        """A script in the manner of a tutorial."""
        return python("bench.peers.script", self.api, self.url, windows, at=PEERS)

    def dlt_files(self, windows: int) -> list[str]:
        """The rest_api source of dlt into files, in a folder without files of an earlier run."""
        folder = self.folder / "dlt"
        shutil.rmtree(folder, ignore_errors=True)
        return python("bench.peers.dlt_files", self.api, self.url, windows, folder, at=PEERS)

    def airbyte(self, windows: int) -> list[str]:
        """A declarative source of Airbyte's CDK."""
        return python("bench.peers.airbyte", self.api, self.url, windows, self.folder, at=PEERS)

    def airbyte_stream(self, windows: int) -> list[str]:
        """A source of Airbyte's CDK in Python."""
        return python("bench.peers.airbyte_stream", self.api, self.url, windows, self.folder, at=PEERS)

    def sdk_default(self, windows: int) -> list[str]:
        """A tap in the SDK's default way."""
        config = {"api": self.api, "base_url": self.url, "windows": windows}
        return python("bench.peers.sdk_default", "--config", self._file(f"sdk-{windows}", config))

    def settings(self, windows: int) -> dict[str, Any]:
        """The tap's settings for so many windows of a day, where they are not its own defaults."""
        end = FIRST_DAY + timedelta(days=windows)
        query = {
            "name": "rows",
            "group_by": GROUP_BY[self.api],
            "metrics": METRICS[self.api],
            "granularity": "PT30M",
        }
        return {
            "client_id": "id",
            "client_secret": "made-up",
            "base_url": self.url,
            "api": self.api,
            "start_date": f"{FIRST_DAY}T00:00:00Z",
            # No window is shorter than its bucket: a minute holds none.
            "end_date": f"{end}T00:{'00' if windows else '01'}:00Z",
            "queries": [query],
            "requests_per_minute": 100_000,
            "page_size": 10_000,
        }

    def _tap_config(self, windows: int, settings: Mapping[str, str | int]) -> Path:
        config = {**self.settings(windows), "max_window": "P1D", "concurrency": 1, **settings}
        name = "-".join([f"tap-{windows}", *map(str, settings.values())])
        return self._file(name, config)

    def _file(self, name: str, config: dict[str, Any]) -> Path:
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(config), encoding="utf-8")
        return path
