"""Machines whose clock is wrong: what a run loads, and what it leaves for the next."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from genesys_sandbox import ExpectedRows, Options, Rule, Rules, Sandbox, SettableClock
from genesys_sandbox.faults import dated
from tap_genesys_aggregates.core import instants
from tests.pipeline.running import ManualClock, Warehouse, config, multiset, run

if TYPE_CHECKING:
    from genesys_sandbox import Fault

START = datetime(2026, 3, 2, tzinfo=timezone.utc)
NOON = datetime(2026, 3, 20, 12, tzinfo=timezone.utc)
LATER = NOON + timedelta(days=30)
QUERY: dict[str, Any] = {
    "name": "calls",
    "metrics": ["nOffered", "tHandle"],
    "group_by": ["queueId"],
    "granularity": "PT6H",
}
SETTINGS = config(queries=[QUERY], lookback_days=4)
CLOCKS = {
    "nine days ahead": NOON + timedelta(days=9),
    "in 2035": NOON.replace(year=2035),
    "an hour ahead": NOON + timedelta(hours=1),
    "right": NOON,
    "nine days behind": NOON - timedelta(days=9),
}


def sandbox_at(now: datetime, fault: Fault | None = None) -> tuple[Sandbox, SettableClock]:
    """A sandbox whose data changes until it settles, and its clock."""
    clock = SettableClock(now)
    faults = Rules(Rule(fault, match="/oauth", times=None)) if fault else None
    return Sandbox(Options(volume=0.1, rewrites=True, settle_days=4), now=clock, faults=faults), clock


@pytest.mark.slow
@pytest.mark.parametrize("machine", CLOCKS.values(), ids=CLOCKS)
def test_a_run_with_a_wrong_clock_hides_nothing_from_the_next(machine: datetime) -> None:
    """One run nine days ahead, the next at the right time: eight days were never loaded.

    Smallest reproducer: run with the machine's clock at now + 9 days, then, 30 days later, with the right
    clock. The first left a bookmark of now + 9 days and settled rows that were still changing.
    """
    sandbox, clock = sandbox_at(NOON)
    warehouse = Warehouse()
    first = run(sandbox, SETTINGS, time=ManualClock(machine))
    assert first.error is None
    bookmark = first.state["bookmarks"]["calls"]
    assert instants.parse(bookmark["replication_key_value"]) <= NOON
    assert instants.parse(bookmark["final_before"]) <= NOON - timedelta(days=4)
    assert all(instants.parse(row["interval_end"]) <= NOON for row in first.rows("calls"))
    warehouse.load(first.messages)
    clock.set(LATER)
    second = run(sandbox, SETTINGS, state=warehouse.state, time=ManualClock(LATER))
    assert second.error is None
    warehouse.load(second.messages)
    stop = LATER.replace(hour=12)
    assert multiset(warehouse.rows("calls")) == multiset(ExpectedRows(sandbox).rows(QUERY, START, stop))


@pytest.mark.parametrize("ahead", [timedelta(days=9), timedelta(days=-9)])
def test_a_wrong_clock_is_warned_about_once(ahead: timedelta, caplog: pytest.LogCaptureFixture) -> None:
    sandbox, _ = sandbox_at(NOON)
    outcome = run(sandbox, SETTINGS, time=ManualClock(NOON + ahead))
    assert outcome.error is None
    lines = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    (line,) = (line for line in lines if "clock" in line)
    assert "9 days, 0:00:00 " + ("ahead of" if ahead > timedelta() else "behind") in line
    assert f"{instants.text(NOON + ahead)} here, {instants.text(NOON)} there" in line


@pytest.mark.parametrize("date", [None, "", "yesterday", "Thu, 01 Jan 1970 00:00:01 GMT"])
def test_a_server_that_does_not_tell_the_time_stops_no_run(date: str | None) -> None:
    sandbox, _ = sandbox_at(NOON, dated(date))
    outcome = run(sandbox, SETTINGS, time=ManualClock(NOON))
    assert outcome.error is None
    expected = ExpectedRows(sandbox).rows(QUERY, START, NOON)
    assert multiset(outcome.rows("calls")) == multiset(expected)
    assert outcome.state["bookmarks"]["calls"]["replication_key_value"] == instants.text(NOON)
