"""Asynchronous jobs: what is sent, how they are polled, and the rows they bring."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from genesys_sandbox import ExpectedRows, Rule, Rules
from genesys_sandbox.faults import put, status
from tap_genesys_aggregates.core.errors import UnreadableError
from tap_genesys_aggregates.core.windows import Window
from tap_genesys_aggregates.dialects.protocol import Call
from tap_genesys_aggregates.dialects.results_jobs import JobsDialect, Status, Submitted
from tap_genesys_aggregates.extract.async_jobs import FIRST_PAUSE, JOB_TIMEOUT, LONGEST_PAUSE
from tests.core.making import query as make_query
from tests.extract.jobs import (
    JOB_GETS,
    JOBS,
    NOW,
    ONE_WEEK,
    PENDING,
    QUERY,
    SMALL_PAGES,
    START,
    RecordingClock,
    calls_of,
    canceled,
    expected_calls,
    requests_to,
    sandbox_now,
    submitted,
)
from tests.pipeline.running import config, multiset, run

# The wire format

DIALECT = JobsDialect(make_query(mode="async", jobs_path=JOBS))
WINDOW = Window(START, NOW)


def test_a_job_is_polled_read_and_canceled_at_its_own_path() -> None:
    place = DIALECT.job_path(Submitted("one"))
    assert DIALECT.status(place) == Call("GET", f"{JOBS}/one")
    assert DIALECT.results(place, None) == Call("GET", f"{JOBS}/one/results")
    assert DIALECT.results(place, "a/b=") == Call("GET", f"{JOBS}/one/results", params={"cursor": "a/b="})
    assert DIALECT.cancel(place) == Call("DELETE", f"{JOBS}/one", any_success=True)
    assert DIALECT.submit(WINDOW, ()).any_success


def test_the_filter_of_a_job_names_its_users() -> None:
    body = DIALECT.submit(WINDOW, ("agent",)).body or {}
    assert str(body["filter"]).count("'agent'") == 1


def test_a_job_id_is_quoted_in_the_path() -> None:
    assert DIALECT.job_path(Submitted("a b?c#d%2F;é")) == f"{JOBS}/a%20b%3Fc%23d%252F%3B%C3%A9"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "a\\b", "a..b", "a\nb", "a\0", "a\u202e", "x" * 201]
)
def test_a_job_id_that_could_change_the_path_is_refused(name: str) -> None:
    with pytest.raises(UnreadableError):
        DIALECT.job_path(Submitted(name))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"jobId":null}', b'{"jobId":7}', b'{"jobId":"x"', b"\xff"]
)
def test_an_answer_without_a_job_id_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        DIALECT.read_submitted(body)


def test_a_status_holds_the_state_and_the_error_message() -> None:
    """Other fields, which later versions may add, are ignored."""
    body = b'{"state":"FAILED","errorMessage":"No","expirationDate":"2026-03-09T00:00:00Z","more":[1]}'
    assert DIALECT.read_status(body) == Status("FAILED", "No")
    assert DIALECT.read_status(b'{"state":"QUEUED","errorMessage":null}') == Status("QUEUED")


@pytest.mark.parametrize("body", [b"", b"{}", b'{"state":null}', b"null", b'{"state":5}'])
def test_a_status_without_a_state_is_unreadable(body: bytes) -> None:
    """It must not be mistaken for a job that is still running."""
    with pytest.raises(UnreadableError):
        DIALECT.read_status(body)


@pytest.mark.parametrize(
    ("end", "cursor"),
    [(b"}", None), (b',"cursor":null}', None), (b',"cursor":""}', None), (b',"cursor":"x"}', "x")],
)
def test_a_page_without_a_cursor_is_the_last_even_if_it_is_empty(end: bytes, cursor: str | None) -> None:
    page = DIALECT.read_results(b'{"results":null' + end, WINDOW)
    assert (list(page.leaves), page.next) == ([], cursor)


@pytest.mark.parametrize("body", [b'{"cursor":7}', b'{"code":"x","message":"no"}', b'{"results":'])
def test_an_answer_that_is_not_a_page_of_results_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        DIALECT.read_results(body, WINDOW)


# Rows

VIEW = {
    "target": "tHandle",
    "name": "shortCalls",
    "function": "rangeBound",
    "range": {"gte": 0, "lt": 120_000},
}
VOICE = {"type": "and", "predicates": [{"dimension": "mediaType", "value": "voice"}]}
QUERIES: dict[str, dict[str, Any]] = {
    "queues": {"metrics": ["nOffered", "tHandle", "oServiceLevel"], "group_by": ["queueId"]},
    "agents, with a view": {"metrics": ["tHandle"], "group_by": ["userId", "queueId"], "views": [VIEW]},
    "London days, filtered": {
        "metrics": ["nOffered"],
        "group_by": ["queueId"],
        "granularity": "P1D",
        "time_zone": "Europe/London",
        "filter": VOICE,
    },
    "presence": {"endpoint": "users", "metrics": ["tSystemPresence"], "group_by": ["userId"]},
    "flows": {"endpoint": "flows", "metrics": ["nFlow", "tFlow"], "group_by": ["flowId"]},
}


@pytest.mark.parametrize("shape", ["wide", "long"])
@pytest.mark.parametrize("name", QUERIES)
def test_a_job_brings_the_same_rows_as_a_query(name: str, shape: str) -> None:
    """Both also equal the rows that the sandbox computes from its own data."""
    query = {"name": "calls", "granularity": "PT1H", "shape": shape, **QUERIES[name]}
    async_sandbox, sync_sandbox = sandbox_now(), sandbox_now()
    by_query = run(sync_sandbox, config(queries=[query]))
    small = max(1, len(by_query.rows("calls")) // 15)
    by_job = run(
        async_sandbox, config(queries=[{**query, "mode": "async", "page_size": small}], max_window="P3D")
    )
    assert (by_job.error, by_query.error) == (None, None)
    rows = by_job.rows("calls")
    assert rows
    assert multiset(rows) == multiset(by_query.rows("calls"))
    assert multiset(rows) == multiset(ExpectedRows(async_sandbox).rows(query, START, NOW))


def test_concurrent_jobs_bring_the_same_rows_in_the_same_order() -> None:
    query = {**QUERY, "window": "P1D"}
    one_by_one = run(sandbox_now(), config(queries=[query]))
    concurrent = run(sandbox_now(), config(queries=[query], concurrency=4))
    assert concurrent.error is None
    rows = [message for message in concurrent.messages if message["type"] == "RECORD"]
    assert [row["record"]["interval_start"] for row in rows if row["stream"] == "calls"] == [
        row["interval_start"] for row in one_by_one.rows("calls")
    ]
    assert multiset(concurrent.rows("calls")) == multiset(one_by_one.rows("calls"))


def test_stream_maps_apply_to_the_rows_of_a_job() -> None:
    """With a stream map, the SDK writes row by row instead of page by page."""
    mapped = config(queries=[QUERY], stream_maps={"calls": {"offered_twice": "n_offered_count"}})
    outcome = run(sandbox_now(), mapped)
    assert outcome.error is None
    assert len(outcome.rows("calls")) == len(run(sandbox_now(), ONE_WEEK).rows("calls"))
    assert all("offered_twice" in row for row in outcome.rows("calls"))


# Requests


@pytest.mark.parametrize("name", ["queues", "London days, filtered", "presence"])
def test_the_body_of_a_job_is_that_of_the_query_plus_the_page_size(name: str) -> None:
    async_sandbox, sync_sandbox = sandbox_now(), sandbox_now()
    query = {"name": "calls", "granularity": "PT1H", "window": "P1D", **QUERIES[name]}
    run(async_sandbox, config(queries=[{**query, "mode": "async", "page_size": 777}]))
    run(sync_sandbox, config(queries=[query]))
    queries = requests_to(sync_sandbox, "POST", "/aggregates/query")
    jobs = requests_to(async_sandbox, "POST", queries[0].path.replace("/query", "/jobs"))
    bodies = [entry.body for entry in jobs]
    assert bodies == [{**entry.body, "pageSize": 777} for entry in queries]  # type: ignore[dict-item]
    assert ("'value': '" in str(bodies[0])) == (name != "queues")


def test_a_page_of_results_is_requested_by_the_cursor_alone() -> None:
    sandbox = sandbox_now()
    run(sandbox, SMALL_PAGES)
    pages = [dict(entry.query) for entry in requests_to(sandbox, "GET", "/results")]
    assert pages == [{}, *({"cursor": str(50 * number)} for number in range(1, len(pages)))]
    assert len(pages) > 3


def test_the_ledger_counts_every_request_of_a_job() -> None:
    sandbox = sandbox_now()
    outcome = run(sandbox, SMALL_PAGES)
    (line,) = outcome.rows("extractions")
    assert line["requests"] == len([entry for entry in sandbox.log if JOBS in entry.path])
    assert line["pages"] == len(requests_to(sandbox, "GET", "/results"))
    assert line["row_count"] == len(outcome.rows("calls"))
    assert line["retries"] == 0


def test_a_run_that_succeeds_cancels_nothing() -> None:
    sandbox = sandbox_now()
    assert run(sandbox, ONE_WEEK).error is None
    assert canceled(sandbox) == []


def test_the_window_of_a_job_is_max_window_unless_the_query_sets_its_own() -> None:
    by_default, own = sandbox_now(), sandbox_now()
    run(by_default, config(queries=[QUERY], window="P1D", max_window="P3D"))
    run(own, config(queries=[{**QUERY, "window": "P2D"}], window="P1D", max_window="P3D", lookback_days=31))
    assert [body["interval"][:10] for body in submitted(by_default)] == [
        "2026-03-02",
        "2026-03-03",
        "2026-03-06",
    ]
    assert [body["interval"][8:10] for body in submitted(own)] == ["02", "04", "06", "08"]


@pytest.mark.parametrize(
    ("settings", "own", "size"), [({}, {}, 1000), ({"page_size": 5000}, {}, 5000), ({}, {"page_size": 7}, 7)]
)
def test_a_page_of_results_holds_at_least_1000_unless_the_query_says_otherwise(
    settings: dict[str, Any], own: dict[str, Any], size: int
) -> None:
    sandbox = sandbox_now()
    run(sandbox, config(queries=[{**QUERY, **own}], max_window="P31D", **settings))
    assert submitted(sandbox)[0]["pageSize"] == size


# Polling


def test_pauses_between_polls_double_from_half_a_second_to_twenty() -> None:
    sandbox, clock = sandbox_now(), RecordingClock()
    sandbox.faults = Rules(Rule(PENDING, match=JOB_GETS, times=9))
    assert run(sandbox, ONE_WEEK, time=clock).error is None
    assert clock.sleeps == [0.5, 1, 2, 4, 8, 16, 20, 20, 20, 20]
    assert (FIRST_PAUSE, LONGEST_PAUSE) == (0.5, 20)
    assert len(requests_to(sandbox, "GET")) == len(clock.sleeps) + 1


def test_a_job_that_takes_more_than_an_hour_is_canceled_and_ends_the_run() -> None:
    sandbox, clock = sandbox_now(), RecordingClock()
    sandbox.faults = Rules(Rule(PENDING, match=JOB_GETS, times=None))
    outcome = run(sandbox, ONE_WEEK, time=clock)
    message = str(outcome.error)
    assert message.startswith("query 'calls', window 2026-03-02T00:00:00.000Z/2026-03-09T00:00:00.000Z: job ")
    assert "is still PENDING after 60 minutes" in message
    assert "Set a shorter window" in message
    assert JOB_TIMEOUT - LONGEST_PAUSE < sum(clock.sleeps) <= JOB_TIMEOUT
    assert canceled(sandbox) == [requests_to(sandbox, "GET")[0].path.removeprefix(f"{JOBS}/")]


def test_all_jobs_of_a_window_share_one_hour() -> None:
    sandbox, clock = sandbox_now(), RecordingClock()
    sandbox.faults = Rules(
        Rule(put(("state",), "EXPIRED"), match=JOB_GETS, after=150),
        Rule(PENDING, match=JOB_GETS, times=None),
    )
    assert "after 60 minutes" in str(run(sandbox, ONE_WEEK, time=clock).error)
    assert len(requests_to(sandbox, "POST")) == 2
    assert sum(clock.sleeps) <= JOB_TIMEOUT


def test_each_window_has_its_own_hour() -> None:
    sandbox, clock = sandbox_now(), RecordingClock()
    sandbox.faults = Rules(
        *(Rule(PENDING, match=JOB_GETS, after=152 * window, times=150) for window in range(3))
    )
    assert run(sandbox, config(queries=[{**QUERY, "window": "P3D"}]), time=clock).error is None
    assert sum(clock.sleeps) > 2 * JOB_TIMEOUT


def test_an_unknown_state_counts_as_pending_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    sandbox = sandbox_now()
    sandbox.faults = Rules(Rule(put(("state",), "Resting\nhere"), match=JOB_GETS, times=4))
    with caplog.at_level(logging.WARNING, logger="tap-genesys-aggregates"):
        outcome = run(sandbox, ONE_WEEK)
    assert outcome.error is None
    assert outcome.rows("calls")
    warnings = [line for line in caplog.messages if "RESTING HERE" in line]
    assert len(warnings) == 1


def test_states_are_read_in_any_case() -> None:
    """As the official client does."""
    sandbox = sandbox_now()
    sandbox.faults = Rules(
        Rule(put(("state",), "queued"), match=JOB_GETS),
        Rule(put(("state",), "fulfilled"), match=JOB_GETS, after=2),
    )
    outcome = run(sandbox, ONE_WEEK)
    assert outcome.error is None
    assert outcome.rows("calls")
    assert len(requests_to(sandbox, "GET")) == 4


@pytest.mark.parametrize("fault", [status(429, "3"), status(503), status(401)])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_transient_error_is_retried_without_a_new_job(method: str, fault: object) -> None:
    sandbox = sandbox_now()
    sandbox.faults = Rules(Rule(fault, match=f"{method} {JOBS}"))  # type: ignore[arg-type]
    outcome = run(sandbox, ONE_WEEK, time=RecordingClock())
    assert outcome.error is None
    assert calls_of(outcome) == expected_calls()
    assert len([entry for entry in requests_to(sandbox, "POST") if entry.status == 202]) == 1
