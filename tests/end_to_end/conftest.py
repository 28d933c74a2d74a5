"""Sandboxes that are served over real sockets; Meltano with its plugins; a real PostgreSQL."""

from __future__ import annotations

import shutil
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from demo import postgres as demo_postgres
from demo import project as demo_project
from demo.paths import CLONE
from genesys_sandbox import Sandbox, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from demo.postgres import Postgres
    from demo.project import Project

NOW = datetime(2025, 6, 30, 12, tzinfo=timezone.utc)


@pytest.fixture
def sandbox() -> Sandbox:
    """A sandbox without faults, at noon on Monday, 30 June 2025, with an empty log."""
    return Sandbox(now=lambda: NOW)


@pytest.fixture
def url(sandbox: Sandbox) -> Iterator[str]:
    """The URL at which that sandbox is served."""
    with serve(sandbox) as found:
        yield found


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A real PostgreSQL server for the tests alone."""
    with demo_postgres.embedded(tmp_path_factory.mktemp("postgres") / "data") as server:
        yield server


@pytest.fixture(scope="session")
def plugins() -> Path:
    """Where Meltano has installed the tap and target-postgres, once for all tests and for the demo."""
    return demo_project.prepare().folder / ".meltano"


@pytest.fixture
def project(plugins: Path, tmp_path: Path) -> Project:
    """A Meltano project for one test, with the clone's ``meltano.yml`` and without state."""
    folder = tmp_path / "project"
    (folder / ".meltano").mkdir(parents=True)
    shutil.copy(CLONE / "meltano.yml", folder)
    for kind in ("extractors", "loaders"):
        (folder / ".meltano" / kind).symlink_to(plugins / kind)
    return demo_project.Project(folder, tmp_path / "meltano.log")
