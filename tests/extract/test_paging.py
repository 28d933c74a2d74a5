"""Pages: every one is requested, and links are followed once each and on the same host only."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st
from urllib3.util import parse_url

from tap_genesys_aggregates.client import LinkPaginator
from tap_genesys_aggregates.core.errors import TapError, UnreadableError
from tap_genesys_aggregates.dialects.protocol import Page
from tap_genesys_aggregates.http.errors import OtherHostError
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.core.making import examples
from tests.http.fake_server import GATEWAY, Answer, FakeClock, FakeServer, config

TREE = "/api/v2/analytics/conversations/aggregate/query"
FIRST = f"{GATEWAY}{TREE}"


def paginator(first: str = FIRST) -> LinkPaginator:
    return LinkPaginator(first, lambda _: Page(()))


def follow(link: str | None, first: str = FIRST) -> str | None:
    """The URL that a link on the first page leads to."""
    return paginator(first).get_next(Page((), link))


@pytest.mark.parametrize(
    ("link", "leads_to"),
    [
        (
            "/api/v2/analytics/conversations/aggregate/query?pageNumber=2&pageSize=25",
            f"{FIRST}?pageNumber=2&pageSize=25",
        ),
        (f"{FIRST}?pageNumber=2", f"{FIRST}?pageNumber=2"),
        ("?pageNumber=2", f"{FIRST}?pageNumber=2"),
        ("query?pageNumber=2", f"{FIRST}?pageNumber=2"),
        ("//gateway.example.com/next", "https://gateway.example.com/next"),
        ("https://gateway.example.com:443/next", "https://gateway.example.com:443/next"),
        ("HTTPS://GATEWAY.example.com/next", "https://GATEWAY.example.com/next"),
    ],
)
def test_a_link_may_be_relative_or_absolute(link: str, leads_to: str) -> None:
    found = follow(link)
    assert found is not None
    assert found.replace("HTTPS:", "https:") == leads_to


@pytest.mark.parametrize("link", [None, ""])
def test_a_page_without_a_link_is_the_last(link: str | None) -> None:
    assert follow(link) is None
    pages = paginator()
    pages.advance(Page((), link))
    assert pages.finished


def test_an_empty_page_with_a_link_is_not_the_last() -> None:
    """The SDK would stop at a page without rows."""
    pages = paginator()
    for number in (2, 3):
        pages.advance(Page((), f"?pageNumber={number}"))
        assert not pages.finished
        assert pages.current_value == f"{FIRST}?pageNumber={number}"
    assert pages.continue_if_empty(requests.Response())
    pages.advance(Page(()))
    assert pages.finished


@pytest.mark.parametrize(
    "link",
    [
        "http://gateway.example.com/x", "ftp://gateway.example.com/x", "https://evil.example.org/x",
        "//evil.example.org/x",
        "https://gateway.example.com.evil.example.org/x", "https://api.gateway.example.com/x",
        "https://example.com/x",
        "https://gateway.example.com:8443/x", "https://gateway.example.com:80/x",
        "https://user@gateway.example.com/x",
        "https://user:pass@gateway.example.com/x", "https://gateway.example.com@evil.example.org/x",
        "https://gateway.example.com:443@evil.example.org/x",
        "https://evil.example.org#@gateway.example.com/",
        "https://evil.example.org\\@gateway.example.com/", "https://evil.example.org\\.gateway.example.com/",
        "https://evil.example.org?@gateway.example.com/", "https://gateway.example.com./x",
        "https://gateway\u3002example.org/x",
        "https://127.0.0.1/x", "https://[::1]/x", "javascript:alert(1)", "file:///etc/passwd",
        "data:text/plain,x", "https://gateway.example.com:port/x",
        "https://gateway.example.com:99999/x",
        "\thttps://evil.example.org/x", " https://evil.example.org/x", "ht\ntps://evil.example.org/x",
        "https:\n//evil.example.org/x",
    ],
)  # fmt: skip
def test_a_link_that_leads_away_is_refused(link: str) -> None:
    """Another scheme, host or port, or one that only looks the same, would receive the token."""
    with pytest.raises(TapError) as refused:
        follow(link)
    assert isinstance(refused.value, OtherHostError)
    assert "base_url" in str(refused.value)
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize("link", ["https://[", "//[", "https://[bad]/x", "https://gateway\u2100example.com/"])
def test_a_link_that_is_not_a_url_is_refused(link: str) -> None:
    with pytest.raises(OtherHostError):
        follow(link)


@pytest.mark.parametrize(
    "link", [f"https://{'x' * 100_000}.example.org/", f"{'x' * 100_000}://evil.example.org/"]
)
def test_a_long_link_is_cut_in_the_message(link: str) -> None:
    with pytest.raises(OtherHostError) as refused:
        follow(link)
    assert len(str(refused.value)) < 700


PARTS = st.sampled_from(
    ["https:", "http:", "HTTPS:", "/", "//", "\\", "@", ":", ":443", ":80", "?", "#", "%2f", "%40", "..",
    "gateway.example.com",
     "evil.example.org", "user", "\t", "\n", " ", "\x00", "[", "]", "::1", "\u3002", "\u2044", "\ufe0f",
     "xn--", ";", "&a=b"]
)  # fmt: skip


@given(st.lists(PARTS, max_size=8).map("".join) | st.text(max_size=30))
@example("https:evil.example.org")
@example("https:/evil.example.org")
@example("\\\\evil.example.org/x")
@example("/\\evil.example.org/x")
@example("///evil.example.org/x")
@examples(100)
def test_no_link_leads_to_another_host(link: str) -> None:
    """Whatever the link, it is refused, or the request goes to the same scheme, host and port."""
    try:
        leads_to = follow(link)
    except (TapError, ValueError):
        return
    if leads_to is None:
        assert link == ""
        return
    try:
        sent = parse_url(str(requests.Request("POST", leads_to).prepare().url))
    except requests.RequestException:
        return  # it cannot be sent at all
    assert (sent.scheme, sent.auth, sent.host, sent.port) in {
        ("https", None, "gateway.example.com", port) for port in (None, 443)
    }


def test_a_link_that_was_already_followed_is_refused() -> None:
    """Such pages would never end."""
    pages = paginator()
    pages.advance(Page((), "?pageNumber=2"))
    pages.advance(Page((), "?pageNumber=3"))
    with pytest.raises(UnreadableError, match="already followed"):
        pages.advance(Page((), f"{FIRST}?pageNumber=2"))


@pytest.mark.parametrize(
    ("first", "link", "leads"),
    [
        ("http://localhost:8080/q", "/q?pageNumber=2", True),
        ("http://localhost:8080/q", "http://localhost:8080/q?pageNumber=2", True),
        ("http://localhost:8080/q", "http://localhost/q?pageNumber=2", False),
        ("http://localhost:8080/q", "https://localhost:8080/q?pageNumber=2", False),
        ("http://[::1]:8080/q", "http://[::1]:8080/q?pageNumber=2", True),
        ("https://gateway.example.com:8443/q", "https://gateway.example.com/q", False),
    ],
)
def test_the_port_counts(first: str, link: str, *, leads: bool) -> None:
    """A machine may run several servers."""
    if leads:
        assert str(follow(link, first)).startswith(first[:20])
    else:
        with pytest.raises(OtherHostError):
            follow(link, first)


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


def run(*answers: object, **changes: object) -> FakeServer:
    """Run the tap over one day against a server that gives these answers; return the server."""
    server = FakeServer(*(Answer(body=json.dumps(each).encode()) for each in answers))

    def mount(session: requests.Session) -> None:
        session.mount("https://", server)

    day = {"end_date": "2023-11-02T00:00:00Z", "queries": [QUERY], "base_url": GATEWAY, "concurrency": 1}
    TapGenesysAggregates(config=config(**{**day, **changes}), clock=FakeClock(), mount=mount).sync_all()
    return server


def rows(written: str) -> list[Any]:
    """The queues of the rows in Singer messages."""
    messages = [json.loads(line) for line in written.splitlines()]
    return [
        each["record"]["routing_queue_id"]
        for each in messages
        if each.get("stream") == "tree" and "record" in each
    ]


def test_every_page_is_requested_and_an_empty_one_is_not_the_last(capfd: pytest.CaptureFixture[str]) -> None:
    server = run(*PAGES)
    assert [call.url for call in server.calls] == [
        f"{GATEWAY}{TREE}", f"{GATEWAY}{TREE}?pageNumber=2&pageSize=25",
        f"{GATEWAY}{TREE}?pageNumber=3&pageSize=25",
    ]  # fmt: skip
    assert rows(capfd.readouterr().out) == ["q1", "q2"]


@pytest.mark.usefixtures("capfd")
def test_only_the_request_for_the_first_page_has_a_body() -> None:
    """The next page is a POST without a body, with the token."""
    first, *others = run(*PAGES).calls
    assert json.loads(first.body or b"")["dateFrom"] == "2023-11-01T00:00:00.000Z"
    assert first.headers["Content-Type"] == "application/json"
    for call in (first, *others):
        assert (call.method, call.headers["Authorization"]) == ("POST", "Bearer t1")
        assert call.headers["Accept"] == "application/json"
    assert [(call.body, call.headers.get("Content-Length")) for call in others] == [(None, "0")] * 2


@pytest.mark.usefixtures("capfd")
def test_user_agent_is_sent_with_every_request() -> None:
    """To the API's host and to the token's."""
    server = run(*PAGES, user_agent="our-warehouse/7")
    assert {call.headers["User-Agent"] for call in (*server.calls, *server.token_calls)} == {
        "our-warehouse/7"
    }


@pytest.mark.usefixtures("capfd")
def test_a_base_url_may_have_a_path() -> None:
    """The query is posted to ``{base_url}/api/…``, so a gateway may have a path of its own."""
    server = run(PAGES[2], base_url=f"{GATEWAY}/genesys/")
    assert [call.url for call in server.token_calls] == [f"{GATEWAY}/genesys/oauth/token"]
    assert [call.url for call in server.calls] == [f"{GATEWAY}/genesys{TREE}"]


@pytest.mark.parametrize(
    "link", ["https://evil.example.org/x", "//evil.example.org/x", "https://x@gateway.example.com/"]
)
def test_a_link_to_another_host_stops_the_run_before_any_request(
    link: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """The other host receives nothing, and no row of the window is written."""
    server = FakeServer(Answer(body=json.dumps({**PAGES[0], "links": {"next": link}}).encode()))
    tap = TapGenesysAggregates(
        config=config(end_date="2023-11-02T00:00:00Z", queries=[QUERY], base_url=GATEWAY),
        clock=FakeClock(),
        mount=lambda session: session.mount("https://", server),
    )
    with pytest.raises(Exception, match=r"leads away from https://gateway\.example\.com:443"):
        tap.sync_all()
    assert [call.url for call in server.calls] == [f"{GATEWAY}{TREE}"]
    assert rows(capfd.readouterr().out) == []
