"""A job brings what the query itself would have brought."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from genesys_sandbox import ExpectedRows
from tests.jobs.scene import JOBS, NOW, QUERY, WEEK, asked, cancelled, centre, submitted
from tests.pipeline.running import bag, config, run

BEGIN = datetime(2026, 3, 2, tzinfo=timezone.utc)
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
def test_a_job_brings_the_same_rows(name: str, shape: str) -> None:
    """Rows read by jobs, over many pages, equal those of plain requests and the expected rows."""
    query = {"name": "calls", "granularity": "PT1H", "shape": shape, **QUERIES[name]}
    by_job, plainly = centre(), centre()
    requests = run(plainly, config(queries=[query]))
    few = max(1, len(requests.rows("calls")) // 15)
    jobs = run(by_job, config(queries=[{**query, "mode": "async", "page_size": few}], max_window="P3D"))
    assert (jobs.error, requests.error) == (None, None)
    rows = jobs.rows("calls")
    assert rows
    assert bag(rows) == bag(requests.rows("calls"))
    assert bag(rows) == bag(ExpectedRows(by_job).rows(query, BEGIN, NOW))
    assert all(entry.path.endswith("/jobs") for entry in asked(by_job, "POST", "/analytics/"))
    assert any("cursor" in entry.query for entry in by_job.log)


def test_jobs_side_by_side_bring_the_same_rows() -> None:
    """Four jobs at a time bring the rows of one at a time, in the same order."""
    query = {**QUERY, "window": "P1D"}
    alone = run(centre(), config(queries=[query]))
    together = run(centre(), config(queries=[query], concurrency=4))
    assert together.error is None
    rows = [message for message in together.messages if message["type"] == "RECORD"]
    assert [row["record"]["interval_start"] for row in rows if row["stream"] == "calls"] == [
        row["interval_start"] for row in alone.rows("calls")
    ]
    assert bag(together.rows("calls")) == bag(alone.rows("calls"))


def test_a_job_is_read_through_the_sdk_s_own_path_too() -> None:
    """With a stream map, where the SDK writes row by row, a job brings as many rows."""
    mapped = config(queries=[QUERY], stream_maps={"calls": {"offered_twice": "n_offered_count"}})
    outcome = run(centre(), mapped)
    assert outcome.error is None
    assert len(outcome.rows("calls")) == len(run(centre(), WEEK).rows("calls"))
    assert all("offered_twice" in row for row in outcome.rows("calls"))


@pytest.mark.parametrize("name", ["queues", "London days, filtered", "presence"])
def test_the_query_is_handed_in_as_it_would_be_asked(name: str) -> None:
    """A job's body is that of the plain request, users named where they must be, and a page's size."""
    by_job, plainly = centre(), centre()
    query = {"name": "calls", "granularity": "PT1H", "window": "P1D", **QUERIES[name]}
    run(by_job, config(queries=[{**query, "mode": "async", "page_size": 777}]))
    run(plainly, config(queries=[query]))
    asked_plainly = [entry.body for entry in asked(plainly, "POST", "/aggregates/query")]
    path = asked(plainly, "POST", "/aggregates/query")[0].path.replace("/query", "/jobs")
    handed_in = [entry.body for entry in asked(by_job, "POST", path)]
    assert handed_in == [{**body, "pageSize": 777} for body in asked_plainly]  # type: ignore[dict-item]
    assert ("'value': '" in str(handed_in[0])) == (name != "queues")


def test_a_page_is_asked_for_by_its_cursor_alone() -> None:
    """The first page is asked for without a parameter, each later one with the cursor that came before."""
    sandbox = centre()
    run(sandbox, config(queries=[{**QUERY, "page_size": 50}], max_window="P31D"))
    pages = [dict(entry.query) for entry in asked(sandbox, "GET", "/results")]
    assert pages == [{}, *({"cursor": str(50 * number)} for number in range(1, len(pages)))]
    assert len(pages) > 3


def test_every_request_is_counted() -> None:
    """The ledger counts handing in, each look and each page of results; one that is sent again is a retry."""
    sandbox = centre()
    outcome = run(sandbox, config(queries=[{**QUERY, "page_size": 50}], max_window="P31D"))
    (line,) = outcome.rows("extractions")
    assert line["requests"] == len([entry for entry in sandbox.log if JOBS in entry.path])
    assert line["pages"] == len(asked(sandbox, "GET", "/results"))
    assert line["rows"] == len(outcome.rows("calls"))
    assert line["retries"] == 0


def test_a_job_that_was_read_is_left_alone() -> None:
    """A run that ends well cancels nothing."""
    sandbox = centre()
    assert run(sandbox, WEEK).error is None
    assert cancelled(sandbox) == []


def test_a_window_is_as_long_as_it_may_be() -> None:
    """The window of a job is max_window by default, its query's own window where it names one."""
    longest, own = centre(), centre()
    run(longest, config(queries=[QUERY], window="P1D", max_window="P3D"))
    run(own, config(queries=[{**QUERY, "window": "P2D"}], window="P1D", max_window="P3D", lookback_days=31))
    assert [body["interval"][:10] for body in submitted(longest)] == [
        "2026-03-02",
        "2026-03-05",
        "2026-03-08",
    ]
    assert [body["interval"][8:10] for body in submitted(own)] == ["02", "04", "06", "08"]


@pytest.mark.parametrize(
    ("settings", "own", "size"), [({}, {}, 1000), ({"page_size": 5000}, {}, 5000), ({}, {"page_size": 7}, 7)]
)
def test_pages_of_jobs_are_large(settings: dict[str, Any], own: dict[str, Any], size: int) -> None:
    """A page of a job holds 1000 results at the least, unless its query says otherwise."""
    sandbox = centre()
    run(sandbox, config(queries=[{**QUERY, **own}], max_window="P31D", **settings))
    assert submitted(sandbox)[0]["pageSize"] == size
