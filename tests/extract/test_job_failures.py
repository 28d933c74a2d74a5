"""Asynchronous jobs that fail, expire, are canceled by someone else, are too large, or answer nonsense."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from genesys_sandbox import Fault, Rule, Rules, SandboxClient
from genesys_sandbox.faults import put, same_page, status
from tap_genesys_aggregates.core.errors import UnreadableError
from tap_genesys_aggregates.http.errors import RefusedError
from tests.extract.jobs import (
    JOB_GETS,
    JOBS,
    ONE_WEEK,
    SEVEN_DAYS,
    SMALL_PAGES,
    RecordingClock,
    calls_of,
    canceled,
    expected_calls,
    requests_to,
    sandbox_now,
    submitted,
)
from tests.pipeline.running import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from genesys_sandbox import Request, Response, Sandbox

ONE_DAY = 4
"""GET requests that the job of one day takes: three for its status and one for a page of results."""


def ended(state: str, message: str | None = None) -> Fault:
    """A status that says how the job ended."""

    def edit(request: Request, answer: Response) -> Response:
        del request
        return replace(answer, body=json.dumps({"state": state, "errorMessage": message}).encode())

    return Fault(state, edit=edit)


def cancel_on_second_page(sandbox: Sandbox) -> Callable[[int, Request], None]:
    """Cancel, once, the job whose second page is requested."""
    done: list[str] = []

    def plan(number: int, request: Request) -> None:
        del number
        if "cursor=" in request.target and not done:
            done.append(request.path)
            assert (
                SandboxClient(sandbox).request("DELETE", request.path.removesuffix("/results")).status == 204
            )

    return plan


# Jobs that are lost


def test_jobs_that_fail_or_expire_are_submitted_again() -> None:
    sandbox = sandbox_now(jobs_fail=1, jobs_expire=1)
    outcome = run(sandbox, ONE_WEEK)
    assert outcome.error is None
    assert calls_of(outcome) == expected_calls()
    first, *others = submitted(sandbox)
    assert others == [first, first]
    assert canceled(sandbox) == []
    (line,) = outcome.rows("extractions")
    assert line["requests"] == len([entry for entry in sandbox.log if JOBS in entry.path])


def test_a_job_that_someone_cancels_is_submitted_again() -> None:
    sandbox = sandbox_now()

    def cancel(number: int) -> None:
        if number == 2:
            SandboxClient(sandbox).request("DELETE", requests_to(sandbox, "GET")[0].path)

    outcome = run(sandbox, ONE_WEEK, time=RecordingClock(cancel))
    assert outcome.error is None
    assert calls_of(outcome) == expected_calls()
    assert len(submitted(sandbox)) == 2


def test_a_job_that_is_canceled_between_two_pages_is_submitted_again_and_no_row_comes_twice() -> None:
    sandbox = sandbox_now()
    sandbox.faults = cancel_on_second_page(sandbox)
    outcome = run(sandbox, SMALL_PAGES)
    assert outcome.error is None
    assert calls_of(outcome) == expected_calls()
    assert len(submitted(sandbox)) == 2


@pytest.mark.parametrize("part", ["", "/results"])
def test_a_404_for_a_job_or_its_results_means_that_the_job_expired(part: str) -> None:
    sandbox = sandbox_now()
    rules = [Rule(status(404), match=part or JOB_GETS)]
    if part:  # the status request that follows finds it gone too
        rules.append(Rule(status(404), match=JOB_GETS, after=ONE_DAY))
    sandbox.faults = Rules(*rules)
    outcome = run(sandbox, ONE_WEEK)
    assert outcome.error is None
    assert calls_of(outcome) == expected_calls()
    assert len(submitted(sandbox)) == 2


@pytest.mark.parametrize("state", ["FAILED", "EXPIRED", "CANCELLED"])
def test_a_third_lost_job_ends_the_run_with_state_at_the_last_complete_window(state: str) -> None:
    sandbox = sandbox_now()
    sandbox.faults = Rules(Rule(ended(state, "Out of\nsorts"), match=JOB_GETS, after=ONE_DAY, times=None))
    outcome = run(sandbox, SEVEN_DAYS)
    assert isinstance(outcome.error, RefusedError)
    message = str(outcome.error)
    window = "2026-03-03T00:00:00.000Z/2026-03-04T00:00:00.000Z"
    assert message.startswith(f"query 'calls', window {window}: 3 jobs")
    assert f"ended as {state}: Out of sorts. Try again later" in message
    assert [body["interval"][8:10] for body in submitted(sandbox)] == ["02", "03", "03", "03"]
    assert outcome.state["bookmarks"]["calls"]["replication_key_value"] == "2026-03-03T00:00:00.000Z"
    assert {row["interval_start"][:10] for row in outcome.rows("calls")} == {"2026-03-02"}
    assert canceled(sandbox) == [], "a job that has ended needs no canceling"


def test_a_long_error_message_of_a_job_is_shortened_and_printable() -> None:
    sandbox = sandbox_now()
    sandbox.faults = Rules(Rule(ended("FAILED", "no\x1b[31m " * 9_000), match=JOB_GETS, times=None))
    message = str(run(sandbox, ONE_WEEK).error)
    assert len(message) < 700
    assert message.isprintable()


# Requests that are refused


def test_results_that_are_refused_end_the_run_and_cancel_the_job() -> None:
    sandbox = sandbox_now()
    sandbox.faults = Rules(Rule(status(400), match="cursor=", times=None))
    outcome = run(sandbox, SMALL_PAGES)
    assert "400 Bad Request: bad.request: Injected fault" in str(outcome.error)
    assert len(submitted(sandbox)) == len(canceled(sandbox)) == 1


def test_where_jobs_do_not_exist_the_message_says_to_remove_mode_async() -> None:
    sandbox = sandbox_now()
    sandbox.faults = Rules(Rule(status(404), match=f"POST {JOBS}", times=None))
    assert "remove mode: async" in str(run(sandbox, ONE_WEEK).error)
    assert len(submitted(sandbox)) == 1


# Jobs that are too large


def assert_halved(sandbox: Sandbox) -> None:
    """Run the week: it comes in two halves, each submitted once, and nothing is missing."""
    outcome = run(sandbox, ONE_WEEK)
    assert outcome.error is None
    assert calls_of(outcome) == expected_calls()
    start, middle, stop = "2026-03-02T00:00:00.000Z", "2026-03-05T12:00:00.000Z", "2026-03-09T00:00:00.000Z"
    intervals = [body["interval"] for body in submitted(sandbox)]
    assert intervals == [f"{start}/{stop}", f"{start}/{middle}", f"{middle}/{stop}"]
    assert all(line["was_split"] for line in outcome.rows("extractions"))


@pytest.mark.parametrize(
    "message", ["Result set is larger than result limit", f"{'x' * 400} exceeds the limit of 30000 results"]
)
def test_a_job_that_fails_because_it_is_too_large_is_halved(message: str) -> None:
    sandbox = sandbox_now()
    sandbox.faults = Rules(Rule(ended("FAILED", message), match=JOB_GETS))
    assert_halved(sandbox)


@pytest.mark.parametrize("options", [{"max_results": 150}, {"slow_over": timedelta(days=5)}])
def test_a_job_that_is_refused_as_too_large_or_too_slow_is_halved(options: dict[str, Any]) -> None:
    assert_halved(sandbox_now(**options))


def test_a_single_bucket_that_is_too_large_for_a_job_ends_the_run() -> None:
    sandbox = sandbox_now()
    sandbox.faults = Rules(Rule(ended("FAILED", "limit of 30000 results"), match=JOB_GETS, times=None))
    assert "a single bucket of PT1H is larger than the server returns" in str(run(sandbox, ONE_WEEK).error)


# Malformed answers


def test_a_cursor_that_repeats_is_refused() -> None:
    sandbox = sandbox_now()
    sandbox.faults = Rules(Rule(same_page(), match="cursor=", times=9))
    outcome = run(sandbox, SMALL_PAGES)
    assert isinstance(outcome.error, UnreadableError)
    assert "cursor of the next page was already followed" in str(outcome.error)
    assert len(requests_to(sandbox, "GET", "/results")) == 2


def test_a_row_that_comes_on_two_pages_is_loaded_once() -> None:
    """With other numbers the second time, it is refused."""
    sandbox = sandbox_now()
    sandbox.faults = Rules(Rule(put(("cursor",), "0"), match="/results"))
    outcome = run(sandbox, ONE_WEEK)
    assert outcome.error is None
    assert calls_of(outcome) == expected_calls()
    other = put(("results", 0, "data", 0, "metrics", 0, "stats", "count"), 99)
    sandbox.faults = Rules(Rule(put(("cursor",), "0"), match="/results"), Rule(other, match="cursor=0"))
    outcome = run(sandbox, ONE_WEEK)
    assert "two rows came with the same key and different numbers for 't" in str(outcome.error)
    assert outcome.rows("calls") == []


@pytest.mark.parametrize("name", ["../../users", "..", "a/../b", "x\n", ""])
def test_a_job_id_that_could_change_the_path_is_not_requested(name: str) -> None:
    sandbox = sandbox_now()
    sandbox.faults = Rules(Rule(put(("jobId",), name), match=f"POST {JOBS}", times=None))
    assert "the id of a job is invalid" in str(run(sandbox, ONE_WEEK).error)
    assert [entry.method for entry in sandbox.log] == ["POST", "POST"], "one for the token, one for the job"


@pytest.mark.parametrize("place", [f"POST {JOBS}", JOB_GETS, "/results"])
def test_an_answer_that_is_not_json_is_requested_again(place: str) -> None:
    """It never counts as a state or as the last page."""
    sandbox = sandbox_now()
    truncated = Fault("cut", edit=lambda _, answer: replace(answer, body=answer.body[:-2]))
    sandbox.faults = Rules(Rule(truncated, match=place))
    outcome = run(sandbox, ONE_WEEK)
    assert outcome.error is None
    assert calls_of(outcome) == expected_calls()
    assert outcome.rows("extractions")[0]["retries"] == 1
