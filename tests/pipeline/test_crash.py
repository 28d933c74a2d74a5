"""A run that dies at any request, and the run after it."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from genesys_sandbox import Options, Rule, Rules, Sandbox, SettableClock
from genesys_sandbox.faults import status
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


def sandbox() -> Sandbox:
    """A quiet contact centre on a Monday morning."""
    return Sandbox(Options(volume=0.1), now=NOW)


def whole(settings: dict[str, Any]) -> tuple[list[Row], int]:
    """The rows of a run that nothing disturbs, and how many requests it took."""
    undisturbed = sandbox()
    outcome = run(undisturbed, settings)
    assert outcome.error is None
    return outcome.rows("calls"), len(undisturbed.log)


@pytest.mark.parametrize("api", CONFIGS)
def test_crash_at_each_request_then_resume(api: str) -> None:
    """Whichever request kills the run, the next run brings exactly what an unharmed one brings."""
    settings = CONFIGS[api]
    rows, requests = whole(settings)
    assert requests > 6
    for number in range(1, requests + 1):
        warehouse = Warehouse()
        harmed = sandbox()
        harmed.faults = lambda n, _, at=number: status(403) if n == at else None
        crashed = run(harmed, settings)
        assert crashed.error is not None, f"request {number} did not stop the run"
        warehouse.load(crashed.messages)
        resumed = run(sandbox(), settings, state=warehouse.state)
        assert resumed.error is None
        warehouse.load(resumed.messages)
        assert multiset(warehouse.rows("calls")) == multiset(rows), f"after a crash at request {number}"


@pytest.mark.parametrize("api", CONFIGS)
def test_state_stands_at_the_last_whole_window(api: str) -> None:
    """After a crash the bookmark is the end of the last window whose rows are all out."""
    harmed = sandbox()
    harmed.faults = Rules(Rule(status(403), match="aggregate", after=3, times=None))
    crashed = run(harmed, CONFIGS[api])
    assert crashed.error is not None
    ends = [row["window_end"] for row in crashed.rows("extractions")]
    assert ends == sorted(ends)
    bookmark = crashed.state["bookmarks"]["calls"]["replication_key_value"]
    assert bookmark == ends[-1]
    assert crashed.messages[-1]["type"] != "STATE" or crashed.messages[-1]["value"]["bookmarks"]
    assert all(
        row["interval_end"] <= bookmark for row in crashed.rows("calls") if row["interval_start"] < bookmark
    )


def test_empty_window_moves_the_state() -> None:
    """A stretch in which nothing happened is done all the same: its STATE follows."""
    quiet = Sandbox(Options(volume=0.0), now=NOW)
    outcome = run(quiet, CONFIGS["results"])
    assert outcome.error is None
    assert outcome.rows("calls") == []
    assert outcome.state["bookmarks"]["calls"]["replication_key_value"] == "2026-03-09T10:00:00.000Z"


def test_second_run_reads_only_the_look_back() -> None:
    """A second run asks for nothing before the day of now less the look-back, and brings nothing else."""
    settings = {**CONFIGS["results"], "lookback_days": 2}
    first = run(sandbox(), settings)
    again = sandbox()
    second = run(again, settings, state=first.state)
    intervals = [entry.body["interval"] for entry in again.log if "query" in entry.path]  # type: ignore[index]
    assert min(intervals).startswith("2026-03-07T00:00:00.000Z")
    assert second.state == first.state
    assert all(row["interval_start"] >= "2026-03-07T00:00:00.000Z" for row in second.rows("calls"))


def test_rows_come_before_their_state() -> None:
    """No STATE is ahead of its rows: each bookmark is preceded by every row before it."""
    rows, _ = whole(CONFIGS["results"])
    outcome = run(sandbox(), CONFIGS["results"])
    seen: list[Row] = []
    for message in outcome.messages:
        if message["type"] == "RECORD" and message["stream"] == "calls":
            seen.append(message["record"])
        elif message["type"] == "STATE":
            bookmark = message["value"]["bookmarks"]["calls"]["replication_key_value"]
            assert multiset(seen) == multiset([row for row in rows if row["interval_start"] < bookmark])
