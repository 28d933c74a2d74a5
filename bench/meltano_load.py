"""``meltano run`` into Postgres: this project as shipped, relative to two other ways.

One is an SDK-default tap and target settings: the target uses INSERT and validates each record, which are its
defaults. The other is this project without the settings that ``docs/targets.md`` calls faster, apart from
COPY without validation. All run in the same Meltano project with the same target-postgres. Wall-clock time is
measured, because several processes share the work: Meltano, tap and target run on the first core, Postgres
and the server on the second. The time of a run of one window is subtracted as startup.
"""

from __future__ import annotations

import json
import shlex
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql

from bench.commands import Commands
from bench.figures import Figure
from bench.output import DifferentRowsError
from bench.processes import ROOT, pinned
from bench.replay import replay_server
from bench.responses import BUCKETS
from demo import postgres, project
from demo.paths import DEMO

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from bench.figures import Sizes
    from demo.postgres import Postgres
    from demo.project import Project

_TAP, _PEER = "tap-genesys-aggregates", "tap-sdk-default"
_TARGET_DEFAULTS = {"TARGET_POSTGRES_USE_COPY": "false", "TARGET_POSTGRES_VALIDATE_RECORDS": "true"}
_WITHOUT_SETTINGS = {
    "TARGET_POSTGRES_ADD_RECORD_METADATA": "true",
    "TARGET_POSTGRES_ACTIVATE_VERSION": "true",
    "TARGET_POSTGRES_BATCH_SIZE_ROWS": "10000",
}
"""The target's defaults for what ``meltano.yml`` sets beside COPY without validation."""
_PEER_PLUGIN = """\
  - name: tap-sdk-default
    namespace: tap_sdk_default
    executable: ./tap-sdk-default
    capabilities: [catalog, state, discover]
    settings:
    - name: api
    - name: base_url
    - name: windows
      kind: integer
"""


@dataclass(frozen=True, slots=True)
class MeltanoLoads:
    """Loads with Meltano into Postgres.

    Attributes:
        commands: The server, and the tap's settings.
        project: The Meltano project with both taps.
        warehouse: The Postgres server.
    """

    commands: Commands
    project: Project
    warehouse: Postgres

    def tap(self, windows: int) -> float:
        """Run a load as this project ships it, with the tap's defaults, and return the seconds it took."""
        return self._load(_TAP, windows, self.commands.settings(windows), {})

    def without_settings(self, windows: int) -> float:
        """The same with the target's defaults for metadata, versions and batches."""
        return self._load(_TAP, windows, self.commands.settings(windows), _WITHOUT_SETTINGS)

    def peer(self, windows: int) -> float:
        """Run a load the SDK's default way, and return the seconds it took."""
        config = {"api": self.commands.api, "base_url": self.commands.url, "windows": windows}
        return self._load(_PEER, windows, config, _TARGET_DEFAULTS)

    def _load(self, tap: str, windows: int, config: Mapping[str, Any], target: Mapping[str, str]) -> float:
        """Load into fresh tables, and check the number of rows there."""
        self.warehouse.drop_tables(["rows", "extractions"])
        settings = {f"{tap}_{name}".replace("-", "_").upper(): _text(value) for name, value in config.items()}
        with pinned(0):
            began = time.monotonic()
            self.project.run(
                ["run", "--full-refresh", "--state-id-suffix", "bench", tap, "target-postgres"],
                {**self.warehouse.settings, **target, **settings},
            )
            seconds = time.monotonic() - began
        loaded, expected = self._rows(), windows * self.commands.groups * BUCKETS
        if loaded != expected:
            raise DifferentRowsError(f"{tap} loaded {loaded} rows, not {expected}. No figures are published.")
        return seconds

    def _rows(self) -> object:
        table = sql.Identifier(postgres.SCHEMA, "rows")
        with self.warehouse.connect() as connection:
            (count,) = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(table)).fetchone() or (0,)
        return count


def measure(sizes: Sizes, folder: Path) -> Iterator[Figure]:
    """Measure loads.

    Args:
        sizes: How much to load.
        folder: A folder for the data of Postgres.

    Yields:
        The figures.

    Raises:
        DifferentRowsError: The number of rows in Postgres is wrong.
    """
    with (
        replay_server("results", sizes.groups) as url,
        meltano_loads(Commands("results", url, sizes.groups, folder)) as loads,
    ):
        yield from _figures(loads, sizes)


@contextmanager
def meltano_loads(commands: Commands) -> Iterator[MeltanoLoads]:
    """Loads of a server's rows into a Postgres on the second core.

    Args:
        commands: The server, and a folder for the data of Postgres.
    """
    meltano = prepare_project()
    with ExitStack() as stack:
        with pinned(1):
            warehouse = stack.enter_context(postgres.embedded(commands.folder / "postgres"))
        yield MeltanoLoads(commands, meltano, warehouse)


def _figures(loads: MeltanoLoads, sizes: Sizes) -> Iterator[Figure]:
    rows = loads.commands.groups * BUCKETS
    ratios, rates, gains = [], [], []
    for _ in range(sizes.long_rounds):
        ours = (loads.tap(sizes.loaded) - loads.tap(1)) / (sizes.loaded - 1)
        peer = (loads.peer(sizes.loaded_slowly) - loads.peer(1)) / (sizes.loaded_slowly - 1)
        slower = (loads.without_settings(sizes.loaded) - loads.without_settings(1)) / (sizes.loaded - 1)
        ratios.append(peer / ours)
        gains.append(slower / ours)
        rates.append(rows / ours)
    method = (
        f"{rows * sizes.loaded:,} rows, the peer {rows * sizes.loaded_slowly:,}; rates net of a "
        f"run of {rows:,}, {sizes.long_rounds} rounds, wall-clock time; {min(rates):,.0f} to "
        f"{max(rates):,.0f} rows per second"
    )
    title = "`results`: `meltano run` into Postgres, relative to an SDK-default tap and target settings"
    yield Figure.from_ratios(title, ratios, ("at least", 2.5), method)
    method = f"{rows * sizes.loaded:,} rows; rates net of a run of {rows:,}, {sizes.long_rounds} rounds, "
    title = (
        "`results`: `meltano run` into Postgres, relative to the target's metadata, versions and batch size"
    )
    yield Figure.from_ratios(title, gains, ("at least", 1.15), f"{method}wall-clock time")


def prepare_project() -> Project:
    """Prepare a Meltano project that also has the peer's tap, as a script that runs it with this Python."""
    meltano = project.prepare(DEMO / "bench")
    definition = meltano.folder / "meltano.yml"
    before, extractors, after = definition.read_text(encoding="utf-8").partition("  extractors:\n")
    definition.write_text(f"{before}{extractors}{_PEER_PLUGIN}{after}", encoding="utf-8")
    command = shlex.join(["env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "bench.peers.sdk_default"])
    executable = meltano.folder / "tap-sdk-default"
    executable.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
    executable.chmod(0o755)
    return meltano


def _text(value: object) -> str:
    """Return a setting as the value of an environment variable."""
    return value if isinstance(value, str) else json.dumps(value)
