"""Names for ids, page by page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from genesys_sandbox import Options, Sandbox, SandboxClient

if TYPE_CHECKING:
    from datetime import datetime

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


def everything(caller: SandboxClient, path: str, size: int) -> list[dict[str, Any]]:
    """All entities, by `nextUri`."""
    found: list[dict[str, Any]] = []
    following: str | None = f"{path}?pageSize={size}"
    while following:
        page = caller.read("GET", following)
        assert 0 < len(page["entities"]) <= size
        found += page["entities"]
        following = page.get("nextUri")
    return found


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("size", [1, 3, 25, 500])
def test_pages_hold_everything_once(caller: SandboxClient, path: str, size: int) -> None:
    """Following `nextUri` finds each entity once, whatever the page size."""
    found = everything(caller, path, size)
    assert found == everything(caller, path, 100)
    assert len({entity["id"] for entity in found}) == len(found) >= 3


def test_numbered_pages_count_themselves(caller: SandboxClient) -> None:
    """PageRequest, pages and total are told; a page beyond the last is empty."""
    page = caller.read("GET", "/api/v2/users?pageSize=10&pageNumber=3")
    numbers = [page[name] for name in ("pageSize", "pageNumber", "total", "pageCount")]
    assert numbers == [10, 3, 25, 3]
    assert len(page["entities"]) == 5
    assert "nextUri" not in page
    assert caller.read("GET", "/api/v2/users?pageSize=10&pageNumber=4")["entities"] == []


def test_teams_go_by_cursor(caller: SandboxClient) -> None:
    """Teams have no numbers, only a link with `after`."""
    page = caller.read("GET", "/api/v2/teams?pageSize=2")
    assert set(page) == {"entities", "nextUri"}
    assert f"after={page['entities'][-1]['id']}" in page["nextUri"]


@pytest.mark.parametrize("query", ["pageSize=0", "pageSize=501", "pageNumber=x", "pageSize=²"])
def test_wrong_pages_are_refused(caller: SandboxClient, query: str) -> None:
    """A page that cannot be gets 400, and so does an unknown mark."""
    assert caller.ask("GET", f"/api/v2/users?{query}").status == 400
    assert caller.ask("GET", "/api/v2/teams?after=nobody").status == 400


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
def test_ids_in_facts_have_names(caller: SandboxClient, dimension: str, path: str) -> None:
    """Every id that a dimension takes is found in its list."""
    names = {entity["id"] for entity in everything(caller, path, 100)}
    query = {
        "interval": "2025-06-03T00:00Z/2025-06-04T00:00Z",
        "groupBy": [dimension],
        "metrics": ["tHandle"],
    }
    groups = [result["group"] for result in caller.results("conversations", query)["results"]]
    found = {group[dimension] for group in groups if dimension in group}
    assert found
    assert found <= names


def test_forbidden_paths_name_the_permission(noon: datetime) -> None:
    """403 says which permission is missing, or which of several would do; other paths are free."""
    forbidden = frozenset({"/api/v2/users", "/api/v2/analytics/actions", "/api/v2/analytics/bots"})
    caller = SandboxClient(Sandbox(Options(forbidden=forbidden), now=lambda: noon))
    answer = caller.ask("GET", "/api/v2/users")
    error = json.loads(answer.body)
    assert (answer.status, error["code"]) == (403, "missing.permissions")
    assert error["messageParams"] == {"permissions": "directory:user:view"}
    assert "directory:user:view" in error["message"]
    several = json.loads(caller.ask("POST", "/api/v2/analytics/actions/aggregates/query", {}).body)
    assert several["code"] == "missing.any.permissions"
    assert several["messageParams"]["permissions"] == "integrations:action:view, bridge:actions:view"
    assert caller.ask("POST", "/api/v2/analytics/bots/aggregates/jobs", {}).status == 403
    assert caller.ask("GET", "/api/v2/routing/queues").status == 200
