"""Answers that are too large or too slow: windows are halved until they fit, and every row comes once."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import pytest

from genesys_sandbox import ExpectedRows, Options, Sandbox, SettableClock
from tap_genesys_aggregates.core.errors import TapError
from tests.pipeline.running import config, multiset, run

UTC = timezone.utc
START = datetime(2026, 3, 2, tzinfo=UTC)
END = START + timedelta(days=14)
QUERY = {"name": "calls", "metrics": ["nOffered", "tHandle"], "group_by": ["queueId"], "granularity": "PT1H"}
SETTINGS = config(queries=[QUERY], window="P7D", max_window="P14D", end_date=END.isoformat())
LIMITS: dict[str, dict[str, Any]] = {
    "too many rows": {"max_results": 40},
    "too slow": {"slow_over": timedelta(hours=20)},
    "too many rows, by its status": {"max_results": 40, "too_large_status": 413},
}


def sandbox(**limits: Any) -> Sandbox:
    """A centre that gives little at once."""
    return Sandbox(Options(volume=0.1, **limits), now=SettableClock(END + timedelta(days=30)))


@pytest.mark.parametrize("limit", LIMITS)
def test_windows_are_halved_until_they_fit(limit: str) -> None:
    """Every row comes once; the windows meet, and the ledger says that they were split."""
    narrow = sandbox(**LIMITS[limit])
    outcome = run(narrow, SETTINGS)
    assert outcome.error is None
    assert multiset(outcome.rows("calls")) == multiset(ExpectedRows(narrow).rows(QUERY, START, END))
    lines = outcome.rows("extractions")
    assert all(one["window_end"] == other["window_start"] for one, other in pairwise(lines))
    assert any(line["was_split"] for line in lines)
    assert len(lines) > 2


@pytest.mark.parametrize("limits", [{"max_results": 0}, {"slow_over": timedelta(minutes=30)}])
def test_a_single_bucket_that_does_not_fit_ends_the_run(limits: dict[str, Any]) -> None:
    """Halving stops at one bucket: the run says so after few requests, instead of asking for ever."""
    narrow = sandbox(**limits)
    outcome = run(narrow, SETTINGS)
    assert isinstance(outcome.error, TapError)
    assert outcome.rows("calls") == []
    assert len(narrow.log) < 30
