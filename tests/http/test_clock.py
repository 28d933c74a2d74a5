"""The machine's clock."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from tap_genesys_aggregates.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["UTC", "Asia/Kathmandu", "America/St_Johns"])
def _time_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Sets the machine's time zone."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_time_zone")
def test_now_is_utc() -> None:
    """In any time zone: local time is never labeled Z."""
    before, now, after = datetime.now(timezone.utc), SystemClock().now(), datetime.now(timezone.utc)
    assert before <= now <= after
    assert now.utcoffset() == timedelta()


def test_monotonic_seconds_only_grow() -> None:
    clock = SystemClock()
    first = clock.monotonic()
    clock.sleep(0)
    assert clock.monotonic() >= first
