"""The fixtures of the end-to-end tests, and the executables of two targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.conftest import plugins, postgres, project

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["plugins", "postgres", "project"]


@pytest.fixture
def target_postgres(plugins: Path) -> Path:
    """The executable that Meltano runs."""
    return plugins / "loaders" / "target-postgres" / "venv" / "bin" / "target-postgres"


@pytest.fixture
def target_jsonl(plugins: Path) -> Path:
    """The executable of the other target."""
    return plugins / "loaders" / "target-jsonl" / "venv" / "bin" / "target-jsonl"
