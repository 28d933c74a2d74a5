"""The asynchronous job endpoints and the lookup lists."""

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
def test_a_fulfilled_job_holds_the_same_buckets_as_the_query(client: SandboxClient, size: int) -> None:
    """Queued, pending, fulfilled; then its pages hold each bucket of the query's response once."""
    job = client.request_json("POST", JOBS, {**QUERY, "pageSize": size})["jobId"]
    assert client.request("GET", f"{JOBS}/{job}/results").status == 400
    states = [client.request_json("GET", f"{JOBS}/{job}") for _ in range(4)]
    assert [state["state"] for state in states] == ["QUEUED", "PENDING", "FULFILLED", "FULFILLED"]
    assert "completionDate" in states[-1]
    pages, cursor = [], ""
    while True:
        pages.append(client.request_json("GET", f"{JOBS}/{job}/results{cursor}"))
        if "cursor" not in pages[-1]:
            break
        cursor = f"?cursor={pages[-1]['cursor']}"
    found = [cell for page in pages for cell in cells(page["results"])]
    assert found == cells(client.results("conversations", QUERY)["results"])
    assert all(0 < len(cells(page["results"])) <= size for page in pages)


@pytest.mark.parametrize("family", [name for name, family in families().items() if family.jobs_path])
def test_nineteen_families_have_jobs(client: SandboxClient, family: str) -> None:
    """Every family but one has jobs."""
    known = families()[family]
    query = {"interval": QUERY["interval"], "metrics": list(known.metrics[:1])}
    job = client.request_json("POST", str(known.jobs_path), query)["jobId"]
    assert client.request_json("GET", f"{known.jobs_path}/{job}")["state"] == "QUEUED"


def test_socialmedia_has_jobs_and_no_query(client: SandboxClient) -> None:
    assert families()["socialmedia"].path is None
    path = "/api/v2/socialmedia/analytics/aggregates/query"
    assert client.request("POST", path, QUERY).status == 404


def test_ratelimits_has_no_jobs(client: SandboxClient) -> None:
    assert families()["ratelimits"].jobs_path is None
    assert client.request("POST", "/api/v2/analytics/ratelimits/aggregates/jobs", QUERY).status == 404


def test_a_job_can_be_canceled(client: SandboxClient) -> None:
    """After a DELETE the job is CANCELLED and has no results."""
    job = client.request_json("POST", JOBS, QUERY)["jobId"]
    assert client.request("DELETE", f"{JOBS}/{job}").status == 204
    assert client.request_json("GET", f"{JOBS}/{job}")["state"] == "CANCELLED"
    assert client.request("GET", f"{JOBS}/{job}/results").status == 400


def test_the_first_jobs_may_fail_or_expire(noon: datetime) -> None:
    """With the options, one job fails with a message, the next expires, the third is fulfilled."""
    client = SandboxClient(Sandbox(Options(jobs_fail=1, jobs_expire=1), now=lambda: noon))
    ends = []
    for _ in range(3):
        job = client.request_json("POST", JOBS, QUERY)["jobId"]
        ends.append([client.request_json("GET", f"{JOBS}/{job}") for _ in range(3)][-1])
    assert [end["state"] for end in ends] == ["FAILED", "EXPIRED", "FULFILLED"]
    assert ["errorMessage" in end for end in ends] == [True, False, False]


@pytest.mark.parametrize("target", [f"{JOBS}/nobody", f"{JOBS}/nobody/results", JOBS])
def test_unknown_jobs_are_not_found(client: SandboxClient, target: str) -> None:
    """An unknown job is 404, and so is a request for all jobs."""
    assert client.request("GET", target).status == 404


def test_a_malformed_job_is_rejected_at_submission(client: SandboxClient) -> None:
    assert client.request("POST", JOBS, {**QUERY, "metrics": ["nNothing"]}).status == 400


PATHS = [
    "/api/v2/routing/queues",
    "/api/v2/users",
    "/api/v2/routing/wrapupcodes",
    "/api/v2/presence/definitions",
    "/api/v2/authorization/divisions",
    "/api/v2/routing/skills",
    "/api/v2/routing/languages",
    "/api/v2/flows",
    "/api/v2/teams",
    "/api/v2/groups",
]


def all_entities(client: SandboxClient, path: str, size: int) -> list[dict[str, Any]]:
    """All entities of a list, following `nextUri`."""
    found: list[dict[str, Any]] = []
    link: str | None = f"{path}?pageSize={size}"
    while link:
        page = client.request_json("GET", link)
        assert 0 < len(page["entities"]) <= size
        found += page["entities"]
        link = page.get("nextUri")
    return found


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("size", [1, 3, 25, 500])
def test_pages_hold_every_entity_once(client: SandboxClient, path: str, size: int) -> None:
    """For any page size, `nextUri` leads to each entity once."""
    found = all_entities(client, path, size)
    assert found == all_entities(client, path, 100)
    assert len({entity["id"] for entity in found}) == len(found) >= 3


def test_numbered_pages_give_their_numbers_and_the_total(client: SandboxClient) -> None:
    """A page gives its number, the page count and the total; a page beyond the last is empty."""
    page = client.request_json("GET", "/api/v2/users?pageSize=10&pageNumber=3")
    numbers = [page[name] for name in ("pageSize", "pageNumber", "total", "pageCount")]
    assert numbers == [10, 3, 25, 3]
    assert len(page["entities"]) == 5
    assert "nextUri" not in page
    assert client.request_json("GET", "/api/v2/users?pageSize=10&pageNumber=4")["entities"] == []


def test_teams_are_paged_by_cursor(client: SandboxClient) -> None:
    """Teams have no page numbers, only a link with `after`."""
    page = client.request_json("GET", "/api/v2/teams?pageSize=2")
    assert set(page) == {"entities", "nextUri"}
    assert f"after={page['entities'][-1]['id']}" in page["nextUri"]


@pytest.mark.parametrize("query", ["pageSize=0", "pageSize=501", "pageNumber=x", "pageSize=²"])
def test_invalid_pages_are_rejected(client: SandboxClient, query: str) -> None:
    """An impossible page gets 400, and so does an unknown cursor."""
    assert client.request("GET", f"/api/v2/users?{query}").status == 400
    assert client.request("GET", "/api/v2/teams?after=nobody").status == 400


@pytest.mark.parametrize(
    ("dimension", "path"),
    [
        ("queueId", "/api/v2/routing/queues"),
        ("userId", "/api/v2/users"),
        ("wrapUpCode", "/api/v2/routing/wrapupcodes"),
        ("divisionId", "/api/v2/authorization/divisions"),
        ("teamId", "/api/v2/teams"),
        ("requestedRoutingSkillId", "/api/v2/routing/skills"),
        ("requestedLanguageId", "/api/v2/routing/languages"),
        ("groupId", "/api/v2/groups"),
    ],
)
def test_every_id_in_results_is_in_its_list(client: SandboxClient, dimension: str, path: str) -> None:
    """Every ID that a dimension takes is in its lookup list."""
    names = {entity["id"] for entity in all_entities(client, path, 100)}
    query = {
        "interval": "2025-06-03T00:00Z/2025-06-04T00:00Z",
        "groupBy": [dimension],
        "metrics": ["tHandle"],
    }
    groups = [result["group"] for result in client.results("conversations", query)["results"]]
    found = {group[dimension] for group in groups if dimension in group}
    assert found
    assert found <= names


def test_forbidden_paths_name_the_missing_permission(noon: datetime) -> None:
    """403 names the missing permission, or the alternatives if one of several is enough; other paths work."""
    forbidden = frozenset({"/api/v2/users", "/api/v2/analytics/actions", "/api/v2/analytics/bots"})
    client = SandboxClient(Sandbox(Options(forbidden=forbidden), now=lambda: noon))
    response = client.request("GET", "/api/v2/users")
    error = json.loads(response.body)
    assert (response.status, error["code"]) == (403, "missing.permissions")
    assert error["messageParams"] == {"permissions": "directory:user:view"}
    assert "directory:user:view" in error["message"]
    several = json.loads(client.request("POST", "/api/v2/analytics/actions/aggregates/query", {}).body)
    assert several["code"] == "missing.any.permissions"
    assert several["messageParams"]["permissions"] == "integrations:action:view, bridge:actions:view"
    assert client.request("POST", "/api/v2/analytics/bots/aggregates/jobs", {}).status == 403
    assert client.request("GET", "/api/v2/routing/queues").status == 200
