"""A backfill beside daily runs: the same buckets, and a warning where both read the same days."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from genesys_sandbox import ExpectedRows, Options, Sandbox, SettableClock
from tap_genesys_aggregates.core.backfill import overlap
from tap_genesys_aggregates.core.grid import Grid
from tap_genesys_aggregates.core.periods import Period
from tests.core.making import at, query
from tests.pipeline.running import ManualClock, Warehouse, config, multiset, run

NOW = datetime(2026, 6, 15, 5, tzinfo=timezone.utc)
BACKFILL_START, DAILY_START = "2026-01-01T00:00:00Z", "2026-04-03T00:00:00Z"
QUERY = {"name": "calls", "metrics": ["nOffered", "tHandle"], "group_by": ["queueId"]}


def small_sandbox() -> Sandbox:
    return Sandbox(Options(volume=0.02), now=SettableClock(NOW))


def loaded(sandbox: Sandbox, granularity: str, **anchors: str) -> Warehouse:
    """A warehouse after a daily run and a backfill, each with its own start and state."""
    warehouse = Warehouse()
    runs = {
        "daily": {"start_date": DAILY_START},
        "backfill": {"start_date": BACKFILL_START, "end_date": "2026-05-01T00:00:00Z"},
    }
    for name, dates in runs.items():
        anchor = {"anchor": anchors[name]} if name in anchors else {}
        asked = {**QUERY, "granularity": granularity, **anchor}
        outcome = run(sandbox, config(queries=[asked], max_window="P31D", **dates), time=ManualClock(NOW))
        assert outcome.error is None
        warehouse.load(outcome.messages)
    return warehouse


def truth(sandbox: Sandbox, granularity: str) -> list[dict[str, Any]]:
    """The rows of one load from the start of the backfill."""
    grid = Grid(Period.parse(granularity), query().zone, datetime(1970, 1, 5, tzinfo=timezone.utc).date())
    start, end = grid.floor(at("2026-01-01T00:00Z")), grid.floor(NOW)
    return ExpectedRows(sandbox).rows({**QUERY, "granularity": granularity}, start, end)


@pytest.mark.parametrize("granularity", ["P1W", "P3D", "P1M", "P1D"])
def test_a_backfill_and_a_daily_run_with_different_starts_load_each_bucket_once(granularity: str) -> None:
    """Neither 1 January nor 3 April 2026 begins a week. The default anchor does not depend on them."""
    sandbox = small_sandbox()
    rows = loaded(sandbox, granularity).rows("calls")
    assert multiset(rows) == multiset(truth(sandbox, granularity))


@pytest.mark.parametrize("granularity", ["P1W", "P3D"])
def test_an_anchor_at_each_start_would_double_rows(granularity: str) -> None:
    """Reproducer of what versions before ``anchor`` did: each run counted its weeks from its start_date."""
    sandbox = small_sandbox()
    rows = loaded(sandbox, granularity, daily="2026-04-03", backfill="2026-01-01").rows("calls")
    expected = truth(sandbox, granularity)
    assert len(rows) > len(expected)
    offered, truly = (sum(row["n_offered_count"] or 0 for row in each) for each in (rows, expected))
    assert offered > 1.1 * truly


def test_a_backfill_that_ends_inside_the_lookback_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    """It names the queries, and an end that works.

    Reproducer: daily run and backfill both read yesterday; the backfill reads first and its rows arrive last.
    ``calls_current`` is empty for that day.
    """
    queries = [
        QUERY,
        {**QUERY, "name": "slow", "lookback_days": 30},
        {**QUERY, "name": "no", "lookback_days": 2},
    ]
    dates = {"start_date": BACKFILL_START, "end_date": "2026-06-10T00:00:00Z"}
    run(small_sandbox(), config(queries=queries, max_window="P31D", **dates), time=ManualClock(NOW))
    (line,) = [each.getMessage() for each in caplog.records if each.getMessage().startswith("end_date ")]
    assert line == (
        "end_date 2026-06-10T00:00:00.000Z lies inside the lookback of calls, slow. If this is a backfill "
        "beside daily runs, both read the last days, and rows that both load at the same time can be missing "
        "from the views: set end_date to 2026-05-14T00:00:00.000Z or earlier"
    )
    caplog.clear()
    dates["end_date"] = line.split(" set end_date to ")[1].split(" ")[0]
    outcome = run(small_sandbox(), config(queries=queries, max_window="P31D", **dates), time=ManualClock(NOW))
    assert outcome.error is None
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("end_date", "start_date", "told"),
    [
        (None, "2026-01-01T00:00Z", None),
        ("2026-06-08T05:00Z", "2026-01-01T00:00Z", None),
        ("2026-06-08T06:00Z", "2026-01-01T00:00Z", "set end_date to 2026-06-06T00:00:00.000Z or earlier"),
        ("2027-01-01T00:00Z", "2026-01-01T00:00Z", "set end_date to 2026-06-06T00:00:00.000Z or earlier"),
        ("2026-06-15T00:00Z", "2026-06-06T00:00Z", "leave the backfill out, because the daily runs read"),
    ],
)
def test_the_warning_names_an_end_that_the_settings_accept(
    end_date: str | None, start_date: str, told: str | None
) -> None:
    line = overlap([query()], start_date=at(start_date), end_date=at(end_date) if end_date else None, now=NOW)
    assert line is None if told is None else told in str(line)


def test_a_daily_run_reads_nothing_before_the_end_that_the_warning_names() -> None:
    """Today's run goes on from the lookback of yesterday's, however late in the day that was."""
    settings = config(queries=[QUERY], start_date=DAILY_START, max_window="P31D")
    state: dict[str, Any] = {}
    for now in (NOW - timedelta(days=1, hours=4), NOW):
        sandbox = small_sandbox()
        sandbox.now.set(now)  # type: ignore[attr-defined]
        state = run(sandbox, settings, state=state, time=ManualClock(now)).state
    asked = [entry.body["interval"] for entry in sandbox.log if "aggregates" in entry.path]  # type: ignore[index]
    line = overlap([query()], start_date=at("2026-01-01T00:00Z"), end_date=NOW, now=NOW)
    assert line is not None
    assert min(asked)[:24] >= line.split(" set end_date to ")[1][:24]
