"""What every test may rely on."""

from __future__ import annotations

import os
import signal
from typing import NoReturn

import pytest

_STEERING = ("TAP_GENESYS_", "GENESYS_", "TARGET_", "MELTANO_", "DATABASE_URL", "SINGER_SDK_")


def pytest_configure() -> None:
    """End as on Ctrl-C when told to end, so that fixtures are taken down."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(_signum: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees settings that a developer happens to have in the environment."""
    for name in os.environ:
        if name.startswith(_STEERING):
            monkeypatch.delenv(name)
