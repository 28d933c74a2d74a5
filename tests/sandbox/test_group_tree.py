"""The group-tree contract: pages, levels, subtotals, and what is refused."""

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


def caller_of(**options: Any) -> SandboxClient:
    """Somebody with a token for a sandbox of these options."""
    clock = SettableClock(datetime(2025, 6, 30, 12, tzinfo=timezone.utc))
    return SandboxClient(Sandbox(Options(**options), now=clock))


def entities(pages: list[Json]) -> list[Json]:
    """The top-level nodes of all pages."""
    return [entity for page in pages for entity in page["entities"]]


def leaves(node: Json) -> list[Json]:
    """The nodes without groups under a node."""
    return [leaf for group in node["groups"] for leaf in leaves(group)] or [node]


def test_the_example_of_the_contract(caller: SandboxClient) -> None:
    """The tree starts with the queue though the query names the interval first."""
    (page,) = caller.tree_pages(EXAMPLE)
    assert page["total"] == len(page["entities"]) == 6
    assert page["links"] == {}
    queue = page["entities"][0]
    assert len(queue["id"]) == 36
    assert queue["groups"][0]["id"].endswith(":00:00.000Z")
    assert queue["groups"][0]["groups"] == []
    assert page["summary"]["totalConversations"] == sum(
        entity["metrics"]["conversationCount"]["value"] for entity in page["entities"]
    )


def test_levels_may_nest_as_asked() -> None:
    """With the option, a query that names the interval first gets a tree that starts with instants."""
    ids = [entity["id"] for entity in entities(caller_of(nesting="as_asked").tree_pages(EXAMPLE))]
    assert all(name.startswith("2025-06-0") for name in ids)
    assert ids == sorted(set(ids))


@pytest.mark.parametrize("nesting", ["dimensions_first", "as_asked"])
def test_subtotals_are_the_sums_of_their_leaves(nesting: str) -> None:
    """An inner node's metrics are those of all leaves under it, and missing where no leaf has them."""
    query = {**EXAMPLE, "groupBy": ["interval", "user.id", "routing.queue.id", "direction"]}
    pages = caller_of(nesting=nesting).tree_pages({**query, "pageSize": 1000, "filter": None})
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
    """Whatever the page size, following the links finds each agent once; gaps are pages without any."""
    caller = caller_of(empty_pages=gaps, absolute_links=absolute)
    query = {**EXAMPLE, "groupBy": ["user.id"], "filter": None}
    (whole,) = caller.tree_pages({**query, "pageSize": 1000})
    pages = caller.tree_pages({**query, "pageSize": size})
    assert entities(pages) == whole["entities"]
    assert [page["entities"] for page in pages].count([]) == (len(pages) // 2 if gaps else 0)
    for page in pages[:-1]:
        assert page["links"]["next"].startswith("http://sandbox/api" if absolute else "/api")


def test_pages_belong_to_one_instant(clock: SettableClock) -> None:
    """A link leads to what was known when the first page was asked for."""
    caller = SandboxClient(Sandbox(now=clock))
    query = {**EXAMPLE, "dateFrom": "2025-06-30T00:00:00.000Z", "dateTo": "2025-07-01T00:00:00.000Z"}
    first = caller.read("POST", PATH, {**query, "pageSize": 3})
    link = first["links"]["next"]
    before = caller.read("POST", link)
    clock.advance(minutes=45)
    assert caller.read("POST", link) == before
    assert entities(caller.tree_pages(query))[3:] != before["entities"]


def test_a_next_page_has_no_body(caller: SandboxClient) -> None:
    """The link carries everything: a body with it is refused, and so is a link that was never handed out."""
    link = caller.read("POST", PATH, {**EXAMPLE, "pageSize": 2})["links"]["next"]
    assert caller.ask("POST", link, EXAMPLE).status == 400
    assert caller.ask("POST", f"{PATH}?pageNumber=2&pageSize=2&cursor=abc").status == 400
    assert caller.ask("POST", f"{PATH}?pageNumber=2&pageSize=2").status == 400


def test_a_window_without_interval_level(caller: SandboxClient) -> None:
    """Grouped by nothing but the queue, the entities are leaves; by nothing at all, there is one."""
    (page,) = caller.tree_pages({**EXAMPLE, "groupBy": ["routing.queue.id"]})
    assert all(entity["groups"] == [] for entity in page["entities"])
    (single,) = entities(caller.tree_pages({**EXAMPLE, "groupBy": []}))
    assert single["metrics"]["conversationCount"]["value"] == page["summary"]["totalConversations"]


@pytest.mark.parametrize("omit", [False, True])
def test_an_unset_dimension(omit: bool) -> None:  # noqa: FBT001
    """Abandoned conversations have no user: their node is `unknown`, or has no id at all."""
    query = {**EXAMPLE, "groupBy": ["user.id"], "metrics": ["abandonCount"]}
    (node,) = entities(caller_of(omit_ids=omit).tree_pages(query))
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
def test_what_is_wrong_is_refused(caller: SandboxClient, wrong: Json) -> None:
    """Dates without milliseconds and `Z`, unknown names and sizes get 400 with the server's own message."""
    answer = caller.ask("POST", PATH, {**EXAMPLE, **wrong})
    assert answer.status == 400
    assert json.loads(answer.body)["message"]


def test_a_body_that_is_no_json_is_refused(caller: SandboxClient, sandbox: Sandbox) -> None:
    """The host answers 400, it does not fall over."""
    request = Request("POST", PATH, caller.headers, b"{")
    assert sandbox.handle(request).status == 400
