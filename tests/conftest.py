"""What every test may rely on."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, NoReturn

import pytest

from tests.own_log import own_log

if TYPE_CHECKING:
    from collections.abc import Iterator

_STEERING = ("TAP_GENESYS_", "GENESYS_", "TARGET_", "MELTANO_", "DATABASE_URL", "SINGER_SDK_")


def pytest_configure() -> None:
    """End as on Ctrl-C when told to end, so that fixtures are taken down."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(_signum: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    """A tap takes the signals of its process; after a test they are given back."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    handlers = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, handlers, strict=True):
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """No test writes into the log of another, or masks its words as a secret."""
    with own_log():
        yield


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees settings that a developer happens to have in the environment."""
    for name in os.environ:
        if name.startswith(_STEERING):
            monkeypatch.delenv(name)
