"""Marts of the sandbox's data, and ``./run report``.

``python -m tests.report.warehouse FILE`` draws the picture of the README (``./run picture``).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from demo.postgres import embedded
from tests.project.generated_settings import ROOT
from tests.transform.dbt import Package, Step
from tests.transform.warehouse import START, Postgres, Tap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.postgres import Postgres as Server
    from tests.transform.warehouse import Loaded

PYTHON = ROOT / ".demo" / "report" / "bin" / "python"
"""Python of the environment installed from requirements-report.lock, which ``./run test`` creates."""

BUILD = Step(("build", "--exclude-resource-types", "unit_test", "test", "exposure"))


def report(*arguments: object, folder: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run ``./run report`` without its preparation, in the clone or a copy of it."""
    return subprocess.run(
        [PYTHON, "-m", "report", *map(str, arguments)], cwd=folder, env={**os.environ, **variables},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@contextlib.contextmanager
def marts(folder: Path, loaded: Loaded) -> Iterator[tuple[Server, Postgres]]:
    """Load tables into an embedded PostgreSQL and let dbt build the marts.

    Args:
        folder: Where the server keeps its data.
        loaded: The tables.
    """
    with embedded(folder / "data") as server:
        warehouse = Postgres(server.url)
        warehouse.load(loaded)
        (outcome,) = Package(folder).run(warehouse, BUILD)
        assert outcome.failures() == []
        yield server, warehouse


def _draw(picture: Path) -> None:
    tap = Tap(agents=12, volume=1)
    tap.run(START + timedelta(days=13, hours=15))
    with tempfile.TemporaryDirectory() as folder, marts(Path(folder), tap.loaded) as (server, _):
        done = report("--output", Path(folder) / "page.html", "--picture", picture, DATABASE_URL=server.url)
        assert done.returncode == 0, done.stderr


if __name__ == "__main__":
    _draw(Path(sys.argv[1]))
