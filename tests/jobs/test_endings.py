"""Jobs that fail, expire, are cancelled by somebody else, or hold too much."""

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
from tests.jobs.scene import (
    DAYS,
    JOBS,
    LOOKS,
    QUERY,
    WEEK,
    Watch,
    asked,
    bag_of,
    cancelled,
    centre,
    submitted,
    truth,
)
from tests.pipeline.running import config, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from genesys_sandbox import Request, Response, Sandbox

LOST = ["FAILED", "EXPIRED", "CANCELLED"]
A_DAY = 4
"""Requests by GET that the job of a day takes: three looks and a page."""
MANY_PAGES = config(queries=[{**QUERY, "page_size": 50}], max_window="P31D")


def ended(state: str, message: str | None = None) -> Fault:
    """A job that says it ended so."""

    def edit(request: Request, answer: Response) -> Response:
        del request
        return replace(answer, body=json.dumps({"state": state, "errorMessage": message}).encode())

    return Fault(state, edit=edit)


def somebody_cancels(sandbox: Sandbox) -> Callable[[int, Request], None]:
    """Cancels, once, the job whose second page is asked for."""
    done: list[str] = []

    def plan(number: int, request: Request) -> None:
        del number
        if "cursor=" in request.target and not done:
            done.append(request.path)
            assert (
                SandboxClient(sandbox).request("DELETE", request.path.removesuffix("/results")).status == 204
            )

    return plan


def test_a_job_that_fails_and_one_that_expires_are_handed_in_again() -> None:
    """The third job brings the rows that the first two did not."""
    sandbox = centre(jobs_fail=1, jobs_expire=1)
    outcome = run(sandbox, WEEK)
    assert outcome.error is None
    assert bag_of(outcome) == truth()
    first, *others = submitted(sandbox)
    assert others == [first, first]
    assert cancelled(sandbox) == []
    (line,) = outcome.rows("extractions")
    assert line["requests"] == len([entry for entry in sandbox.log if JOBS in entry.path])


def test_a_job_that_somebody_cancels_is_handed_in_again() -> None:
    """A job that is cancelled while it is waited for costs a job, not a row."""
    sandbox = centre()

    def meddle(number: int) -> None:
        if number == 2:
            SandboxClient(sandbox).request("DELETE", asked(sandbox, "GET")[0].path)

    outcome = run(sandbox, WEEK, time=Watch(meddle))
    assert outcome.error is None
    assert bag_of(outcome) == truth()
    assert len(submitted(sandbox)) == 2


def test_a_job_that_is_cancelled_while_it_is_read_is_handed_in_again() -> None:
    """Pages of a job that was lost in between are dropped: no row comes twice."""
    sandbox = centre()
    sandbox.faults = somebody_cancels(sandbox)
    outcome = run(sandbox, MANY_PAGES)
    assert outcome.error is None
    assert bag_of(outcome) == truth()
    assert len(submitted(sandbox)) == 2


@pytest.mark.parametrize("part", ["", "/results"])
def test_a_job_that_is_gone_has_expired(part: str) -> None:
    """404 for a job that was handed in, or for its results, costs a job, not a row."""
    sandbox = centre()
    gone = [Rule(status(404), match=f"{part}" if part else LOOKS)]
    if part:  # it is gone for the look that follows too
        gone.append(Rule(status(404), match=LOOKS, after=A_DAY))
    sandbox.faults = Rules(*gone)
    outcome = run(sandbox, WEEK)
    assert outcome.error is None
    assert bag_of(outcome) == truth()
    assert len(submitted(sandbox)) == 2


@pytest.mark.parametrize("state", LOST)
def test_a_window_whose_jobs_are_lost_again_and_again_stops_the_run(state: str) -> None:
    """After three jobs the run stops, says why, and its state stands at the last whole window."""
    sandbox = centre()
    sandbox.faults = Rules(Rule(ended(state, "Out of\nsorts"), match=LOOKS, after=A_DAY, times=None))
    outcome = run(sandbox, DAYS)
    assert isinstance(outcome.error, RefusedError)
    said = str(outcome.error)
    assert said.startswith("query 'calls', window 2026-03-03T00:00:00.000Z/2026-03-04T00:00:00.000Z: 3 jobs")
    assert f"ended as {state}: Out of sorts. Try again later" in said
    assert [body["interval"][8:10] for body in submitted(sandbox)] == ["02", "03", "03", "03"]
    assert outcome.state["bookmarks"]["calls"]["replication_key_value"] == "2026-03-03T00:00:00.000Z"
    assert {row["interval_start"][:10] for row in outcome.rows("calls")} == {"2026-03-02"}
    assert cancelled(sandbox) == [], "what has ended needs no cancelling"


def test_a_long_reason_is_cut_short() -> None:
    """Of what the server says of a job, the run shows a line."""
    sandbox = centre()
    sandbox.faults = Rules(Rule(ended("FAILED", "no\x1b[31m " * 9_000), match=LOOKS, times=None))
    said = str(run(sandbox, WEEK).error)
    assert len(said) < 700
    assert said.isprintable()


def test_results_that_are_refused_stop_the_run() -> None:
    """A page that is refused although its job is well is told as it is, and the job is cancelled."""
    sandbox = centre()
    sandbox.faults = Rules(Rule(status(400), match="cursor=", times=None))
    outcome = run(sandbox, MANY_PAGES)
    assert "400 Bad Request: bad.request: Injected fault" in str(outcome.error)
    assert len(submitted(sandbox)) == len(cancelled(sandbox)) == 1


def test_a_host_without_jobs_is_told_by_its_404() -> None:
    """Where jobs cannot be handed in, the advice is to leave them."""
    sandbox = centre()
    sandbox.faults = Rules(Rule(status(404), match=f"POST {JOBS}", times=None))
    assert "remove mode: async" in str(run(sandbox, WEEK).error)
    assert len(submitted(sandbox)) == 1


def in_halves(sandbox: Sandbox) -> None:
    """The week came in two parts, each handed in once, and nothing is missing."""
    outcome = run(sandbox, WEEK)
    assert outcome.error is None
    assert bag_of(outcome) == truth()
    begin, middle, end = "2026-03-02T00:00:00.000Z", "2026-03-05T12:00:00.000Z", "2026-03-09T00:00:00.000Z"
    spans = [body["interval"] for body in submitted(sandbox)]
    assert spans == [f"{begin}/{end}", f"{begin}/{middle}", f"{middle}/{end}"]
    assert all(line["was_split"] for line in outcome.rows("extractions"))


@pytest.mark.parametrize(
    "message", ["Result set is larger than result limit", f"{'x' * 400} exceeds the limit of 30000 results"]
)
def test_a_job_that_fails_for_its_size_is_halved(message: str) -> None:
    """A job that failed because it held too much is handed in as two of half the time."""
    sandbox = centre()
    sandbox.faults = Rules(Rule(ended("FAILED", message), match=LOOKS))
    in_halves(sandbox)


@pytest.mark.parametrize("options", [{"max_results": 150}, {"slow_over": timedelta(days=5)}])
def test_a_query_that_is_too_large_to_hand_in_is_halved(options: dict[str, Any]) -> None:
    """What is refused for its size, or not taken in time, when it is handed in is halved at once."""
    in_halves(centre(**options))


def test_a_single_bucket_that_is_too_large_stops_the_run() -> None:
    """Where no time is left to halve, the run says so."""
    sandbox = centre()
    sandbox.faults = Rules(Rule(ended("FAILED", "limit of 30000 results"), match=LOOKS, times=None))
    assert "a single bucket of PT1H is larger than the server returns" in str(run(sandbox, WEEK).error)


def test_a_cursor_that_comes_again_is_refused() -> None:
    """Pages that go form a loop end the run instead of filling the disk."""
    sandbox = centre()
    sandbox.faults = Rules(Rule(same_page(), match="cursor=", times=9))
    outcome = run(sandbox, MANY_PAGES)
    assert isinstance(outcome.error, UnreadableError)
    assert "cursor of the next page was already followed" in str(outcome.error)
    assert len(asked(sandbox, "GET", "/results")) == 2


def test_a_row_that_comes_on_two_pages_is_refused() -> None:
    """The key is checked across the pages of a job, as it is across those of a request."""
    sandbox = centre()
    sandbox.faults = Rules(Rule(put(("cursor",), "0"), match="/results"))
    assert "two rows came with the same key" in str(run(sandbox, WEEK).error)


@pytest.mark.parametrize("name", ["../../users", "..", "a/../b", "x\n", ""])
def test_an_id_that_leads_elsewhere_is_not_followed(name: str) -> None:
    """An id with a path in it is never asked for, and nothing is handed in again for its sake."""
    sandbox = centre()
    sandbox.faults = Rules(Rule(put(("jobId",), name), match=f"POST {JOBS}", times=None))
    assert "an id that is none" in str(run(sandbox, WEEK).error)
    assert [entry.method for entry in sandbox.log] == ["POST", "POST"], "a token, a job"


@pytest.mark.parametrize("place", [f"POST {JOBS}", LOOKS, "/results"])
def test_a_garbled_answer_is_asked_for_again(place: str) -> None:
    """An answer that is no JSON is asked for again; it never counts as a state or as a last page."""
    sandbox = centre()
    sandbox.faults = Rules(
        Rule(Fault("cut", edit=lambda _, answer: replace(answer, body=answer.body[:-2])), match=place)
    )
    outcome = run(sandbox, WEEK)
    assert outcome.error is None
    assert bag_of(outcome) == truth()
    assert outcome.rows("extractions")[0]["retries"] == 1
