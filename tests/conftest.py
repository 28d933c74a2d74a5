"""What every test may rely on."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from copy import copy
from typing import TYPE_CHECKING, NoReturn

import pytest

from tap_genesys_aggregates.core import redaction

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
def _own_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A command line takes the logs and hooks of its process; after a test they are given back."""
    monkeypatch.setattr(logging.Logger, "callHandlers", logging.Logger.callHandlers)
    for module in (sys, threading):
        monkeypatch.setattr(module, "excepthook", module.excepthook)
    root = logging.getLogger()
    level, handlers = root.level, [*root.handlers]
    yield
    logging.captureWarnings(capture=False)
    root.setLevel(level)
    for handler in [*root.handlers]:
        if handler not in handlers:
            root.removeHandler(handler)


@pytest.fixture(autouse=True)
def _own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret of one test, which may be any text, is not masked in the messages of another."""
    for name in ("_lasting", "_tokens", "_known"):
        monkeypatch.setattr(redaction, name, copy(getattr(redaction, name)))


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees settings that a developer happens to have in the environment."""
    for name in os.environ:
        if name.startswith(_STEERING):
            monkeypatch.delenv(name)
