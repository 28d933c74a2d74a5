"""Queries of the family ``users``, which must name the users to report on: 100 in each request."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest

from genesys_sandbox import ExpectedRows, Rule, Sandbox
from genesys_sandbox.faults import put, status
from genesys_sandbox.in_process import InProcessAdapter
from tap_genesys_aggregates.core.errors import IncompleteError, TapError
from tap_genesys_aggregates.http.errors import DeniedError
from tap_genesys_aggregates.streams import AggregateStream
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.extract.lookups import (
    CALLS,
    NOW,
    PATHS,
    START,
    STOP,
    always,
    expected_names,
    put_all,
    requests_to,
    run_with,
    sandbox_with,
)
from tests.pipeline.running import ManualClock, config, multiset

if TYPE_CHECKING:
    from requests import Session

PRESET = {"preset": "agent_status", "granularity": "PT6H"}
STATUS = {**PRESET, "metrics": ["tOrganizationPresence"]}
DAILY = {**STATUS, "name": "by_day", "granularity": "P1D"}
FAMILY = "/api/v2/analytics/users/aggregates/query"


def bodies(sandbox: Sandbox) -> list[Any]:
    """The bodies of the queries, in order."""
    return [entry.body for entry in sandbox.log if entry.path == FAMILY]


def named(body: Any) -> list[str]:
    """The users that the filter of a query names."""
    (clause,) = body["filter"]["clauses"]
    assert (body["filter"]["type"], clause["type"]) == ("and", "or")
    fixed = {"type": "dimension", "dimension": "userId", "operator": "matches"}
    assert all({**fixed, "value": each["value"]} == each for each in clause["predicates"])
    return [each["value"] for each in clause["predicates"]]


@pytest.mark.slow
@pytest.mark.parametrize("concurrency", [1, 4])
def test_250_users_are_three_batches_in_each_window(concurrency: int) -> None:
    sandbox = sandbox_with(agents=250)
    outcome = run_with(
        sandbox, queries=[STATUS], start_date="2026-03-02T00:00:00Z", concurrency=concurrency, state={}
    )
    assert outcome.error is None
    windows: dict[str, list[list[str]]] = {}
    for body in bodies(sandbox):
        windows.setdefault(body["interval"], []).append(named(body))
    assert len(windows) == 2
    for batches in windows.values():
        assert sorted(map(len, batches)) == [50, 100, 100]
        assert sorted(chain.from_iterable(batches)) == sorted(expected_names(sandbox)["users"])


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["wide", "long"])
def test_every_number_of_250_users_arrives_and_no_key_twice(shape: str) -> None:
    sandbox = sandbox_with(agents=250)
    outcome = run_with(sandbox, queries=[{**PRESET, "shape": shape}], concurrency=3)
    assert outcome.error is None
    rows = outcome.rows("agent_status")
    query = {
        "endpoint": "users",
        "group_by": ["userId"],
        "metrics": ["tAgentRoutingStatus", "tOrganizationPresence", "tSystemPresence"],
        "granularity": "PT6H",
        "shape": shape,
    }
    assert multiset(rows) == multiset(ExpectedRows(sandbox).rows(query, START, STOP))
    (schema,) = (m for m in outcome.messages if m["type"] == "SCHEMA" and m["stream"] == "agent_status")
    keys = [tuple(row[name] for name in schema["key_properties"]) for row in rows]
    assert len(set(keys)) == len(keys) > 1000
    assert {"IDLE", "INTERACTING", "ON_QUEUE", "MEAL"} <= {row["qualifier"] for row in rows}


def test_all_batches_of_a_window_share_one_extracted_at_one_ledger_row_and_one_state() -> None:
    sandbox = sandbox_with(Rule(status(429, "60"), match=FAMILY), agents=110)
    outcome = run_with(sandbox, queries=[STATUS], start_date="2026-03-02T00:00:00Z")
    marks = [
        message["stream"] if message["type"] == "RECORD" else message["type"]
        for message in outcome.messages
        if message["type"] in {"RECORD", "STATE"}
    ]
    assert [mark for i, mark in enumerate(marks) if mark != marks[i - 1]] == [
        *("agent_status", "extractions", "STATE") * 2
    ]
    for day, stamp, requests in (("2026-03-02", "12:00:00", 3), ("2026-03-03", "12:01:00", 2)):
        rows = [row for row in outcome.rows("agent_status") if row["interval_start"].startswith(day)]
        assert {row["extracted_at"] for row in rows} == {f"2026-03-04T{stamp}.000Z"}
        (entry,) = (row for row in outcome.rows("extractions") if row["window_start"].startswith(day))
        assert (entry["row_count"], entry["pages"], entry["requests"]) == (len(rows), 2, requests)


def test_a_window_whose_last_batch_fails_is_not_committed() -> None:
    """The state stays before the window, so the next run pulls it again."""
    fail = always(status(400), FAMILY)
    fail.after = 3
    outcome = run_with(sandbox_with(fail, agents=110), queries=[STATUS], start_date="2026-03-02T00:00:00Z")
    assert outcome.error is not None
    assert outcome.state["bookmarks"]["agent_status"]["replication_key_value"] == "2026-03-03T00:00:00.000Z"
    again = sandbox_with(agents=110)
    run_with(again, queries=[STATUS], state=outcome.state, lookback_days=0)
    assert {body["interval"][:10] for body in bodies(again)} == {"2026-03-03"}
    assert len(bodies(again)) == 2


def test_a_batch_that_is_too_large_is_halved_and_its_window_committed_once() -> None:
    sandbox = sandbox_with(agents=110, max_results=120)
    outcome = run_with(sandbox, queries=[STATUS])
    whole = run_with(sandbox_with(agents=110), queries=[STATUS])
    assert multiset(outcome.rows("agent_status")) == multiset(whole.rows("agent_status"))
    assert len(bodies(sandbox)) > 2
    learnt = outcome.state["bookmarks"]["agent_status"].pop("windows")
    assert learnt["failed"]
    del whole.state["bookmarks"]["agent_status"]["windows"]
    assert outcome.state == whole.state
    (entry,) = outcome.rows("extractions")
    assert entry["was_split"] is True


def test_two_queries_and_the_users_stream_share_one_list_of_users() -> None:
    sandbox = sandbox_with(agents=250)
    outcome = run_with(sandbox, "users", queries=[STATUS, DAILY])
    assert outcome.error is None
    assert len(requests_to(sandbox, PATHS["users"])) == 3
    assert len(bodies(sandbox)) == 6
    assert len(outcome.rows("users")) == 250


def tap_of(sandbox: Sandbox) -> TapGenesysAggregates:
    """A tap that requests from a sandbox."""

    def mount(session: Session) -> None:
        session.mount("https://", InProcessAdapter(sandbox))

    return TapGenesysAggregates(config=config(queries=[STATUS]), clock=ManualClock(NOW), mount=mount)


def test_eight_threads_that_need_the_list_at_once_request_it_once() -> None:
    sandbox = sandbox_with(agents=250)
    tap = tap_of(sandbox)

    def ids(_: int) -> list[str]:
        return [str(row["id"]) for row in tap.lookup_lists["users"].rows()]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ids, range(8)))
    assert all(each == list(expected_names(sandbox)["users"]) for each in found)
    assert len(requests_to(sandbox, PATHS["users"])) == 3


def test_a_filter_on_user_id_is_sent_unchanged_and_no_list_of_users_is_requested() -> None:
    sandbox = sandbox_with(agents=250, forbidden=frozenset({PATHS["users"]}))
    user = next(iter(expected_names(sandbox)["users"]))
    predicate = {"type": "dimension", "dimension": "userId", "operator": "matches", "value": user}
    own = {"type": "and", "clauses": [{"type": "or", "predicates": [predicate]}]}
    outcome = run_with(sandbox, queries=[{**STATUS, "filter": own}])
    assert outcome.error is None
    assert [body["filter"] for body in bodies(sandbox)] == [own]
    assert {row["user_id"] for row in outcome.rows("agent_status")} == {user}
    assert requests_to(sandbox, PATHS["users"]) == []


def test_a_query_of_another_family_grouped_by_user_needs_no_list_of_users() -> None:
    sandbox = sandbox_with(forbidden=frozenset({PATHS["users"]}))
    outcome = run_with(sandbox, queries=[{"preset": "agent_performance", "granularity": "P1D"}])
    assert outcome.error is None
    assert requests_to(sandbox, PATHS["users"]) == []


@pytest.mark.parametrize("no_list", [[], None])
def test_an_empty_list_of_users_stops_the_query_and_names_the_permission(no_list: object) -> None:
    """The other queries are loaded, and no window of this one is committed.

    Smallest reproducer: ``{"entities": []}`` for the users; every window was final with 0 rows.
    """
    sandbox = sandbox_with(always(put_all(("entities", no_list), ("total", 0)), PATHS["users"]))
    outcome = run_with(sandbox, queries=[STATUS, CALLS], start_date="2026-03-01T00:00:00Z")
    assert isinstance(outcome.error, TapError)
    assert "query 'agent_status' needs the ids of all users, and the list of users is empty" in str(
        outcome.error
    )
    assert "a role with directory:user:view in all divisions, or set a filter on userId" in str(outcome.error)
    assert bodies(sandbox) == []
    assert outcome.rows("calls")
    assert "replication_key_value" not in outcome.state["bookmarks"].get("agent_status", {})
    assert {row["query"] for row in outcome.rows("extractions")} == {"calls"}


def test_without_users_a_probe_requests_nothing() -> None:
    """A query that names no users would report on all of them at once."""
    sandbox = sandbox_with(agents=0)
    stream = tap_of(sandbox).streams["agent_status"]
    assert isinstance(stream, AggregateStream)
    with pytest.raises(IncompleteError, match="the list of users is empty"):
        stream.extractor.probe()
    assert bodies(sandbox) == []


def test_users_that_are_missing_from_their_list_stop_the_query() -> None:
    sandbox = sandbox_with(always(put(("total",), 99), PATHS["users"]))
    outcome = run_with(sandbox, queries=[STATUS])
    line = "query 'agent_status' needs the ids of all users, and lookup 'users': the list reports"
    assert line in str(outcome.error)
    assert (
        "or set a filter on userId and on_query_change: continue on this query, so that its table is kept"
        in str(outcome.error)
    )
    assert bodies(sandbox) == []


def test_an_asynchronous_query_submits_one_job_for_each_batch_and_brings_the_same_rows() -> None:
    sandbox = sandbox_with(agents=110)
    outcome = run_with(sandbox, queries=[{**STATUS, "mode": "async"}])
    assert outcome.error is None
    jobs = [named(entry.body) for entry in sandbox.log if entry.path.endswith("/jobs")]
    assert list(map(len, jobs)) == [100, 10]
    rows = run_with(sandbox_with(agents=110), queries=[STATUS]).rows("agent_status")
    assert multiset(outcome.rows("agent_status")) == multiset(rows) != {}


def test_a_query_whose_users_are_denied_names_the_permission_and_suggests_a_filter() -> None:
    sandbox = sandbox_with(forbidden=frozenset({PATHS["users"]}))
    outcome = run_with(sandbox, queries=[STATUS])
    assert isinstance(outcome.error, DeniedError)
    line = str(outcome.error)
    assert line.startswith("query 'agent_status' needs the ids of all users, and lookup 'users': ")
    assert "directory:user:view" in line
    assert line.endswith(
        "or set a filter on userId and on_query_change: continue on this query, so that its table is kept"
    )
    assert "a-secret-of-the-sandbox" not in line
    assert bodies(sandbox) == []
    assert "replication_key_value" not in outcome.state["bookmarks"]["agent_status"]


def test_a_period_without_a_complete_bucket_emits_nothing_and_is_no_error() -> None:
    outcome = run_with(
        sandbox_with(), queries=[DAILY], start_date="2026-03-04T00:00:00Z", end_date="2026-03-04T06:00:00Z"
    )
    assert outcome.error is None
    assert outcome.rows("by_day") == []
