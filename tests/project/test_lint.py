"""What the linters say of this clone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .generated_settings import ROOT


def _said(*command: str) -> tuple[int, str]:
    """What a command of the environment answers."""
    program = Path(sys.executable).parent / command[0]
    run = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    return run.returncode, run.stdout + run.stderr


def test_ruff_is_content() -> None:
    """Every rule of ruff, but for those that ``pyproject.toml`` excuses with a reason."""
    assert _said("ruff", "check", "--quiet") == (0, "")


@pytest.mark.slow
def test_mypy_is_content() -> None:
    """Strict types, in the tap and in its tests."""
    status, text = _said("mypy")
    assert status == 0, text
    assert text.startswith("Success: ")
