"""Days that have 23 or 25 hours, zones with odd minutes, clocks that change at midnight."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from genesys_sandbox import ExpectedRows, Options, Sandbox, SettableClock
from tap_genesys_aggregates.core.grid import Grid
from tap_genesys_aggregates.core.periods import Period
from tests.pipeline.running import config, multiset, run

pytestmark = pytest.mark.slow

UTC = timezone.utc
CHANGES = {
    "London, spring": ("Europe/London", datetime(2025, 3, 27, tzinfo=UTC)),
    "London, autumn": ("Europe/London", datetime(2025, 10, 23, tzinfo=UTC)),
    "New York, spring": ("America/New_York", datetime(2025, 3, 6, tzinfo=UTC)),
    "New York, autumn": ("America/New_York", datetime(2025, 10, 30, tzinfo=UTC)),
    "St. John's, odd half hour, spring": ("America/St_Johns", datetime(2025, 3, 6, tzinfo=UTC)),
    "Adelaide, odd half hour, autumn": ("Australia/Adelaide", datetime(2025, 4, 3, tzinfo=UTC)),
    "Kathmandu, odd minutes": ("Asia/Kathmandu", datetime(2025, 3, 6, tzinfo=UTC)),
    "Lord Howe, half an hour, spring": ("Australia/Lord_Howe", datetime(2025, 10, 2, tzinfo=UTC)),
    "Lord Howe, half an hour, autumn": ("Australia/Lord_Howe", datetime(2025, 4, 3, tzinfo=UTC)),
    "Sao Paulo, midnight skipped": ("America/Sao_Paulo", datetime(2018, 11, 1, tzinfo=UTC)),
    "Sao Paulo, 23 o'clock twice": ("America/Sao_Paulo", datetime(2018, 2, 15, tzinfo=UTC)),
    "Beirut, midnight skipped": ("Asia/Beirut", datetime(2025, 3, 27, tzinfo=UTC)),
    "Havana, midnight twice": ("America/Havana", datetime(2025, 10, 30, tzinfo=UTC)),
}
GRANULARITIES = ("PT15M", "PT1H", "PT12H", "P1D", "P1W", "P1M")


@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("change", CHANGES)
def test_through_a_change(change: str, granularity: str) -> None:
    """Every bucket comes once, where the zone cuts it, with the numbers of the facts; none is missing."""
    zone, around = CHANGES[change]
    grid = Grid(Period.parse(granularity), ZoneInfo(zone), around.astimezone(ZoneInfo(zone)).date())
    start = grid.floor(around)
    end = grid.ceil(around + timedelta(days=6 if granularity != "P1M" else 35))
    query: dict[str, Any] = {
        "name": "calls",
        "metrics": ["nOffered", "tHandle"],
        "group_by": ["mediaType"],
        "granularity": granularity,
        "time_zone": zone,
    }
    now = SettableClock(end + timedelta(days=30))
    sandbox = Sandbox(Options(volume=0.1, zone=zone, local_offsets=True), now=now)
    settings = config(
        queries=[query],
        start_date=around.isoformat(),
        end_date=end.isoformat(),
        window="P2D",
        max_window="P2D",
        lookback_days=0,
    )
    outcome = run(sandbox, settings)
    assert outcome.error is None
    truth = ExpectedRows(sandbox).rows(query, start, end)
    assert truth
    assert multiset(outcome.rows("calls")) == multiset(truth)
    assert all(row["interval_start"].endswith("Z") for row in outcome.rows("calls"))


@pytest.mark.parametrize("change", ["London, spring", "London, autumn"])
def test_windows_are_cut_at_local_midnight(change: str) -> None:
    """Daily windows begin and end at midnight in London, whatever hour that is in UTC."""
    zone, around = CHANGES[change]
    sandbox = Sandbox(Options(volume=0.1), now=SettableClock(around + timedelta(days=9)))
    query = {"name": "calls", "metrics": ["nOffered"], "granularity": "PT30M", "time_zone": zone}
    settings = config(
        queries=[query], start_date=around.isoformat(), end_date=(around + timedelta(days=6)).isoformat()
    )
    outcome = run(sandbox, settings)
    assert outcome.error is None
    windows = [(line["window_start"], line["window_end"]) for line in outcome.rows("extractions")]
    inner = [datetime.fromisoformat(end.replace("Z", "+00:00")) for _, end in windows[:-1]]
    assert {instant.astimezone(ZoneInfo(zone)).hour for instant in inner} == {0}
    assert len({instant.hour for instant in inner}) == 2, "the change of the clock is among them"
    assert all(end == start for (_, end), (start, _) in pairwise(windows))
