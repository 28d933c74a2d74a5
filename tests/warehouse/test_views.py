"""The views tell current from stale, find what is missing, and agree with the API."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta, timezone
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from genesys_sandbox import ExpectedRows, Options, Sandbox, SettableClock
from tap_genesys_aggregates.config.settings import Settings
from tap_genesys_aggregates.warehouse.views import views
from tests.pipeline.drift import Drift
from tests.pipeline.running import Time, bag, config, run
from tests.simulation.tap_run import Killed
from tests.warehouse.loading import load

if TYPE_CHECKING:
    from genesys_sandbox import Request
    from genesys_sandbox.faults import Plan

pytestmark = [pytest.mark.postgres]

UTC = timezone.utc
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
QUERY = {
    "name": "calls",
    "metrics": ["nOffered", "tHandle", "oServiceLevel"],
    "group_by": ["queueId", "mediaType"],
    "granularity": "PT1H",
    "time_zone": "Europe/London",
}
SETTINGS = config(start_date="2026-01-01T00:00:00Z", queries=[QUERY])
Connection = Any


def world(**options: Any) -> tuple[Sandbox, SettableClock]:
    """A sandbox that rewrites its history, and its clock."""
    clock = SettableClock(BEGIN)
    return Sandbox(Options(volume=0.05, rewrites=True, **options), now=clock), clock


def live(
    connection: Connection, days: int | list[float], killed: frozenset[float] = frozenset(), **changes: Any
) -> tuple[Sandbox, SettableClock]:
    """Run on these days (or every day) into the database, some runs killed on the way; make the views."""
    sandbox, clock = world()
    settings = {**SETTINGS, **changes}
    state: dict[str, Any] = {}
    for day in [float(each) for each in range(1, days + 1)] if isinstance(days, int) else days:
        clock.set(BEGIN + timedelta(days=day, hours=5))
        dice = Random(day)  # noqa: S311  # fates, not secrets
        sandbox.faults = switched_off(dice.randint(2, 8)) if day in killed else None
        outcome = run(sandbox, settings, state=state, time=Time(clock()))
        assert isinstance(outcome.error, Killed) if day in killed else outcome.error is None
        if day in killed:  # the target dies too, somewhere
            del outcome.messages[dice.randint(0, len(outcome.messages)) :]
        state = outcome.state or state
        load(connection, outcome.messages)
    connection.execute(views(Settings.read(SETTINGS).queries, "warehouse").encode())
    return sandbox, clock


def switched_off(at: int) -> Plan:
    """The machine is switched off at a request of this run."""
    requests = itertools.count(1)

    def plan(number: int, request: Request) -> None:
        del number, request
        if next(requests) == at:
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


DAILY = [float(day) for day in range(1, 61)]
LIVES: dict[str, tuple[list[float], frozenset[float]]] = {
    "daily": (DAILY, frozenset()),
    "ten days of outage": ([day for day in DAILY if not 30 < day <= 40], frozenset()),
    "two runs an hour for two days": (
        sorted([*DAILY, *(day + half / 48 for day in (20.0, 41.0) for half in range(1, 48))]),
        frozenset(),
    ),
    "killed on random days": (DAILY, frozenset(Random(4).sample(DAILY[10:50], 6))),  # noqa: S311  # days, not secrets
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LIVES)
def test_sixty_days_end_equal_to_the_settled_truth(name: str, connection: Connection) -> None:
    """In the database, the current rows are the platform's settled truth, removed rows included."""
    sandbox, _ = live(connection, *LIVES[name])
    until = BEGIN + timedelta(days=53)
    truth = ExpectedRows(sandbox).rows(QUERY, BEGIN, until, BEGIN + timedelta(days=600))
    held = current(connection, until)
    assert bag(held) == bag(truth)
    stored = connection.execute(
        "select count(*) from warehouse.calls where interval_start < %s",
        [until.replace(tzinfo=None)],
    )
    assert stored.fetchone()[0] > len(truth), "no row vanished, so the view was not put to the test"
    assert connection.execute("select count(*) from warehouse.calls_missing").fetchone()[0] == 0
    assert connection.execute("select count(*) from warehouse.extractions_gaps").fetchone()[0] == 0


@pytest.mark.slow
def test_without_look_back_the_database_drifts(connection: Connection) -> None:
    """The same sixty days with a look-back of 0: numbers wrong, rows that should be gone, rows missing."""
    sandbox, _ = live(connection, DAILY, lookback_days=0)
    until = BEGIN + timedelta(days=53)
    truth = ExpectedRows(sandbox).rows(QUERY, BEGIN, until, BEGIN + timedelta(days=600))
    drift = Drift.of(current(connection, until), truth)
    assert (drift.wrong > 0, drift.extra > 0, drift.missing > 0) == (True, True, True), drift


def test_a_deleted_row_is_found(connection: Connection) -> None:
    """A row that somebody deletes from the warehouse shows in the completeness view, with its window."""
    live(connection, 4)
    assert connection.execute("select count(*) from warehouse.calls_missing").fetchone()[0] == 0
    connection.execute(
        "delete from warehouse.calls"
        " where ctid = (select ctid from warehouse.calls order by interval_start limit 1)"
    )
    found = connection.execute("select rows_extracted - rows_present from warehouse.calls_missing").fetchall()
    assert found == [(1,)]


def test_a_window_that_was_never_pulled_is_found(connection: Connection) -> None:
    """A hole in the ledger shows as a gap."""
    live(connection, 4)
    connection.execute("delete from warehouse.extractions where window_start = '2026-01-02'")
    gaps = connection.execute(
        "select gap_start::text, gap_end::text from warehouse.extractions_gaps"
    ).fetchall()
    assert gaps == [("2026-01-02 00:00:00", "2026-01-03 00:00:00")]
