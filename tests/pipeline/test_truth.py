"""Sixty days of a platform that rewrites its history: the warehouse ends equal to the settled truth."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from tap_genesys_aggregates.sandbox import Options, Rule, Rules, Sandbox, SettableClock, Witness
from tap_genesys_aggregates.sandbox.faults import status
from tests.pipeline.running import Time, Warehouse, bag, config, run

if TYPE_CHECKING:
    from tests.pipeline.running import Row

pytestmark = pytest.mark.slow

UTC = timezone.utc
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 60
QUERY = {
    "name": "calls",
    "metrics": ["nOffered", "tHandle"],
    "group_by": ["queueId", "mediaType"],
    "granularity": "PT1H",
}


def live(days: list[float], killed: frozenset[float] = frozenset(), **changes: Any) -> list[Row]:
    """Run the tap at these days of its life; give the rows that are current at the end."""
    clock = SettableClock(BEGIN)
    sandbox = Sandbox(Options(volume=0.05, rewrites=True), now=clock)
    warehouse = Warehouse()
    settings = config(start_date="2026-01-01T00:00:00Z", queries=[QUERY], **changes)
    for day in days:
        clock.set(BEGIN + timedelta(days=day, hours=5))
        sandbox.faults = Rules(Rule(status(403), match="query", after=3)) if day in killed else None
        outcome = run(sandbox, settings, state=warehouse.state, time=Time(clock()))
        assert (outcome.error is not None) == (day in killed)
        warehouse.load(outcome.messages)
    return current(warehouse)


def current(warehouse: Warehouse) -> list[Row]:
    """Rows that the last pull of their bucket brought, by the ledger."""
    ledger = warehouse.rows("extractions")
    return [
        row
        for row in warehouse.rows("calls")
        if not any(
            line["window_start"] <= row["interval_start"] < line["window_end"]
            and line["extracted_at"] > row["extracted_at"]
            for line in ledger
        )
    ]


def truth(until: int = DAYS - 7) -> list[Row]:
    """What settled history says of the days before."""
    witness = Witness(Sandbox(Options(volume=0.05, rewrites=True), now=SettableClock(BEGIN)))
    end = BEGIN + timedelta(days=until)
    return witness.rows(QUERY, BEGIN, end, BEGIN + timedelta(days=DAYS * 10))


def settled(rows: list[Row], until: int = DAYS - 7) -> list[Row]:
    """Rows of the days before."""
    end = (BEGIN + timedelta(days=until)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return [row for row in rows if row["interval_start"] < end]


DAILY = [float(day) for day in range(1, DAYS + 1)]
LIVES = {
    "daily": DAILY,
    "ten days of outage": [day for day in DAILY if not 30 < day <= 40],
    "two runs an hour, some days": sorted(
        [*DAILY, *(day + half / 48 for day in (20.0, 21.0, 41.0) for half in range(1, 48))]
    ),
}


@pytest.mark.parametrize("name", LIVES)
def test_warehouse_ends_equal_to_the_settled_truth(name: str) -> None:
    """However often it runs, every settled day is to the number what the platform says in the end."""
    rows = settled(live(LIVES[name]))
    assert bag(rows) == bag(truth())
    assert all(row["is_final"] for row in rows), "every settled bucket was read once after it had settled"


def test_killed_runs_lose_nothing() -> None:
    """Runs that die in the middle leave nothing behind that the next ones do not mend."""
    killed = frozenset({11.0, 12.0, 33.0, 50.0})
    assert bag(settled(live(DAILY, killed))) == bag(truth())


def test_without_look_back_the_numbers_drift() -> None:
    """The default has a reason: with no look-back the same sixty days end different from the truth."""
    assert bag(settled(live(DAILY, lookback_days=0))) != bag(truth())
