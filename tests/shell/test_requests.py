"""What goes over the wire, seen by a server in memory under the whole tap."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.shell.answering import Answer, Server
from tests.shell.making import GATEWAY, Time, config

if TYPE_CHECKING:
    import requests

TREE = "/api/v2/analytics/conversations/aggregate/query"
LEAF = {"id": "2023-11-01T00:00:00.000Z", "metrics": {"conversationCount": {"value": 1}}}
PAGES = (
    {"entities": [{"id": "q1", "groups": [LEAF]}], "links": {"next": f"{TREE}?pageNumber=2&pageSize=25"}},
    {"entities": [], "links": {"next": "?pageNumber=3&pageSize=25"}},
    {"entities": [{"id": "q2", "groups": [LEAF]}], "links": {"next": None}},
)
QUERY = {
    "name": "tree",
    "group_by": ["interval", "routing.queue.id"],
    "metrics": ["conversationCount"],
    "granularity": "PT1H",
}


def run(*answers: object, **changes: object) -> Server:
    """Run the tap over one day; the server that it asked."""
    server = Server(*(Answer(body=json.dumps(each).encode()) for each in answers))

    def mount(session: requests.Session) -> None:
        session.mount("https://", server)

    day = {"end_date": "2023-11-02T00:00:00Z", "queries": [QUERY], "base_url": GATEWAY, "concurrency": 1}
    TapGenesysAggregates(config=config(**{**day, **changes}), clock=Time(), mount=mount).sync_all()
    return server


def rows(written: str) -> list[Any]:
    """The queues of the rows that were written."""
    messages = [json.loads(line) for line in written.splitlines()]
    return [
        each["record"]["routing_queue_id"]
        for each in messages
        if each.get("stream") == "tree" and "record" in each
    ]


def test_every_page_is_asked_for_and_the_empty_one_is_not_the_last(capfd: pytest.CaptureFixture[str]) -> None:
    """Rule 1: a page without entities and with a link is not the end; rows of all pages come out."""
    server = run(*PAGES)
    assert [call.url for call in server.calls] == [
        f"{GATEWAY}{TREE}", f"{GATEWAY}{TREE}?pageNumber=2&pageSize=25",
        f"{GATEWAY}{TREE}?pageNumber=3&pageSize=25",
    ]  # fmt: skip
    assert rows(capfd.readouterr().out) == ["q1", "q2"]


@pytest.mark.usefixtures("capfd")
def test_the_first_page_has_a_body_and_the_next_have_none() -> None:
    """Rule 1: the next page is a POST with no body at all, and with the token."""
    first, *others = run(*PAGES).calls
    assert json.loads(first.body or b"")["dateFrom"] == "2023-11-01T00:00:00.000Z"
    assert first.headers["Content-Type"] == "application/json"
    for call in (first, *others):
        assert (call.method, call.headers["Authorization"]) == ("POST", "Bearer t1")
        assert call.headers["Accept"] == "application/json"
    assert [(call.body, call.headers.get("Content-Length")) for call in others] == [(None, "0")] * 2


@pytest.mark.usefixtures("capfd")
def test_the_user_agent_goes_with_every_request() -> None:
    """``user_agent`` is sent to the API's host and to the token's."""
    server = run(*PAGES, user_agent="our-warehouse/7")
    assert {call.headers["User-Agent"] for call in (*server.calls, *server.token_calls)} == {
        "our-warehouse/7"
    }


@pytest.mark.usefixtures("capfd")
def test_a_base_url_may_have_a_path() -> None:
    """The query is posted to ``{base_url}/api/…``, so a gateway may live under a path of its host."""
    server = run(PAGES[2], base_url=f"{GATEWAY}/genesys/")
    assert [call.url for call in server.token_calls] == [f"{GATEWAY}/genesys/oauth/token"]
    assert [call.url for call in server.calls] == [f"{GATEWAY}/genesys{TREE}"]


@pytest.mark.parametrize(
    "link", ["https://evil.example.org/x", "//evil.example.org/x", "https://x@gateway.example.com/"]
)
def test_a_link_to_another_host_ends_the_run_unasked(link: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The other host is sent nothing at all, and no row of the window goes out."""
    server = Server(Answer(body=json.dumps({**PAGES[0], "links": {"next": link}}).encode()))
    tap = TapGenesysAggregates(
        config=config(end_date="2023-11-02T00:00:00Z", queries=[QUERY], base_url=GATEWAY),
        clock=Time(),
        mount=lambda session: session.mount("https://", server),
    )
    with pytest.raises(Exception, match=r"leads away from https://gateway\.example\.com:443"):
        tap.sync_all()
    assert [call.url for call in server.calls] == [f"{GATEWAY}{TREE}"]
    assert rows(capfd.readouterr().out) == []
