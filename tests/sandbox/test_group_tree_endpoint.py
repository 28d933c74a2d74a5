"""The group-tree endpoint: pages, levels, subtotals and errors."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest

from genesys_sandbox import Options, Request, Sandbox, SandboxClient, SettableClock
from genesys_sandbox.group_tree_endpoint import PATH

Json = dict[str, Any]

EXAMPLE: Json = {
    "dateFrom": "2025-06-02T00:00:00.000Z",
    "dateTo": "2025-06-04T00:00:00.000Z",
    "groupBy": ["interval", "routing.queue.id"],
    "interval": "PT1H",
    "metrics": ["conversationCount", "handleDurationSum", "wrapupDurationSum"],
    "filter": {
        "type": "conversation",
        "expression": {
            "type": "and",
            "clauses": [
                {"type": "dimension", "dimension": "mediaType", "operator": "equals", "value": "voice"}
            ],
        },
    },
    "pageSize": 25,
    "pageNumber": 1,
}


def client_of(**options: Any) -> SandboxClient:
    """A client with a token for a sandbox with these options."""
    clock = SettableClock(datetime(2025, 6, 30, 12, tzinfo=timezone.utc))
    return SandboxClient(Sandbox(Options(**options), now=clock))


def entities(pages: list[Json]) -> list[Json]:
    """The top-level nodes of all pages."""
    return [entity for page in pages for entity in page["entities"]]


def leaves(node: Json) -> list[Json]:
    """The leaves below a node."""
    return [leaf for group in node["groups"] for leaf in leaves(group)] or [node]


def test_the_documented_example(client: SandboxClient) -> None:
    """The tree starts with the queue although the query names the interval first."""
    (page,) = client.tree_pages(EXAMPLE)
    assert page["total"] == len(page["entities"]) == 6
    assert page["links"] == {}
    queue = page["entities"][0]
    assert len(queue["id"]) == 36
    assert queue["groups"][0]["id"].endswith(":00:00.000Z")
    assert queue["groups"][0]["groups"] == []
    assert page["summary"]["totalConversations"] == sum(
        entity["metrics"]["conversationCount"]["value"] for entity in page["entities"]
    )


def test_levels_may_nest_as_requested() -> None:
    """With the option, a query that names the interval first gets a tree that starts with timestamps."""
    ids = [entity["id"] for entity in entities(client_of(nesting="as_requested").tree_pages(EXAMPLE))]
    assert all(name.startswith("2025-06-0") for name in ids)
    assert ids == sorted(set(ids))


@pytest.mark.parametrize("nesting", ["dimensions_first", "as_requested"])
def test_subtotals_are_the_sums_of_their_leaves(nesting: str) -> None:
    """An inner node's metrics are the sums over its leaves, and absent if no leaf has them."""
    query = {**EXAMPLE, "groupBy": ["interval", "user.id", "routing.queue.id", "direction"]}
    pages = client_of(nesting=nesting).tree_pages({**query, "pageSize": 1000, "filter": None})
    for entity in entities(pages):
        below = leaves(entity)
        for metric in EXAMPLE["metrics"]:
            values = [leaf["metrics"][metric]["value"] for leaf in below if metric in leaf["metrics"]]
            assert entity["metrics"].get(metric, {"value": 0})["value"] == sum(values)
            assert (metric in entity["metrics"]) == bool(values)


@pytest.mark.parametrize("size", [1, 4, 25, 26])
@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("absolute", [False, True])
def test_pages_hold_every_entity_once(size: int, gaps: bool, absolute: bool) -> None:  # noqa: FBT001
    """For any page size, the links lead to each agent once; gaps are empty pages in between."""
    client = client_of(empty_pages=gaps, absolute_links=absolute)
    query = {**EXAMPLE, "groupBy": ["user.id"], "filter": None}
    (whole,) = client.tree_pages({**query, "pageSize": 1000})
    pages = client.tree_pages({**query, "pageSize": size})
    assert entities(pages) == whole["entities"]
    assert [page["entities"] for page in pages].count([]) == (len(pages) // 2 if gaps else 0)
    for page in pages[:-1]:
        assert page["links"]["next"].startswith("http://sandbox/api" if absolute else "/api")


def test_all_pages_are_as_of_the_first(clock: SettableClock) -> None:
    """A link returns what was known when the first page was requested."""
    client = SandboxClient(Sandbox(now=clock))
    query = {**EXAMPLE, "dateFrom": "2025-06-30T00:00:00.000Z", "dateTo": "2025-07-01T00:00:00.000Z"}
    first = client.request_json("POST", PATH, {**query, "pageSize": 3})
    link = first["links"]["next"]
    before = client.request_json("POST", link)
    clock.advance(minutes=45)
    assert client.request_json("POST", link) == before
    assert entities(client.tree_pages(query))[3:] != before["entities"]


def test_a_request_for_a_next_page_has_no_body(client: SandboxClient) -> None:
    """A body beside a link is rejected, and so is a link from nowhere."""
    link = client.request_json("POST", PATH, {**EXAMPLE, "pageSize": 2})["links"]["next"]
    assert client.request("POST", link, EXAMPLE).status == 400
    assert client.request("POST", f"{PATH}?pageNumber=2&pageSize=2&cursor=abc").status == 400
    assert client.request("POST", f"{PATH}?pageNumber=2&pageSize=2").status == 400


def test_queries_without_the_interval_level(client: SandboxClient) -> None:
    """Grouped by the queue only, the entities are leaves; without any level there is a single one."""
    (page,) = client.tree_pages({**EXAMPLE, "groupBy": ["routing.queue.id"]})
    assert all(entity["groups"] == [] for entity in page["entities"])
    (single,) = entities(client.tree_pages({**EXAMPLE, "groupBy": []}))
    assert single["metrics"]["conversationCount"]["value"] == page["summary"]["totalConversations"]


@pytest.mark.parametrize("omit", [False, True])
def test_an_unset_dimension_is_unknown_or_has_no_id(omit: bool) -> None:  # noqa: FBT001
    """Abandoned conversations have no user: their node is `unknown`, or has no ID at all."""
    query = {**EXAMPLE, "groupBy": ["user.id"], "metrics": ["abandonCount"]}
    (node,) = entities(client_of(omit_ids=omit).tree_pages(query))
    assert node.get("id", "absent") == ("absent" if omit else "unknown")


@pytest.mark.parametrize(
    "wrong",
    [
        {"dateFrom": "2025-06-02T00:00:00Z"},
        {"dateFrom": "2025-06-02T00:00:00.000+00:00"},
        {"dateTo": "2025-06-02"},
        {"dateTo": "2025-06-31T00:00:00.000Z"},
        {"dateTo": EXAMPLE["dateFrom"]},
        {"metrics": ["nOffered"]},
        {"metrics": []},
        {"groupBy": ["queueId"]},
        {"interval": "hourly"},
        {"interval": None},
        {"pageSize": 0},
        {"filter": {"type": "conversation", "expression": {"type": "not", "clauses": []}}},
    ],
)
def test_invalid_queries_are_rejected(client: SandboxClient, wrong: Json) -> None:
    """Dates without milliseconds and `Z`, unknown names and invalid sizes get 400 with a message."""
    response = client.request("POST", PATH, {**EXAMPLE, **wrong})
    assert response.status == 400
    assert json.loads(response.body)["message"]


def test_a_body_that_is_not_json_is_rejected(client: SandboxClient, sandbox: Sandbox) -> None:
    request = Request("POST", PATH, client.headers, b"{")
    assert sandbox.handle(request).status == 400
