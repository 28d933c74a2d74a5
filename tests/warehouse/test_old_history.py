"""History of any age that changes is right in a real PostgreSQL after one round of rechecks."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from genesys_sandbox import ExpectedRows, LateRewrite, Options, Sandbox, SettableClock
from tests.pipeline.running import DAILY_CALLS, QUEUE, ManualClock, config, multiset, run
from tests.warehouse.conftest import load
from tests.warehouse.test_views import create_views, current

if TYPE_CHECKING:
    from tests.pipeline.running import Message, Outcome
    from tests.warehouse.conftest import Connection

NOW = datetime(2026, 6, 10, 6, tzinfo=timezone.utc)
DAY = timedelta(days=1)
START = (NOW - 400 * DAY).replace(hour=0)
MONTHS = 13
"""Settled months, the first of which is not whole."""


@pytest.mark.slow
def test_changes_of_any_age_are_right_in_the_warehouse_after_one_round(connection: Connection) -> None:
    clock = SettableClock(NOW)
    sandbox = Sandbox(Options(volume=0.02, agents=4, replay=False), now=clock)
    state: Message = {}

    def daily_run(recheck_requests: int) -> Outcome:
        nonlocal state
        settings = config(
            queries=[DAILY_CALLS],
            start_date=START.isoformat(),
            max_window="P7D",
            recheck_requests=recheck_requests,
        )
        outcome = run(sandbox, settings, state=state, time=ManualClock(clock()))
        assert outcome.error is None
        load(connection, outcome.messages)
        state = outcome.state
        clock.set(clock() + DAY)
        return outcome

    daily_run(MONTHS)
    create_views(connection, DAILY_CALLS)
    for age, removes in ((200, False), (100, True)):
        start = (NOW - age * DAY).replace(hour=0)
        value = {"dimension": "queueId", "value": QUEUE} if removes else {}
        end = start + (30 * DAY if removes else DAY)
        sandbox.history.late_rewrites.append(LateRewrite(clock(), start, end, removes=removes, **value))
    outcomes = [daily_run(1) for _ in range(MONTHS)]

    rereads = [row for each in outcomes for row in each.rows("extractions") if row["reason"] == "recheck"]
    assert {row["window_start"][:7] for row in rereads} == {"2025-11", "2026-03"}
    end = (clock() - DAY).replace(hour=0)
    expected = ExpectedRows(sandbox).rows(DAILY_CALLS, START, end)
    assert multiset(current(connection, end)) == multiset(expected)
