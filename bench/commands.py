"""The commands that are measured: the tap and its peers, each for a given number of windows."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from bench.processes import PEERS, python_command, run
from bench.query import FIRST_DAY, GROUP_BY, METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bench.query import Api

_TAP = "from tap_genesys_aggregates.tap import TapGenesysAggregates as tap; tap.cli()"
"""The same as the installed command."""
_SMALLER_WINDOWS = (
    "from tap_genesys_aggregates.core import window_growth; window_growth.ROWS_WANTED = 5_000; "
)
"""Lets windows aim at 5,000 rows, as they did before bytes and seconds were bounded too."""

Command: TypeAlias = Callable[[int], list[str]]
"""Given a number of windows of one day, returns the command that turns them into rows."""


@dataclass(frozen=True)
class Commands:
    """The commands of the tap and its peers for one server.

    Attributes:
        api: The API that the server answers.
        url: URL of the server.
        groups: Groups in each day of its responses.
        folder: Where the commands keep their files.
    """

    api: Api
    url: str
    groups: int
    folder: Path

    def tap(self, windows: int, **settings: str | int) -> list[str]:
        """The tap; ``settings`` override windows of one day and one request at a time."""
        return [sys.executable, "-c", _TAP, "--config", str(self._tap_config(windows, settings))]

    def tap_with_smaller_windows(self, windows: int, **settings: str | int) -> list[str]:
        """The tap with windows that aim at 5,000 rows."""
        python, option, code, *arguments = self.tap(windows, **settings)
        return [python, option, _SMALLER_WINDOWS + code, *arguments]

    def tap_after(self, earlier: int, windows: int, *, knowing: bool) -> list[str]:
        """The tap after a run that loaded fewer windows, with or without what that run learnt about them."""
        output, state = self.folder / f"{earlier}.jsonl", self.folder / f"{earlier}-{knowing}.json"
        run(self.tap(earlier, max_window="P31D"), output)
        lines = map(json.loads, output.read_text(encoding="utf-8").splitlines())
        *_, value = (line["value"] for line in lines if line["type"] == "STATE")
        if not knowing:
            del value["bookmarks"]["rows"]["windows"]
        state.write_text(json.dumps(value), encoding="utf-8")
        return [*self.tap(windows, max_window="P31D"), "--state", str(state)]

    def tap_with_a_column_deselected(self, windows: int) -> list[str]:
        """The tap without the last of its columns of numbers."""
        path = self.folder / "tap-catalog.json"
        if not path.exists():
            run(self.discover(), path)
            catalog = json.loads(path.read_text(encoding="utf-8"))
            (stream,) = (each for each in catalog["streams"] if each["tap_stream_id"] == "rows")
            columns = stream["schema"]["properties"].items()
            *_, last = (name for name, column in columns if {"integer", "number"} & {*column["type"]})
            for entry in stream["metadata"]:
                if entry["breadcrumb"] == ["properties", last]:
                    entry["metadata"]["selected"] = False
            path.write_text(json.dumps(catalog), encoding="utf-8")
        return [*self.tap(windows), "--catalog", str(path)]

    def discover(self) -> list[str]:
        """``--discover`` of the tap."""
        return [*self.tap(0), "--discover"]

    def limit(self, windows: int) -> list[str]:
        """The bare limit: decode and encode, and nothing else."""
        lines = self.folder / "one-window.jsonl"
        if not lines.exists():
            run(self.tap(1), lines)
        return python_command("bench.peers.limit", self.api, self.groups, windows, lines)

    def script(self, windows: int) -> list[str]:
        """A tutorial-style script."""
        return python_command("bench.peers.script", self.api, self.url, windows, at=PEERS)

    def dlt_files(self, windows: int) -> list[str]:
        """Dlt's rest_api source, loading into files; files of an earlier run are deleted."""
        folder = self.folder / "dlt"
        shutil.rmtree(folder, ignore_errors=True)
        return python_command("bench.peers.dlt_files", self.api, self.url, windows, folder, at=PEERS)

    def airbyte(self, windows: int) -> list[str]:
        """A declarative Airbyte CDK source."""
        return python_command("bench.peers.airbyte", self.api, self.url, windows, self.folder, at=PEERS)

    def airbyte_stream(self, windows: int) -> list[str]:
        """An Airbyte CDK source in Python."""
        return python_command(
            "bench.peers.airbyte_stream", self.api, self.url, windows, self.folder, at=PEERS
        )

    def sdk_default(self, windows: int) -> list[str]:
        """A tap built the SDK's default way."""
        config = {"api": self.api, "base_url": self.url, "windows": windows}
        return python_command("bench.peers.sdk_default", "--config", self._file(f"sdk-{windows}", config))

    def settings(self, windows: int) -> dict[str, Any]:
        """The settings that the tap needs to load this many days; all others keep their defaults."""
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
            # A window is at least one bucket long, so a period of one minute has no window at all.
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
