"""Links of next pages: followed on the same host, once each, and nowhere else."""

from __future__ import annotations

import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st
from urllib3.util import parse_url

from tap_genesys_aggregates.client import LinkPaginator
from tap_genesys_aggregates.core.errors import TapError, UnreadableError
from tap_genesys_aggregates.dialects.protocol import Page
from tap_genesys_aggregates.http.errors import OtherHostError
from tests.core.making import examples

FIRST = "https://gateway.example.com/api/v2/analytics/conversations/aggregate/query"


def paginator(first: str = FIRST) -> LinkPaginator:
    """A paginator at its first page."""
    return LinkPaginator(first, lambda _: Page(()))


def follow(link: str | None, first: str = FIRST) -> str | None:
    """Where a link of the first page leads."""
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
    """Rule 1: it leads to the same scheme, host and port, however it is written."""
    found = follow(link)
    assert found is not None
    assert found.replace("HTTPS:", "https:") == leads_to


@pytest.mark.parametrize("link", [None, ""])
def test_no_link_is_the_end(link: str | None) -> None:
    """Absent, null or empty: nothing follows."""
    assert follow(link) is None
    pages = paginator()
    pages.advance(Page((), link))
    assert pages.finished


def test_a_page_without_entities_is_not_the_end() -> None:
    """The SDK would stop at a page without rows; here only the link decides."""
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
    """Another scheme, host or port would receive the token, and so would one that only looks like ours."""
    with pytest.raises(TapError) as refused:
        follow(link)
    assert isinstance(refused.value, OtherHostError)
    assert "base_url" in str(refused.value)
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize("link", ["https://[", "//[", "https://[bad]/x", "https://gateway\u2100example.com/"])
def test_a_link_that_is_no_url_is_refused(link: str) -> None:
    """What cannot even be read as a URL ends the run like any other link that leads away."""
    with pytest.raises(OtherHostError):
        follow(link)


@pytest.mark.parametrize(
    "link", [f"https://{'x' * 100_000}.example.org/", f"{'x' * 100_000}://evil.example.org/"]
)
def test_a_long_link_is_shown_shortly(link: str) -> None:
    """What the server calls the next page is never shown at length."""
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


def test_a_link_that_was_followed_is_refused() -> None:
    """Pages that go form a loop would never end."""
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
    """On a machine with several servers the port is part of who is asked."""
    if leads:
        assert str(follow(link, first)).startswith(first[:20])
    else:
        with pytest.raises(OtherHostError):
            follow(link, first)
