"""The views in a real PostgreSQL, loaded as target-postgres loads it."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta, timezone
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from genesys_sandbox import ExpectedRows, Options, Sandbox, SettableClock
from tap_genesys_aggregates.config.settings import Settings
from tap_genesys_aggregates.warehouse.views import views
from tests.pipeline.lookback_costs import Deviation
from tests.pipeline.running import ManualClock, config, multiset, run
from tests.simulation.tap_run import Killed
from tests.warehouse.conftest import Connection, load

if TYPE_CHECKING:
    from genesys_sandbox import Request
    from genesys_sandbox.faults import Plan

pytestmark = [pytest.mark.postgres]

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
QUERY = {
    "name": "calls",
    "metrics": ["nOffered", "tHandle", "oServiceLevel"],
    "group_by": ["queueId", "mediaType"],
    "granularity": "PT1H",
    "time_zone": "Europe/London",
}
SETTINGS = config(start_date="2026-01-01T00:00:00Z", queries=[QUERY])


# Runs


def rewriting_sandbox() -> tuple[Sandbox, SettableClock]:
    """A sandbox that rewrites its history, and its clock."""
    clock = SettableClock(START)
    return Sandbox(Options(volume=0.05, rewrites=True), now=clock), clock


def run_and_load(
    connection: Connection, days: int | list[float], killed: frozenset[float] = frozenset(), **changes: Any
) -> tuple[Sandbox, SettableClock]:
    """Run on these days, or on the first so many, some runs killed; load the rows and create the views."""
    sandbox, clock = rewriting_sandbox()
    settings = {**SETTINGS, **changes}
    state: dict[str, Any] = {}
    for day in [float(each) for each in range(1, days + 1)] if isinstance(days, int) else days:
        clock.set(START + timedelta(days=day, hours=5))
        random = Random(day)  # noqa: S311  # not for cryptography
        sandbox.faults = killed_at(random.randint(2, 8)) if day in killed else None
        outcome = run(sandbox, settings, state=state, time=ManualClock(clock()))
        assert isinstance(outcome.error, Killed) if day in killed else outcome.error is None
        if day in killed:  # the target is killed too, at any message
            del outcome.messages[random.randint(0, len(outcome.messages)) :]
        state = outcome.state or state
        load(connection, outcome.messages)
    connection.execute(views(Settings.read(SETTINGS).queries, "warehouse").encode())
    return sandbox, clock


def killed_at(request_number: int) -> Plan:
    """Kill the run at one of its requests."""
    requests = itertools.count(1)

    def plan(number: int, request: Request) -> None:
        del number, request
        if next(requests) == request_number:
            raise Killed

    return plan


def current(connection: Connection, until: datetime) -> list[dict[str, Any]]:
    """The rows of the view ``calls_current`` before an instant, as the tap writes them."""
    cursor = connection.execute(
        "select to_jsonb(c) - 'extracted_at' - 'is_final' from warehouse.calls_current c"
        " where interval_start < %s",
        [until.replace(tzinfo=None)],
    )
    rows = [row for (row,) in cursor.fetchall()]
    for row in rows:
        for name in ("interval_start", "interval_end"):
            row[name] += ".000Z"
    return rows


# Views

DAILY = [float(day) for day in range(1, 61)]
SCHEDULES: dict[str, tuple[list[float], frozenset[float]]] = {
    "daily": (DAILY, frozenset()),
    "ten days of outage": ([day for day in DAILY if not 30 < day <= 40], frozenset()),
    "two runs an hour for two days": (
        sorted([*DAILY, *(day + half / 48 for day in (20.0, 41.0) for half in range(1, 48))]),
        frozenset(),
    ),
    "killed on random days": (DAILY, frozenset(Random(4).sample(DAILY[10:50], 6))),  # noqa: S311  # not for cryptography
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEDULES)
def test_after_sixty_days_the_view_current_equals_the_expected_rows(
    name: str, connection: Connection
) -> None:
    """Rows that a rewrite removed are stored but not in the view."""
    sandbox, _ = run_and_load(connection, *SCHEDULES[name])
    until = START + timedelta(days=53)
    expected = ExpectedRows(sandbox).rows(QUERY, START, until, START + timedelta(days=600))
    rows = current(connection, until)
    assert multiset(rows) == multiset(expected)
    stored = connection.execute(
        "select count(*) from warehouse.calls where interval_start < %s",
        [until.replace(tzinfo=None)],
    )
    assert stored.fetchone()[0] > len(expected), "no row was removed, so this does not test the view"
    assert connection.execute("select count(*) from warehouse.calls_missing").fetchone()[0] == 0
    assert connection.execute("select count(*) from warehouse.extractions_gaps").fetchone()[0] == 0


@pytest.mark.slow
def test_without_a_lookback_rows_are_wrong_extra_and_missing(connection: Connection) -> None:
    sandbox, _ = run_and_load(connection, DAILY, lookback_days=0)
    until = START + timedelta(days=53)
    expected = ExpectedRows(sandbox).rows(QUERY, START, until, START + timedelta(days=600))
    deviation = Deviation.of(current(connection, until), expected)
    assert (deviation.wrong > 0, deviation.extra > 0, deviation.missing > 0) == (True, True, True), deviation


def test_the_view_missing_finds_a_deleted_row(connection: Connection) -> None:
    run_and_load(connection, 4)
    assert connection.execute("select count(*) from warehouse.calls_missing").fetchone()[0] == 0
    connection.execute(
        "delete from warehouse.calls"
        " where ctid = (select ctid from warehouse.calls order by interval_start limit 1)"
    )
    found = connection.execute("select rows_extracted - rows_present from warehouse.calls_missing").fetchall()
    assert found == [(1,)]


def test_the_view_gaps_finds_a_window_that_was_never_pulled(connection: Connection) -> None:
    run_and_load(connection, 4)
    connection.execute("delete from warehouse.extractions where window_start = '2026-01-02'")
    gaps = connection.execute(
        "select gap_start::text, gap_end::text from warehouse.extractions_gaps"
    ).fetchall()
    assert gaps == [("2026-01-02 00:00:00", "2026-01-03 00:00:00")]
