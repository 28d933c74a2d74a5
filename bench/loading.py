"""``meltano run`` into Postgres: the project as it ships, beside the SDK's default tap and target settings.

Both sides run in one Meltano project with one target-postgres; the peer's is told to INSERT and to validate,
as it does unless it is told otherwise. What counts is time on the clock, since it is not all Meltano's:
Meltano, tap and target share the first core, Postgres and the server the second. A run of one window is
subtracted, which is the start-up.
"""

from __future__ import annotations

import json
import shlex
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql

from bench.bodies import BUCKETS
from bench.contenders import Stage
from bench.figures import Figure
from bench.made import DifferentError
from bench.processes import ROOT, pinned
from bench.serving import server
from demo import postgres, project
from demo.paths import DEMO

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from bench.figures import Sizes
    from demo.postgres import Postgres
    from demo.project import Project

_OURS, _PEER = "tap-genesys-aggregates", "tap-sdk-default"
_CHECKED = {"TARGET_POSTGRES_USE_COPY": "false", "TARGET_POSTGRES_VALIDATE_RECORDS": "true"}
_PLUGIN = """\
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
class Loads:
    """Where loads happen.

    Attributes:
        stage: The server, and the tap's settings.
        project: Meltano, with both taps.
        warehouse: Postgres.
    """

    stage: Stage
    project: Project
    warehouse: Postgres

    def ours(self, windows: int) -> float:
        """Seconds of a load as the project ships it, with the tap's own defaults."""
        return self._load(_OURS, windows, self.stage.settings(windows), {})

    def peer(self, windows: int) -> float:
        """Seconds of a load in the SDK's default way."""
        config = {"api": self.stage.api, "base_url": self.stage.url, "windows": windows}
        return self._load(_PEER, windows, config, _CHECKED)

    def _load(self, tap: str, windows: int, config: Mapping[str, Any], target: Mapping[str, str]) -> float:
        """Load into fresh tables, and count the rows there."""
        self.warehouse.drop_tables(["rows", "extractions"])
        settings = {f"{tap}_{name}".replace("-", "_").upper(): _text(value) for name, value in config.items()}
        with pinned(0):
            began = time.monotonic()
            self.project.run(
                ["run", "--full-refresh", "--state-id-suffix", "bench", tap, "target-postgres"],
                {**self.warehouse.settings, **target, **settings},
            )
            seconds = time.monotonic() - began
        loaded, expected = self._rows(), windows * self.stage.groups * BUCKETS
        if loaded != expected:
            raise DifferentError(f"{tap} loaded {loaded} rows, not {expected}: nothing is published.")
        return seconds

    def _rows(self) -> object:
        table = sql.Identifier(postgres.SCHEMA, "rows")
        with self.warehouse.connect() as connection:
            (count,) = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(table)).fetchone() or (0,)
        return count


def measure(sizes: Sizes, folder: Path) -> Iterator[Figure]:
    """Measure loads.

    Args:
        sizes: How much.
        folder: For the data of Postgres.

    Yields:
        The figure.

    Raises:
        DifferentError: Other rows arrived than were answered.
    """
    meltano = ready()
    with ExitStack() as both:
        with pinned(1):
            warehouse = both.enter_context(postgres.embedded(folder / "postgres"))
        url = both.enter_context(server("results", sizes.groups))
        yield _figure(Loads(Stage("results", url, sizes.groups, folder), meltano, warehouse), sizes)


def _figure(loads: Loads, sizes: Sizes) -> Figure:
    a_window = loads.stage.groups * BUCKETS
    ratios, rates = [], []
    for _ in range(sizes.long_rounds):
        ours = (loads.ours(sizes.loaded) - loads.ours(1)) / (sizes.loaded - 1)
        peer = (loads.peer(sizes.loaded_slowly) - loads.peer(1)) / (sizes.loaded_slowly - 1)
        ratios.append(peer / ours)
        rates.append(a_window / ours)
    how = (
        f"{a_window * sizes.loaded:,} rows, the peer {a_window * sizes.loaded_slowly:,}, as rates net of a "
        f"run of {a_window:,}, {sizes.long_rounds} rounds, by the clock; {min(rates):,.0f} to "
        f"{max(rates):,.0f} rows a second"
    )
    says = "`results`: `meltano run` into Postgres, beside the SDK's default tap and target settings"
    return Figure.of(says, ratios, ("at least", 2.5), how)


def ready() -> Project:
    """The project with the peer's tap in it: a command that runs it with this Python."""
    meltano = project.prepare(DEMO / "bench")
    definition = meltano.folder / "meltano.yml"
    before, extractors, after = definition.read_text(encoding="utf-8").partition("  extractors:\n")
    definition.write_text(f"{before}{extractors}{_PLUGIN}{after}", encoding="utf-8")
    command = shlex.join(["env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "bench.peers.sdk_default"])
    executable = meltano.folder / "tap-sdk-default"
    executable.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
    executable.chmod(0o755)
    return meltano


def _text(value: object) -> str:
    """A setting as an environment variable."""
    return value if isinstance(value, str) else json.dumps(value)
