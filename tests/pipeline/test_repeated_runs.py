"""Runs one after the other: after a failure, after an outage, and over history that changes."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from genesys_sandbox import Options, Rule, Rules, Sandbox, SettableClock
from genesys_sandbox.faults import status
from tests.pipeline.lookback_costs import (
    DAILY,
    LOOKBACKS,
    documented,
    expected_rows,
    measure,
    rows_after,
    settled,
)
from tests.pipeline.running import Warehouse, config, multiset, run

if TYPE_CHECKING:
    from tests.pipeline.running import Row

NOW = SettableClock(datetime(2026, 3, 9, 10, 10, tzinfo=timezone.utc))
QUERY = {"name": "calls", "metrics": ["nOffered", "tHandle"], "group_by": ["queueId"], "granularity": "PT1H"}
TREE = {
    "name": "calls",
    "group_by": ["interval", "routing.queue.id"],
    "metrics": ["conversationCount"],
    "granularity": "PT1H",
}
CONFIGS: dict[str, dict[str, Any]] = {
    "results": config(queries=[QUERY]),
    "group_tree": config(api="group_tree", queries=[TREE], page_size=2, start_date="2026-03-06T00:00:00Z"),
}


def sandbox_now() -> Sandbox:
    """A sandbox with few calls, on a Monday morning."""
    return Sandbox(Options(volume=0.1), now=NOW)


def undisturbed(settings: dict[str, Any]) -> tuple[list[Row], int]:
    """The rows of a run without faults, and the number of its requests."""
    sandbox = sandbox_now()
    outcome = run(sandbox, settings)
    assert outcome.error is None
    return outcome.rows("calls"), len(sandbox.log)


# State


@pytest.mark.parametrize("api", CONFIGS)
def test_whichever_request_fails_the_next_run_brings_every_row(api: str) -> None:
    settings = CONFIGS[api]
    rows, requests = undisturbed(settings)
    assert requests > 6
    for number in range(1, requests + 1):
        warehouse = Warehouse()
        failing = sandbox_now()
        failing.faults = lambda n, _, at=number: status(403) if n == at else None
        failed = run(failing, settings)
        assert failed.error is not None, f"request {number} did not end the run"
        warehouse.load(failed.messages)
        resumed = run(sandbox_now(), settings, state=warehouse.state)
        assert resumed.error is None
        warehouse.load(resumed.messages)
        assert multiset(warehouse.rows("calls")) == multiset(rows), f"after a failure of request {number}"


@pytest.mark.parametrize("api", CONFIGS)
def test_after_a_failure_the_state_is_the_end_of_the_last_complete_window(api: str) -> None:
    sandbox = sandbox_now()
    sandbox.faults = Rules(Rule(status(403), match="aggregate", after=3, times=None))
    failed = run(sandbox, CONFIGS[api])
    assert failed.error is not None
    ends = [row["window_end"] for row in failed.rows("extractions")]
    assert ends == sorted(ends)
    bookmark = failed.state["bookmarks"]["calls"]["replication_key_value"]
    assert bookmark == ends[-1]
    assert failed.messages[-1]["type"] != "STATE" or failed.messages[-1]["value"]["bookmarks"]
    assert all(
        row["interval_end"] <= bookmark for row in failed.rows("calls") if row["interval_start"] < bookmark
    )


def test_a_window_without_data_advances_the_state() -> None:
    outcome = run(Sandbox(Options(volume=0.0), now=NOW), CONFIGS["results"])
    assert outcome.error is None
    assert outcome.rows("calls") == []
    assert outcome.state["bookmarks"]["calls"]["replication_key_value"] == "2026-03-09T10:00:00.000Z"


def test_a_second_run_reads_only_the_lookback() -> None:
    settings = {**CONFIGS["results"], "lookback_days": 2}
    first = run(sandbox_now(), settings)
    sandbox = sandbox_now()
    second = run(sandbox, settings, state=first.state)
    intervals = [entry.body["interval"] for entry in sandbox.log if "query" in entry.path]  # type: ignore[index]
    assert min(intervals).startswith("2026-03-07T00:00:00.000Z")
    assert second.state == first.state
    assert all(row["interval_start"] >= "2026-03-07T00:00:00.000Z" for row in second.rows("calls"))


def test_rows_come_before_their_state() -> None:
    """Each STATE follows every row before its bookmark."""
    rows, _ = undisturbed(CONFIGS["results"])
    outcome = run(sandbox_now(), CONFIGS["results"])
    seen: list[Row] = []
    for message in outcome.messages:
        if message["type"] == "RECORD" and message["stream"] == "calls":
            seen.append(message["record"])
        elif message["type"] == "STATE":
            bookmark = message["value"]["bookmarks"]["calls"]["replication_key_value"]
            assert multiset(seen) == multiset([row for row in rows if row["interval_start"] < bookmark])


# Sixty days of history that is rewritten

SCHEDULES = {
    "daily": DAILY,
    "ten days of outage": [day for day in DAILY if not 30 < day <= 40],
    "two runs an hour on some days": sorted(
        [*DAILY, *(day + half / 48 for day in (20.0, 21.0, 41.0) for half in range(1, 48))]
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEDULES)
def test_on_every_schedule_the_settled_rows_equal_the_expected_ones(name: str) -> None:
    rows = settled(rows_after(SCHEDULES[name]))
    assert multiset(rows) == multiset(expected_rows())
    assert all(row["is_final"] for row in rows), "a settled bucket was never read after it had settled"


@pytest.mark.slow
def test_after_failed_runs_the_settled_rows_equal_the_expected_ones() -> None:
    failing = frozenset({11.0, 12.0, 33.0, 50.0})
    assert multiset(settled(rows_after(DAILY, failing))) == multiset(expected_rows())


@pytest.mark.slow
def test_without_a_lookback_settled_rows_are_wrong_extra_and_missing() -> None:
    """Which is why there is a default."""
    deviation = measure(0)
    assert deviation.wrong > 0
    assert deviation.extra > 0
    assert deviation.missing > 0
    assert deviation.line(0) == documented()[0]


@pytest.mark.slow
@pytest.mark.parametrize("lookback", LOOKBACKS[1:])
def test_the_documented_cost_of_a_shorter_lookback_is_what_is_measured(lookback: int) -> None:
    """``python -m tests.pipeline.lookback_costs`` writes the figures."""
    found = measure(lookback)
    assert found.line(lookback) == documented()[lookback]
    deviations = (found.wrong, found.extra, found.missing, found.offered[0], found.handled[0])
    assert (deviations == (0,) * 5) == (lookback >= 7)


def test_the_documented_lookbacks_are_the_measured_ones() -> None:
    assert tuple(documented()) == LOOKBACKS
