"""The machine's own clock: the one place that asks what time it is."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from tap_genesys_aggregates.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["UTC", "Asia/Kathmandu", "America/St_Johns"])
def _machines_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine stands somewhere."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_machines_zone")
def test_now_is_utc() -> None:
    """The present is an aware instant of UTC, whatever the machine's zone: local time is never labelled Z."""
    before, now, after = datetime.now(timezone.utc), SystemClock().now(), datetime.now(timezone.utc)
    assert before <= now <= after
    assert now.utcoffset() == timedelta()


def test_seconds_only_grow() -> None:
    """What is measured is not the wall clock, which somebody may set back."""
    clock = SystemClock()
    first = clock.monotonic()
    clock.sleep(0)
    assert clock.monotonic() >= first
