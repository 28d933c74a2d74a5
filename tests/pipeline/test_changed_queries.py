"""A query that changed between two runs, and each fix that its message names, followed word by word.

Before, the second run of a changed query went on from the bookmark without a word, and the table held rows of
both queries. Smallest reproducer: load ``PT1H``, set ``granularity: P1D``, load again; the sum of
``n_offered_count`` counts recent days twice.
"""

from __future__ import annotations

import copy
import json
import logging
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from genesys_sandbox import ExpectedRows, Options, Rule, Rules, Sandbox, SettableClock
from genesys_sandbox.faults import status
from tap_genesys_aggregates.core.errors import SettingError
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.pipeline.running import ManualClock, Warehouse, config, multiset, run

if TYPE_CHECKING:
    from genesys_sandbox.faults import Plan
    from tests.pipeline.running import Message, Outcome

START = datetime(2026, 2, 2, tzinfo=timezone.utc)
NOW = datetime(2026, 3, 9, 10, tzinfo=timezone.utc)
CALLS = {"name": "calls", "metrics": ["nOffered", "tHandle"], "group_by": ["queueId"], "granularity": "PT1H"}
OTHERS = {"name": "others", "metrics": ["nOffered"], "group_by": ["queueId"], "granularity": "P1D"}
VOICE = {"type": "and", "predicates": [{"dimension": "mediaType", "value": "voice"}]}
CHANGES: dict[str, dict[str, Any]] = {
    "granularity": {"granularity": "P1D"},
    "time zone": {"time_zone": "Asia/Kolkata"},
    "filter": {"filter": VOICE},
    "views": {
        "views": [{"name": "short", "target": "tHandle", "function": "rangeBound", "range": {"lt": 60_000}}]
    },
}
SANDBOX = Sandbox(Options(volume=0.02), now=SettableClock(NOW))
"""One contact center for all tests: making up its conversations takes the most time."""
REKEYED: dict[str, dict[str, Any]] = {
    "group_by": {"group_by": ["queueId", "userId"]},
    "shape": {"shape": "long"},
}


class Organization:
    """A contact center, and the table and the state that runs of the tap leave behind."""

    def __init__(self) -> None:
        self.warehouse = Warehouse()
        self.sandbox = SANDBOX

    def load(
        self,
        *queries: dict[str, Any],
        start: datetime = START,
        faults: Plan | None = None,
        catalog: dict[str, Any] | None = None,
    ) -> Outcome:
        """Run the tap once, and load what it wrote."""
        settings = config(queries=list(queries), start_date=start.isoformat(), max_window="P7D")
        self.sandbox.faults = faults
        self.sandbox.log.clear()
        outcome = run(
            self.sandbox, settings, state=self.warehouse.state, time=ManualClock(NOW), catalog=catalog
        )
        self.warehouse.load(outcome.messages)
        return outcome

    def drop(self, table: str) -> None:
        """Drop a table, and remove its bookmark from the state."""
        del self.warehouse.tables[table]
        del self.warehouse.state["bookmarks"][table]

    def requested_starts(self) -> list[str]:
        """The first instants of the intervals that the last run asked for."""
        bodies: list[Any] = [entry.body for entry in self.sandbox.log if "aggregates" in entry.path]
        return sorted(body["interval"][:24] for body in bodies)

    def is_exact(self, query: dict[str, Any], start: datetime = START) -> bool:
        """Whether the table holds the rows of one undisturbed load, and nothing else."""
        expected = ExpectedRows(self.sandbox).rows(query, start, self._stop(query))
        return multiset(self.warehouse.rows(query["name"])) == multiset(expected)

    def holds(self, query: dict[str, Any], since: datetime) -> bool:
        """Whether the table holds every row of a query since an instant, whatever else it holds."""
        expected = ExpectedRows(self.sandbox).rows(query, since, self._stop(query))
        return not multiset(expected) - multiset(self.warehouse.rows(query["name"]))

    @staticmethod
    def _stop(query: dict[str, Any]) -> datetime:
        return NOW.replace(hour=0) if query["granularity"] == "P1D" else NOW


@pytest.fixture(scope="module")
def first_load() -> list[Message]:
    """What the first run of both queries writes."""
    found = Organization()
    outcome = found.load(CALLS, OTHERS)
    assert outcome.error is None
    assert len(found.warehouse.rows("calls")) > 100
    assert found.is_exact(CALLS)
    return outcome.messages


@pytest.fixture
def organization(first_load: list[Message]) -> Organization:
    """An organization in which both queries were loaded."""
    found = Organization()
    found.warehouse.load(copy.deepcopy(first_load))
    return found


def line_of(outcome: Outcome) -> str:
    """The line with which a run failed."""
    assert isinstance(outcome.error, SettingError)
    return str(outcome.error)


def bookmark(state: Message, name: str) -> Any:
    return state["bookmarks"][name]


@pytest.mark.parametrize("change", CHANGES)
def test_stop_refuses_a_changed_query_and_loads_the_others(change: str, organization: Organization) -> None:
    """Its table and its bookmark stay as they are, and no SCHEMA makes the target change the table."""
    before = json.dumps(bookmark(organization.warehouse.state, "calls"))
    outcome = organization.load({**CALLS, **CHANGES[change]}, OTHERS)
    assert line_of(outcome).startswith("query 'calls' is not the one that its table was loaded for: ")
    assert outcome.rows("calls") == []
    assert not [each for each in outcome.messages if each["type"] == "SCHEMA" and each["stream"] == "calls"]
    assert json.dumps(bookmark(outcome.state, "calls")) == before
    assert outcome.rows("others")
    assert organization.load(CALLS, OTHERS).error is None  # changed back


@pytest.mark.parametrize("change", [*CHANGES, *REKEYED])
def test_give_it_a_new_name_for_a_new_table(change: str, organization: Organization) -> None:
    """The old table stays as it was."""
    changed = {**CALLS, **(CHANGES | REKEYED)[change]}
    advice = line_of(organization.load(changed, OTHERS))
    assert "Give it a new name for a new table" in advice or "Give the query a new name for a new" in advice
    renamed = {**changed, "name": "calls_by_day"}
    assert organization.load(renamed, OTHERS).error is None
    assert organization.is_exact(renamed)
    assert organization.is_exact(CALLS)


@pytest.mark.parametrize("change", CHANGES)
def test_set_on_query_change_reload_on_it_to_load_everything_again(
    change: str, organization: Organization
) -> None:
    """Once: the run after it reads the lookback only, although the setting is still there."""
    changed = {**CALLS, **CHANGES[change]}
    assert "set on_query_change: reload on it" in line_of(organization.load(changed, OTHERS))
    reloading = {**changed, "on_query_change": "reload"}
    assert organization.load(reloading, OTHERS).error is None
    assert organization.requested_starts()[0] < "2026-02-03"
    assert organization.holds(changed, START)
    assert organization.load(reloading, OTHERS).error is None
    assert organization.requested_starts()[0] >= "2026-03-01"
    assert organization.load(changed, OTHERS).error is None  # without the setting


@pytest.mark.parametrize("request_number", range(2, 12))
def test_a_reload_that_is_killed_goes_on_where_it_stopped(
    request_number: int, organization: Organization
) -> None:
    """It starts over only if nothing of it was loaded yet."""
    changed = {**CALLS, **CHANGES["filter"], "on_query_change": "reload", "window": "P7D"}
    killed = organization.load(
        changed, faults=lambda number, _: status(403) if number >= request_number else None
    )
    if killed.error is None:
        assert request_number > len(organization.sandbox.log)
        return
    windows = len(killed.rows("extractions"))
    resumed = organization.load(changed)
    assert resumed.error is None
    assert organization.holds(changed, START)
    starts = [row["window_start"] for row in killed.rows("extractions")]
    assert organization.requested_starts()[0] > starts[-1] if windows else True
    assert bookmark(resumed.state, "calls")["loaded_since"] == "2026-02-02T00:00:00.000Z"


@pytest.mark.parametrize("change", CHANGES)
def test_set_on_query_change_continue_to_keep_the_old_rows_beside_the_new_ones(
    change: str, organization: Organization, caplog: pytest.LogCaptureFixture
) -> None:
    """Only the lookback is read by the new query. The change is told once."""
    changed = {**CALLS, **CHANGES[change]}
    assert "on_query_change: continue to keep the old rows" in line_of(organization.load(changed, OTHERS))
    old = [row for row in organization.warehouse.rows("calls") if row["interval_start"] < "2026-02-20"]
    going_on = {**changed, "on_query_change": "continue"}
    for times in (1, 0):
        caplog.clear()
        assert organization.load(going_on, OTHERS).error is None
        assert caplog.text.count("query 'calls' changed: ") == times
        assert organization.requested_starts()[0] >= "2026-03-01"
    assert organization.holds(changed, datetime(2026, 3, 3, tzinfo=timezone.utc))
    assert multiset([row for row in organization.warehouse.rows("calls") if row in old]) == multiset(old)


@pytest.mark.parametrize("mode", ["stop", "continue", "reload"])
@pytest.mark.parametrize("change", REKEYED)
def test_a_new_key_is_refused_until_the_table_is_dropped_and_its_bookmark_removed(
    change: str, mode: str, organization: Organization
) -> None:
    changed = {**CALLS, **REKEYED[change], "on_query_change": mode}
    outcome = organization.load(changed, OTHERS)
    line = line_of(outcome)
    assert line.startswith("query 'calls' has another primary key than its table: key from [")
    assert line.endswith("or drop the table calls and remove bookmarks.calls from the state")
    assert not [each for each in outcome.messages if each["type"] == "SCHEMA" and each["stream"] == "calls"]
    assert outcome.rows("others")
    organization.drop("calls")
    assert organization.load(changed, OTHERS).error is None
    assert organization.is_exact(changed)


@pytest.mark.parametrize("mode", ["stop", "continue", "reload"])
def test_an_added_metric_warns_and_its_history_comes_with_reload(
    mode: str, organization: Organization, caplog: pytest.LogCaptureFixture
) -> None:
    """A preset may gain a metric with a new version of the tap: that must not stop anything."""
    changed = {**CALLS, "metrics": ["nOffered", "tHandle", "tAcw"]}
    assert organization.load({**changed, "on_query_change": mode}).error is None
    assert caplog.text.count("query 'calls': metrics") == 1
    assert organization.is_exact(changed) == (mode == "reload")
    assert organization.load({**changed, "on_query_change": "reload"}).error is None
    assert organization.is_exact(changed)


def catalog_of(*queries: dict[str, Any]) -> dict[str, Any]:
    """What ``--discover`` prints for some queries, as JSON."""
    tap = TapGenesysAggregates(config=config(queries=list(queries)))
    found: dict[str, Any] = json.loads(json.dumps(tap.catalog_dict))
    return found


@pytest.mark.parametrize("change", REKEYED)
def test_a_catalog_of_another_key_is_refused_until_it_is_discovered_again(change: str) -> None:
    """Reproducer: discover, add ``userId`` to ``group_by``, run with the old ``--catalog``.

    The SCHEMA had the old key, and each row of an agent replaced that of the one before.
    """
    organization = Organization()
    changed = {**CALLS, **REKEYED[change]}
    outcome = organization.load(changed, OTHERS, catalog=catalog_of(CALLS, OTHERS))
    line = line_of(outcome)
    assert line.startswith(
        "--catalog: stream 'calls' has key_properties "
        '["interval_start", "queue_id", "media_type"] instead of ["interval_start", '
    )
    assert line.endswith(". Make a new one with --discover, or leave --catalog out to select all streams")
    assert outcome.rows("others")
    assert not outcome.rows("calls")
    assert organization.load(changed, OTHERS, catalog=catalog_of(changed, OTHERS)).error is None
    assert organization.is_exact(changed)


def test_a_catalog_without_a_new_column_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    """Reproducer: discover, add ``tAcw``, run with the old ``--catalog``.

    The SCHEMA does not have the columns that the rows have, and target-postgres drops them in silence.
    """
    changed = {**CALLS, "metrics": ["nOffered", "tHandle", "tAcw"]}
    outcome = Organization().load(changed, catalog=catalog_of(CALLS))
    assert outcome.error is None
    columns = "t_acw_count, t_acw_max, t_acw_min, t_acw_sum"
    assert (
        f"--catalog: the schema of stream 'calls' lacks {columns}, so a target may leave these columns out. "
        "Make a new one with --discover, or leave --catalog out to select all streams"
    ) in caplog.messages


def test_a_catalog_that_is_still_right_is_used() -> None:
    organization = Organization()
    catalog = catalog_of(CALLS, OTHERS)
    (entry,) = [each for each in catalog["streams"] if each["tap_stream_id"] == "others"]
    next(each for each in entry["metadata"] if not each["breadcrumb"])["metadata"]["selected"] = False
    outcome = organization.load(CALLS, OTHERS, catalog=catalog)
    assert outcome.error is None
    assert organization.is_exact(CALLS)
    assert not outcome.rows("others")


EARLIER = START - timedelta(days=21)


def test_start_date_moved_earlier_loads_what_is_missing(organization: Organization) -> None:
    """Reproducer: load, set ``start_date`` three weeks earlier, load again: nothing came, without a word."""
    assert organization.load(CALLS, start=EARLIER).error is None
    assert organization.is_exact(CALLS, EARLIER)
    read = organization.requested_starts()
    assert not [start for start in read if "2026-02-02" <= start < "2026-03-01"]
    assert bookmark(organization.warehouse.state, "calls")["loaded_since"] == "2026-01-12T00:00:00.000Z"
    assert organization.load(CALLS, start=EARLIER).error is None
    assert organization.requested_starts()[0] >= "2026-03-01"


@pytest.mark.parametrize("request_number", range(2, 9))
def test_loading_what_is_missing_goes_on_after_a_kill(
    request_number: int, organization: Organization
) -> None:
    killed = organization.load(
        CALLS, start=EARLIER, faults=lambda number, _: status(403) if number >= request_number else None
    )
    windows = [row["window_start"] for row in killed.rows("extractions")]
    assert organization.load(CALLS, start=EARLIER).error is None
    assert organization.is_exact(CALLS, EARLIER)
    if windows and killed.error is not None:
        assert organization.requested_starts()[0] > windows[0]


def test_start_date_moved_later_and_back_reads_nothing_twice(organization: Organization) -> None:
    assert organization.load(CALLS, start=START + timedelta(days=14)).error is None
    assert organization.load(CALLS).error is None
    assert organization.requested_starts()[0] >= "2026-03-01"
    assert organization.is_exact(CALLS)


def test_a_query_that_fails_for_good_does_not_keep_a_changed_one_from_reloading(
    organization: Organization, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    reloading = {**CALLS, **CHANGES["filter"], "on_query_change": "reload"}
    forbidden = Rules(Rule(status(403), match="others", times=None))
    broken = {**OTHERS, "path": "/api/v2/analytics/others/aggregates/query"}
    outcome = organization.load(broken, reloading, faults=forbidden)
    assert outcome.error is not None
    assert organization.holds(reloading, START)
