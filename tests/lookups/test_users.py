"""Queries of the family ``users``: everybody is asked about, a hundred at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest

from genesys_sandbox import ExpectedRows, Rule, Sandbox
from genesys_sandbox.faults import status
from genesys_sandbox.in_process import InProcessAdapter
from tap_genesys_aggregates.http.errors import DeniedError
from tap_genesys_aggregates.streams import AggregateStream
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.lookups.scene import (
    MIDNIGHT,
    NEXT,
    NOW,
    PATHS,
    always,
    asked,
    facts,
    pull,
    sandbox,
)
from tests.pipeline.running import Time, bag, config

if TYPE_CHECKING:
    from requests import Session

WHOLE = {"preset": "agent_status", "granularity": "PT6H"}
STATUS = {**WHOLE, "metrics": ["tOrganizationPresence"]}
BY_DAY = {**STATUS, "name": "by_day", "granularity": "P1D"}
FAMILY = "/api/v2/analytics/users/aggregates/query"


def bodies(of: Sandbox) -> list[Any]:
    """What was asked of the family, in order."""
    return [entry.body for entry in of.log if entry.path == FAMILY]


def named(body: Any) -> list[str]:
    """The users that a request names, wrapped as the platform wants them."""
    (clause,) = body["filter"]["clauses"]
    assert (body["filter"]["type"], clause["type"]) == ("and", "or")
    fixed = {"type": "dimension", "dimension": "userId", "operator": "matches"}
    assert all({**fixed, "value": each["value"]} == each for each in clause["predicates"])
    return [each["value"] for each in clause["predicates"]]


@pytest.mark.parametrize("concurrency", [1, 4])
def test_250_users_are_three_batches_a_window(concurrency: int) -> None:
    """Every user is asked about once a window, a hundred at most in one request."""
    centre = sandbox(agents=250)
    outcome = pull(
        centre, queries=[STATUS], start_date="2026-03-02T00:00:00Z", concurrency=concurrency, state={}
    )
    assert outcome.error is None
    windows: dict[str, list[list[str]]] = {}
    for body in bodies(centre):
        windows.setdefault(body["interval"], []).append(named(body))
    assert len(windows) == 2
    for batches in windows.values():
        assert sorted(map(len, batches)) == [50, 100, 100]
        assert sorted(chain.from_iterable(batches)) == sorted(facts(centre)["users"])


@pytest.mark.parametrize("shape", ["wide", "long"])
def test_the_rows_are_the_expected_ones(shape: str) -> None:
    """The preset's rows for 250 users: each status of each, every number right, no key twice."""
    centre = sandbox(agents=250)
    outcome = pull(centre, queries=[{**WHOLE, "shape": shape}], concurrency=3)
    assert outcome.error is None
    rows = outcome.rows("agent_status")
    query = {
        "endpoint": "users",
        "group_by": ["userId"],
        "metrics": ["tAgentRoutingStatus", "tOrganizationPresence", "tSystemPresence"],
        "granularity": "PT6H",
        "shape": shape,
    }
    assert bag(rows) == bag(ExpectedRows(centre).rows(query, MIDNIGHT, NEXT))
    (schema,) = (m for m in outcome.messages if m["type"] == "SCHEMA" and m["stream"] == "agent_status")
    keys = [tuple(row[name] for name in schema["key_properties"]) for row in rows]
    assert len(set(keys)) == len(keys) > 1000
    assert {"IDLE", "INTERACTING", "ON_QUEUE", "MEAL"} <= {row["qualifier"] for row in rows}


def test_a_window_is_stamped_and_committed_once() -> None:
    """All batches of a window carry one ``extracted_at``, however slow; what ends it comes after them."""
    centre = sandbox(Rule(status(429, "60"), match=FAMILY), agents=110)
    outcome = pull(centre, queries=[STATUS], start_date="2026-03-02T00:00:00Z")
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
        assert (entry["rows"], entry["pages"], entry["requests"]) == (len(rows), 2, requests)


def test_a_window_whose_last_batch_fails_is_not_committed() -> None:
    """One of two batches arrived: the state stays before the window, so that the next run asks again."""
    fail = always(status(400), FAMILY)
    fail.after = 3
    outcome = pull(sandbox(fail, agents=110), queries=[STATUS], start_date="2026-03-02T00:00:00Z")
    assert outcome.error is not None
    assert outcome.state["bookmarks"]["agent_status"]["replication_key_value"] == "2026-03-03T00:00:00.000Z"
    again = sandbox(agents=110)
    pull(again, queries=[STATUS], state=outcome.state, lookback_days=0)
    assert {body["interval"][:10] for body in bodies(again)} == {"2026-03-03"}
    assert len(bodies(again)) == 2


def test_a_batch_that_is_too_large_is_split_in_its_window() -> None:
    """One batch in halves, others whole: the window is committed once, with every row."""
    centre = sandbox(agents=110, max_results=120)
    outcome = pull(centre, queries=[STATUS])
    whole = pull(sandbox(agents=110), queries=[STATUS])
    assert bag(outcome.rows("agent_status")) == bag(whole.rows("agent_status"))
    assert len(bodies(centre)) > 2
    assert [message for message in outcome.messages if message["type"] == "STATE"][-1:] == [
        {"type": "STATE", "value": whole.state}
    ]
    (entry,) = outcome.rows("extractions")
    assert entry["was_split"] is True


def test_users_are_asked_for_once_a_run() -> None:
    """Two queries and the stream of users itself share one list."""
    centre = sandbox(agents=250)
    outcome = pull(centre, "users", queries=[STATUS, BY_DAY])
    assert outcome.error is None
    assert len(asked(centre, PATHS["users"])) == 3
    assert len(bodies(centre)) == 6
    assert len(outcome.rows("users")) == 250


def tap_of(of: Sandbox) -> TapGenesysAggregates:
    """A tap for a sandbox, not yet running."""

    def mount(session: Session) -> None:
        session.mount("https://", InProcessAdapter(of))

    return TapGenesysAggregates(config=config(queries=[STATUS]), clock=Time(NOW), mount=mount)


def test_threads_share_the_list() -> None:
    """Eight threads that want it at once get the same, for the requests of one."""
    centre = sandbox(agents=250)
    tap = tap_of(centre)

    def look(_: int) -> list[str]:
        return [str(row["id"]) for row in tap.lookup_lists["users"].rows()]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(look, range(8)))
    assert all(each == list(facts(centre)["users"]) for each in found)
    assert len(asked(centre, PATHS["users"])) == 3


def test_a_filter_of_the_users_own_is_sent_as_it_is() -> None:
    """Who filters says whom to ask about: one request a window, and no list of users."""
    centre = sandbox(agents=250, forbidden=frozenset({PATHS["users"]}))
    user = next(iter(facts(centre)["users"]))
    predicate = {"type": "dimension", "dimension": "userId", "operator": "matches", "value": user}
    own = {"type": "and", "clauses": [{"type": "or", "predicates": [predicate]}]}
    outcome = pull(centre, queries=[{**STATUS, "filter": own}])
    assert outcome.error is None
    assert [body["filter"] for body in bodies(centre)] == [own]
    assert {row["user_id"] for row in outcome.rows("agent_status")} == {user}
    assert asked(centre, PATHS["users"]) == []


def test_other_families_do_not_want_users_named() -> None:
    """Agents' conversations need no list of users, whatever they are grouped by."""
    centre = sandbox(forbidden=frozenset({PATHS["users"]}))
    outcome = pull(centre, queries=[{"preset": "agent_performance", "granularity": "P1D"}])
    assert outcome.error is None
    assert asked(centre, PATHS["users"]) == []


def test_without_users_time_passes() -> None:
    """An organisation without users: nothing is asked about nobody, and the state moves on."""
    centre = sandbox(agents=0)
    outcome = pull(centre, queries=[STATUS], start_date="2026-03-01T00:00:00Z")
    assert outcome.error is None
    assert bodies(centre) == []
    assert outcome.rows("agent_status") == []
    assert outcome.state["bookmarks"]["agent_status"]["replication_key_value"] == "2026-03-04T00:00:00.000Z"
    assert [(row["rows"], row["requests"]) for row in outcome.rows("extractions")] == [(0, 0)] * 3


def test_without_users_a_probe_asks_nothing() -> None:
    """Whether a query works is not found out by asking about everybody at once."""
    centre = sandbox(agents=0)
    stream = tap_of(centre).streams["agent_status"]
    assert isinstance(stream, AggregateStream)
    assert stream.extractor.probe() == 0
    assert bodies(centre) == []


def test_jobs_are_asked_in_batches_too() -> None:
    """In the background as at once: a job for each batch, and the same rows."""
    centre = sandbox(agents=110)
    outcome = pull(centre, queries=[{**STATUS, "mode": "async"}])
    assert outcome.error is None
    jobs = [named(entry.body) for entry in centre.log if entry.path.endswith("/jobs")]
    assert list(map(len, jobs)) == [100, 10]
    rows = pull(sandbox(agents=110), queries=[STATUS]).rows("agent_status")
    assert bag(outcome.rows("agent_status")) == bag(rows) != {}


def test_a_query_whose_users_are_denied_says_what_to_do() -> None:
    """The run stops there, with both ways out: the permission, or a filter on the query."""
    centre = sandbox(forbidden=frozenset({PATHS["users"]}))
    outcome = pull(centre, queries=[STATUS])
    assert isinstance(outcome.error, DeniedError)
    line = str(outcome.error)
    assert line.startswith("query 'agent_status' needs the ids of all users, and lookup 'users': ")
    assert "directory:user:view" in line
    assert line.endswith("or set a filter on userId for this query")
    assert "a-secret-of-the-sandbox" not in line
    assert bodies(centre) == []
    assert outcome.state == {}


def test_nobody_is_asked_about_when_there_is_no_time() -> None:
    """A run without a complete bucket emits nothing and is no failure."""
    outcome = pull(
        sandbox(), queries=[BY_DAY], start_date="2026-03-04T00:00:00Z", end_date="2026-03-04T06:00:00Z"
    )
    assert outcome.error is None
    assert outcome.rows("by_day") == []
