"""The fixtures of the end-to-end tests, and the executables of two targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.conftest import plugins, postgres, project

if TYPE_CHECKING:
    from pathlib import Path

    from demo.project import Project

__all__ = ["plugins", "postgres", "project"]


@pytest.fixture
def target_postgres(plugins: Path) -> Path:
    """The executable that Meltano installed."""
    return plugins / "loaders" / "target-postgres" / "venv" / "bin" / "target-postgres"


@pytest.fixture
def target_jsonl(project: Project, plugins: Path) -> Path:
    """The executable, installed for one test alone, since other tests may install it at the same time."""
    loaders = project.folder / ".meltano" / "loaders"
    loaders.unlink()
    loaders.mkdir()
    (loaders / "target-postgres").symlink_to(plugins / "loaders" / "target-postgres")
    project.run(["install", "target-jsonl"], {})
    return loaders / "target-jsonl" / "venv" / "bin" / "target-jsonl"
