"""Queries as jobs: polled until done, read by cursor."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from genesys_sandbox import Options, Sandbox, SandboxClient
from genesys_sandbox.contract import families

if TYPE_CHECKING:
    from datetime import datetime

JOBS = "/api/v2/analytics/conversations/aggregates/jobs"
QUERY = {
    "interval": "2025-06-03T00:00Z/2025-06-04T00:00Z",
    "groupBy": ["queueId"],
    "metrics": ["nOffered", "tHandle"],
    "granularity": "PT2H",
}


def cells(results: list[Any]) -> list[tuple[str, str]]:
    """One text for each group and bucket."""
    return [
        (json.dumps(result["group"]), json.dumps(bucket)) for result in results for bucket in result["data"]
    ]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_job_ends_fulfilled_and_holds_the_answer(caller: SandboxClient, size: int) -> None:
    """Queued, pending, fulfilled; then its pages hold each bucket of the query's answer once."""
    job = caller.read("POST", JOBS, {**QUERY, "pageSize": size})["jobId"]
    assert caller.ask("GET", f"{JOBS}/{job}/results").status == 400
    states = [caller.read("GET", f"{JOBS}/{job}") for _ in range(4)]
    assert [state["state"] for state in states] == ["QUEUED", "PENDING", "FULFILLED", "FULFILLED"]
    assert "completionDate" in states[-1]
    pages, cursor = [], ""
    while True:
        pages.append(caller.read("GET", f"{JOBS}/{job}/results{cursor}"))
        if "cursor" not in pages[-1]:
            break
        cursor = f"?cursor={pages[-1]['cursor']}"
    found = [cell for page in pages for cell in cells(page["results"])]
    assert found == cells(caller.results("conversations", QUERY)["results"])
    assert all(0 < len(cells(page["results"])) <= size for page in pages)


@pytest.mark.parametrize("family", [name for name, family in families().items() if family.jobs_path])
def test_eighteen_families_take_jobs(caller: SandboxClient, family: str) -> None:
    """Every family but one has jobs of its own."""
    known = families()[family]
    query = {"interval": QUERY["interval"], "metrics": list(known.metrics[:1])}
    job = caller.read("POST", str(known.jobs_path), query)["jobId"]
    assert caller.read("GET", f"{known.jobs_path}/{job}")["state"] == "QUEUED"


def test_the_nineteenth_does_not(caller: SandboxClient) -> None:
    """Rate limits have no jobs."""
    assert families()["ratelimits"].jobs_path is None
    assert caller.ask("POST", "/api/v2/analytics/ratelimits/aggregates/jobs", QUERY).status == 404


def test_a_job_can_be_cancelled(caller: SandboxClient) -> None:
    """DELETE cancels it: its state says so and it has no results."""
    job = caller.read("POST", JOBS, QUERY)["jobId"]
    assert caller.ask("DELETE", f"{JOBS}/{job}").status == 204
    assert caller.read("GET", f"{JOBS}/{job}")["state"] == "CANCELLED"
    assert caller.ask("GET", f"{JOBS}/{job}/results").status == 400


def test_the_first_jobs_may_fail_or_expire(noon: datetime) -> None:
    """With the options, one job fails with a message, the next expires, the third is done."""
    caller = SandboxClient(Sandbox(Options(jobs_fail=1, jobs_expire=1), now=lambda: noon))
    ends = []
    for _ in range(3):
        job = caller.read("POST", JOBS, QUERY)["jobId"]
        ends.append([caller.read("GET", f"{JOBS}/{job}") for _ in range(3)][-1])
    assert [end["state"] for end in ends] == ["FAILED", "EXPIRED", "FULFILLED"]
    assert ["errorMessage" in end for end in ends] == [True, False, False]


@pytest.mark.parametrize("target", [f"{JOBS}/nobody", f"{JOBS}/nobody/results", JOBS])
def test_unknown_jobs_are_not_found(caller: SandboxClient, target: str) -> None:
    """A job that nobody handed in is 404; so is asking for all of them."""
    assert caller.ask("GET", target).status == 404


def test_a_malformed_job_is_refused_at_once(caller: SandboxClient) -> None:
    """The query is checked when it is handed in."""
    assert caller.ask("POST", JOBS, {**QUERY, "metrics": ["nNothing"]}).status == 400
