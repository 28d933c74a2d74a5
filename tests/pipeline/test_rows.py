"""The rows equal those that the sandbox expects: families, time zones, and answers that are too large."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from genesys_sandbox import ExpectedRows, Options, Sandbox, SettableClock
from tap_genesys_aggregates.config.families import families
from tap_genesys_aggregates.config.queries import presets
from tap_genesys_aggregates.core.errors import TapError
from tap_genesys_aggregates.core.grid import Grid
from tap_genesys_aggregates.core.periods import Period
from tests.pipeline.running import config, multiset, run

UTC = timezone.utc
START, STOP = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC)
TWO_DAYS = {"start_date": "2026-03-02", "end_date": "2026-03-04"}
NOW = SettableClock(datetime(2026, 3, 20, tzinfo=UTC))

# Families, presets, and the options of a query


def query_of(family: str, shape: str) -> dict[str, Any]:
    """A query for all metrics of a family, grouped by its first two dimensions."""
    known = families()[family]
    return {
        "name": f"{family}_{shape}",
        "endpoint": family,
        "group_by": list(known.group_by[:2]),
        "metrics": list(known.metrics),
        "granularity": "PT6H",
        "shape": shape,
    }


@pytest.mark.slow
@pytest.mark.parametrize("family", families())
def test_every_metric_of_every_family_arrives_in_both_shapes(family: str) -> None:
    sandbox = Sandbox(Options(volume=0.2), now=NOW)
    queries = [query_of(family, shape) for shape in ("wide", "long")]
    outcome = run(sandbox, config(queries=queries, **TWO_DAYS))
    assert outcome.error is None
    for query in queries:
        expected = ExpectedRows(sandbox).rows(query, START, STOP)
        assert expected
        assert multiset(outcome.rows(query["name"])) == multiset(expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, each in presets().items() if each["api"] == "results"])
def test_every_preset_needs_only_its_name(name: str) -> None:
    sandbox = Sandbox(Options(volume=0.2), now=NOW)
    outcome = run(sandbox, config(queries=[{"preset": name}], **TWO_DAYS))
    assert outcome.error is None
    expected = ExpectedRows(sandbox).rows({**presets()[name], "name": name}, START, STOP)
    assert multiset(outcome.rows(name)) == multiset(expected)


@pytest.mark.slow
def test_views_become_columns_and_top_n_limits_the_groups() -> None:
    sandbox = Sandbox(now=NOW)
    queries: list[dict[str, Any]] = [
        {
            "name": "short_calls",
            "group_by": ["queueId"],
            "metrics": ["tTalkComplete"],
            "granularity": "P1D",
            "views": [
                {
                    "name": "under_a_minute",
                    "target": "tTalkComplete",
                    "function": "rangeBound",
                    "range": {"gte": 0, "lt": 60000},
                }
            ],
        },
        {
            "name": "busiest",
            "group_by": ["queueId"],
            "metrics": ["nOffered"],
            "granularity": "P1D",
            "query_type": "topN",
            "sort_metric": {"name": "nOffered", "function": "count"},
            "limit": 2,
        },
    ]
    outcome = run(sandbox, config(queries=queries, **TWO_DAYS))
    assert outcome.error is None
    for query in queries:
        rows = outcome.rows(str(query["name"]))
        assert rows
        assert multiset(rows) == multiset(ExpectedRows(sandbox).rows(query, START, STOP))


# Answers that are too large or too slow

CALLS = {"name": "calls", "metrics": ["nOffered", "tHandle"], "group_by": ["queueId"], "granularity": "PT1H"}
TWO_WEEKS = START + timedelta(days=14)
LONG_WINDOWS = config(queries=[CALLS], window="P7D", max_window="P14D", end_date=TWO_WEEKS.isoformat())
LIMITS: dict[str, dict[str, Any]] = {
    "too many rows": {"max_results": 40},
    "too slow": {"slow_over": timedelta(hours=20)},
    "too many rows, by its status": {"max_results": 40, "too_large_status": 413},
}


def limited_sandbox(**limits: Any) -> Sandbox:
    """A sandbox that refuses large or slow queries."""
    return Sandbox(Options(volume=0.1, **limits), now=SettableClock(TWO_WEEKS + timedelta(days=30)))


@pytest.mark.parametrize("limit", LIMITS)
def test_a_window_that_is_too_large_or_too_slow_is_halved_until_it_fits(limit: str) -> None:
    sandbox = limited_sandbox(**LIMITS[limit])
    outcome = run(sandbox, LONG_WINDOWS)
    assert outcome.error is None
    assert multiset(outcome.rows("calls")) == multiset(ExpectedRows(sandbox).rows(CALLS, START, TWO_WEEKS))
    lines = outcome.rows("extractions")
    assert all(one["window_end"] == other["window_start"] for one, other in pairwise(lines))
    assert any(line["was_split"] for line in lines)
    assert len(lines) > 2


@pytest.mark.parametrize("limits", [{"max_results": 0}, {"slow_over": timedelta(minutes=30)}])
def test_a_single_bucket_that_does_not_fit_ends_the_run_after_few_requests(limits: dict[str, Any]) -> None:
    sandbox = limited_sandbox(**limits)
    outcome = run(sandbox, LONG_WINDOWS)
    assert isinstance(outcome.error, TapError)
    assert outcome.rows("calls") == []
    assert len(sandbox.log) < 30


# Time zones

CLOCK_CHANGES = {
    "London, spring": ("Europe/London", datetime(2025, 3, 27, tzinfo=UTC)),
    "London, autumn": ("Europe/London", datetime(2025, 10, 23, tzinfo=UTC)),
    "New York, spring": ("America/New_York", datetime(2025, 3, 6, tzinfo=UTC)),
    "New York, autumn": ("America/New_York", datetime(2025, 10, 30, tzinfo=UTC)),
    "St. John's, half-hour offset, spring": ("America/St_Johns", datetime(2025, 3, 6, tzinfo=UTC)),
    "Adelaide, half-hour offset, autumn": ("Australia/Adelaide", datetime(2025, 4, 3, tzinfo=UTC)),
    "Kathmandu, 45-minute offset": ("Asia/Kathmandu", datetime(2025, 3, 6, tzinfo=UTC)),
    "Lord Howe, change by half an hour, spring": ("Australia/Lord_Howe", datetime(2025, 10, 2, tzinfo=UTC)),
    "Lord Howe, change by half an hour, autumn": ("Australia/Lord_Howe", datetime(2025, 4, 3, tzinfo=UTC)),
    "Sao Paulo, no midnight": ("America/Sao_Paulo", datetime(2018, 11, 1, tzinfo=UTC)),
    "Sao Paulo, 23:00 twice": ("America/Sao_Paulo", datetime(2018, 2, 15, tzinfo=UTC)),
    "Beirut, no midnight": ("Asia/Beirut", datetime(2025, 3, 27, tzinfo=UTC)),
    "Havana, midnight twice": ("America/Havana", datetime(2025, 10, 30, tzinfo=UTC)),
}


@pytest.mark.slow
@pytest.mark.parametrize("granularity", ["PT15M", "PT1H", "PT12H", "P1D", "P1W", "P1M"])
@pytest.mark.parametrize("change", CLOCK_CHANGES)
def test_every_bucket_arrives_once_when_the_clocks_change(change: str, granularity: str) -> None:
    zone, around = CLOCK_CHANGES[change]
    anchor = around.astimezone(ZoneInfo(zone)).date()
    grid = Grid(Period.parse(granularity), ZoneInfo(zone), anchor)
    start = grid.floor(around)
    stop = grid.ceil(around + timedelta(days=6 if granularity != "P1M" else 35))
    query: dict[str, Any] = {
        "name": "calls",
        "metrics": ["nOffered", "tHandle"],
        "group_by": ["mediaType"],
        "granularity": granularity,
        "time_zone": zone,
        "anchor": anchor.isoformat(),
    }
    now = SettableClock(stop + timedelta(days=30))
    sandbox = Sandbox(Options(volume=0.1, zone=zone, local_offsets=True), now=now)
    settings = config(
        queries=[query],
        start_date=around.isoformat(),
        end_date=stop.isoformat(),
        window="P2D",
        max_window="P2D",
        lookback_days=0,
    )
    outcome = run(sandbox, settings)
    assert outcome.error is None
    expected = ExpectedRows(sandbox).rows(query, start, stop)
    assert expected
    assert multiset(outcome.rows("calls")) == multiset(expected)
    assert all(row["interval_start"].endswith("Z") for row in outcome.rows("calls"))


@pytest.mark.parametrize("granularity", ["P1D", "P2D", "P1W"])
def test_buckets_of_a_tree_begin_at_local_midnight_after_the_clock_changed(granularity: str) -> None:
    """No gateway is told the zone of a tree, so its days have 24 hours from the start of each window.

    Smallest reproducer: windows of two weeks, whose second week began at one o'clock.
    """
    query: dict[str, Any] = {
        "name": "tree",
        "api": "group_tree",
        "group_by": ["interval", "mediaType"],
        "metrics": ["conversationCount"],
        "granularity": granularity,
        "time_zone": "America/New_York",
        "window": "P14D",
    }
    sandbox = Sandbox(Options(volume=0.3), now=SettableClock(datetime(2026, 4, 20, tzinfo=timezone.utc)))
    given = {name: value for name, value in query.items() if name != "api"}
    dates = {"start_date": "2026-03-02T05:00:00Z", "end_date": "2026-04-06T04:00:00Z"}
    outcome = run(sandbox, config(api="group_tree", queries=[given], **dates))
    assert outcome.error is None
    start, stop = (datetime.fromisoformat(each.replace("Z", "+00:00")) for each in dates.values())
    grid = Grid(Period.parse(granularity), ZoneInfo(query["time_zone"]), date(1970, 1, 5))
    start, stop = grid.floor(start), grid.floor(stop)
    expected = ExpectedRows(sandbox).rows(query, start, stop)
    assert len(expected) > 10
    assert multiset(outcome.rows("tree")) == multiset(expected)


@pytest.mark.slow
@pytest.mark.parametrize("change", ["London, spring", "London, autumn"])
def test_daily_windows_begin_and_end_at_local_midnight(change: str) -> None:
    zone, around = CLOCK_CHANGES[change]
    sandbox = Sandbox(Options(volume=0.1), now=SettableClock(around + timedelta(days=9)))
    query = {"name": "calls", "metrics": ["nOffered"], "granularity": "PT30M", "time_zone": zone}
    settings = config(
        queries=[query], start_date=around.isoformat(), end_date=(around + timedelta(days=6)).isoformat()
    )
    outcome = run(sandbox, settings)
    assert outcome.error is None
    windows = [(line["window_start"], line["window_end"]) for line in outcome.rows("extractions")]
    inner = [datetime.fromisoformat(stop.replace("Z", "+00:00")) for _, stop in windows[:-1]]
    assert {instant.astimezone(ZoneInfo(zone)).hour for instant in inner} == {0}
    assert len({instant.hour for instant in inner}) == 2, "the clocks change between two of the windows"
    assert all(stop == start for (_, stop), (start, _) in pairwise(windows))
