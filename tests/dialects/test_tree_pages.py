"""How a tree is asked for, and how its pages follow one another (rule 1)."""

from __future__ import annotations

import pytest

from tap_genesys_aggregates.core.query import INTERVAL
from tap_genesys_aggregates.dialects import dialect_of
from tests.dialects.making import TREE, body, hour, rows, tree, window
from tests.dialects.trees import node, row


def test_the_first_page_asks_in_its_body() -> None:
    """Dates with milliseconds and Z, interval, groups, metrics, filter and page, as the contract has it."""
    asked = tree(INTERVAL, "routing.queue.id", filter={"type": "conversation"}, page_size=7)
    call = dialect_of(asked).call(window(), None)
    assert (call.method, call.url, call.params) == (
        "POST",
        "/api/v2/analytics/conversations/aggregate/query",
        None,
    )
    assert call.body == {
        "dateFrom": "2023-11-01T00:00:00.000Z",
        "dateTo": "2023-11-02T00:00:00.000Z",
        "groupBy": ["interval", "routing.queue.id"],
        "interval": "PT1H",
        "metrics": ["conversationCount", "handleDurationSum"],
        "filter": {"type": "conversation"},
        "pageSize": 7,
        "pageNumber": 1,
    }
    assert "filter" not in (dialect_of(TREE).call(window(), None).body or {})


def test_the_next_page_is_a_post_without_a_body() -> None:
    """Rule 1: everything is in the URL of the link."""
    call = dialect_of(TREE).call(window(), "https://gateway.example.com/next?pageNumber=2")
    assert (call.method, call.url, call.body, call.params) == (
        "POST", "https://gateway.example.com/next?pageNumber=2", None, None,
    )  # fmt: skip


@pytest.mark.parametrize("entities", [{}, {"entities": None}, {"entities": []}])
def test_a_page_without_entities_is_empty_and_not_the_end(entities: dict[str, object]) -> None:
    """Rules 1 and 4: entities may be absent, null or empty, and the link of such a page is still followed."""
    page = dialect_of(TREE).read(body({**entities, "links": {"next": "?pageNumber=3"}}), window())
    assert (list(page.leaves), page.next) == ([], "?pageNumber=3")


@pytest.mark.parametrize(
    "links", [{}, {"links": None}, {"links": {}}, {"links": {"next": None}}, {"links": {"next": ""}}]
)
def test_a_link_that_is_absent_null_or_empty_is_the_end(links: dict[str, object]) -> None:
    """Rule 1: nothing follows such a page, however many rows it has."""
    answer = {"entities": [node("q1", 3, node(hour(0), 3))], **links}
    assert dialect_of(TREE).read(body(answer), window()).next is None
    assert rows(TREE, answer) == [row(0, "q1", 3)]


def test_pages_add_up() -> None:
    """Rows of all pages of a window are its rows, an empty page in between included."""
    pages = [
        {"entities": [node("q1", 1, node(hour(0), 1))]},
        {"links": {"next": "x"}},
        {"entities": [node("q2", 2, node(hour(0), 2))]},
    ]
    assert rows(TREE, *pages) == [row(0, "q1", 1), row(0, "q2", 2)]
