"""Faults: which requests they happen to, and what they do over sockets and in process."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias

import pytest
import requests

from genesys_sandbox import (
    Fault,
    Options,
    Request,
    Rule,
    Rules,
    Sandbox,
    SandboxClient,
    faults,
    serve,
)
from genesys_sandbox.in_process import InProcessAdapter

PATH = "/api/v2/analytics/conversations/aggregates/query"
TREE = "/api/v2/analytics/conversations/aggregate/query"
QUERY = {
    "interval": "2025-06-03T09:00Z/2025-06-03T12:00Z",
    "groupBy": ["userId"],
    "metrics": ["tHandle"],
    "granularity": "PT1H",
}
NOON = datetime(2025, 6, 30, 12, tzinfo=timezone.utc)

Post: TypeAlias = Callable[..., requests.Response]
Connect: TypeAlias = Callable[[Sandbox], "contextlib.AbstractContextManager[Post]"]


@contextlib.contextmanager
def over_sockets(sandbox: Sandbox) -> Iterator[Post]:
    """Send requests over a real socket."""
    with serve(sandbox) as url, requests.Session() as session:
        yield lambda path, **more: session.post(f"{url}{path}", **{"timeout": 5, **more})


@contextlib.contextmanager
def in_process(sandbox: Sandbox) -> Iterator[Post]:
    """Send requests in process."""
    with requests.Session() as session:
        session.mount("http://sandbox", InProcessAdapter(sandbox))
        yield lambda path, **more: session.post(f"http://sandbox{path}", **{"timeout": 5, **more})


BOTH_WAYS = pytest.mark.parametrize("connect", [over_sockets, in_process])


def sandbox_and_headers(*rules: Rule, **options: Any) -> tuple[Sandbox, dict[str, str]]:
    """A sandbox with these faults, and the headers of a client that already has a token."""
    sandbox = Sandbox(Options(**options), now=lambda: NOON)
    headers = SandboxClient(sandbox).headers
    sandbox.faults = Rules(*rules)
    return sandbox, headers


@BOTH_WAYS
@pytest.mark.parametrize("status", [401, 403, 408, 429, 500, 502, 503, 504])
def test_an_error_status_happens_once(connect: Connect, status: int) -> None:
    """The platform's error with that status, then the response; the log names the fault."""
    sandbox, headers = sandbox_and_headers(Rule(faults.status(status)))
    with connect(sandbox) as post:
        first, second = (post(PATH, json=QUERY, headers=headers) for _ in range(2))
    assert (first.status_code, first.json()["status"]) == (status, status)
    assert first.json()["contextId"] == first.headers["ININ-Correlation-Id"]
    assert second.json()["results"]
    assert [entry.fault for entry in sandbox.log[-2:]] == [f"status {status}", ""]
    assert "Retry-After" not in first.headers


@BOTH_WAYS
@pytest.mark.parametrize("text", ["3", "soon", "-1", "86400", faults.http_date(NOON + timedelta(seconds=9))])
def test_retry_after_is_sent_unchanged(connect: Connect, text: str) -> None:
    """Seconds, a date, far too much or nonsense."""
    sandbox, headers = sandbox_and_headers(Rule(faults.status(429, retry_after=text)))
    with connect(sandbox) as post:
        assert post(PATH, json=QUERY, headers=headers).headers["Retry-After"] == text


def test_an_http_date_can_be_parsed_back() -> None:
    """The date form of `Retry-After` names the time."""
    text = faults.http_date(NOON)
    assert text == "Mon, 30 Jun 2025 12:00:00 GMT"
    assert parsedate_to_datetime(text) == NOON


@BOTH_WAYS
@pytest.mark.parametrize(
    "fault", [faults.reset_before(), faults.reset_after_headers(), faults.reset_mid_body()]
)
def test_a_reset_raises_and_the_next_request_succeeds(connect: Connect, fault: Fault) -> None:
    """A reset before the response, after its headers or within its body raises; the next request works."""
    sandbox, headers = sandbox_and_headers(Rule(fault))
    broken = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)
    with connect(sandbox) as post:
        with pytest.raises(broken):
            post(PATH, json=QUERY, headers=headers)
        assert post(PATH, json=QUERY, headers=headers).json()["results"]


@BOTH_WAYS
def test_a_kept_alive_connection_is_reset_by_the_next_request(connect: Connect) -> None:
    """The response is complete, the next request on that connection fails unseen, the one after works."""
    sandbox, headers = sandbox_and_headers(Rule(faults.reset_after()))
    with connect(sandbox) as post:
        first = post(PATH, json=QUERY, headers=headers)
        handled = len(sandbox.log)
        with pytest.raises(requests.ConnectionError):
            post(PATH, json=QUERY, headers=headers)
        assert len(sandbox.log) == handled
        assert post(PATH, json=QUERY, headers=headers).json() == first.json()


@BOTH_WAYS
@pytest.mark.parametrize(
    ("fault", "share"), [(faults.reset_after_headers(), 0), (faults.reset_mid_body(), 0.5)]
)
def test_what_was_sent_arrives_before_the_reset(connect: Connect, fault: Fault, share: float) -> None:
    """The headers, or headers and half the body, can be read; reading further raises."""
    sandbox, headers = sandbox_and_headers(Rule(fault))
    with connect(sandbox) as post:
        response = post(PATH, json=QUERY, headers=headers, stream=True)
        assert response.status_code == 200
        pieces: list[bytes] = []
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            pieces.extend(response.iter_content(64))
    assert abs(sum(map(len, pieces)) - share * int(response.headers["Content-Length"])) <= 64


@BOTH_WAYS
def test_a_dripped_response_is_complete(connect: Connect) -> None:
    """A dripped response takes less than half a second and loses nothing."""
    sandbox, headers = sandbox_and_headers(Rule(faults.drip()))
    slept: list[float] = []
    sandbox.sleep = slept.append
    with connect(sandbox) as post:
        first, second = (post(PATH, json=QUERY, headers=headers) for _ in range(2))
    assert first.json() == second.json()
    assert 0.3 < sum(slept) < 0.5


@BOTH_WAYS
@pytest.mark.parametrize("fault", [faults.cut_json(), faults.garbled_json(), faults.html()])
def test_bodies_that_are_not_json(connect: Connect, fault: Fault) -> None:
    """Status 200 with truncated JSON, with invalid bytes, or with a web page."""
    sandbox, headers = sandbox_and_headers(Rule(fault))
    with connect(sandbox) as post:
        response = post(PATH, json=QUERY, headers=headers)
    assert response.status_code == 200
    with pytest.raises(ValueError, match=r".+"):
        json.loads(response.content)


@BOTH_WAYS
@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("results",), None),
        (("results",), "none"),
        (("results", "*", "data"), None),
        (("results", "*", "data", "*", "metrics"), None),
        (("results", 0, "data", 0, "metrics", 0, "stats", "sum"), "many"),
        (("results", 0, "data", "*"), None),
    ],
)
def test_put_replaces_values(connect: Connect, path: tuple[str | int, ...], value: object) -> None:
    """Null or a value of the wrong type is at the given path."""
    sandbox, headers = sandbox_and_headers(Rule(faults.put(path, value)))
    with connect(sandbox) as post:
        values = [post(PATH, json=QUERY, headers=headers).json()]
    for step in path:
        values = [inner for place in values for inner in (place if step == "*" else [place[step]])]
    assert values
    assert all(place == value for place in values)


@BOTH_WAYS
def test_a_next_link_may_lead_back(connect: Connect) -> None:
    """The second page's link points to the second page."""
    sandbox, headers = sandbox_and_headers(Rule(faults.same_page(), match="pageNumber=2"))
    body = {
        "dateFrom": "2025-06-03T00:00:00.000Z",
        "dateTo": "2025-06-04T00:00:00.000Z",
        "groupBy": ["routing.queue.id"],
        "metrics": ["conversationCount"],
        "pageSize": 2,
    }
    with connect(sandbox) as post:
        first = post(TREE, json=body, headers=headers).json()["links"]["next"]
        assert post(first, headers=headers).json()["links"]["next"] == first


@BOTH_WAYS
def test_a_redirect_to_another_host(connect: Connect) -> None:
    """The platform never redirects, but a proxy may."""
    sandbox, headers = sandbox_and_headers(Rule(faults.redirect("http://elsewhere.invalid/login")))
    with connect(sandbox) as post:
        response = post(PATH, json=QUERY, headers=headers, allow_redirects=False)
    assert (response.status_code, response.headers["Location"]) == (307, "http://elsewhere.invalid/login")


@BOTH_WAYS
def test_a_delay_is_waited_for(connect: Connect) -> None:
    """A delay uses the sandbox's own sleep, on top of its latency."""
    sandbox, headers = sandbox_and_headers(Rule(faults.delay(2.5)), latency=0.25)
    slept: list[float] = []
    sandbox.sleep = slept.append
    with connect(sandbox) as post:
        for _ in range(2):
            assert post(PATH, json=QUERY, headers=headers).json()["results"]
    assert slept == [2.75, 0.25]


@BOTH_WAYS
def test_a_response_after_the_timeout_raises(connect: Connect) -> None:
    """A response that would arrive after the timeout raises ReadTimeout."""
    sandbox, headers = sandbox_and_headers(Rule(faults.delay(0.2)))
    with connect(sandbox) as post, pytest.raises(requests.ReadTimeout):
        post(PATH, json=QUERY, headers=headers, timeout=(1, 0.05))


def sandbox_with(*rules: Rule) -> Sandbox:
    return Sandbox(now=lambda: NOON, faults=Rules(*rules))


def names(sandbox: Sandbox, targets: list[str]) -> list[str]:
    """The faults that a series of requests meets, empty for none."""
    plan = sandbox.faults
    assert plan is not None
    faults_met = [plan(number, Request("POST", target)) for number, target in enumerate(targets, 1)]
    return [fault.name if fault else "" for fault in faults_met]


def test_rules_select_requests() -> None:
    """A rule matches part of the request, lets some pass, and then happens n times or every n-th time."""
    sandbox = sandbox_with(
        Rule(faults.status(500), match="POST /b", after=1, times=2),
        Rule(faults.status(503), match="/a", times=None, every=3),
    )
    assert names(sandbox, ["/a", "/a", "/b", "/b", "/b", "/b"]) == [
        "status 503",
        "",
        "",
        *["status 500"] * 2,
        "",
    ]
    assert names(sandbox, ["/a", "/a", "/a", "/a"]) == ["", "status 503", "", ""]


def test_the_first_rule_that_applies_wins() -> None:
    """If two rules apply to a request, the first one wins, and both have counted it."""
    sandbox = sandbox_with(Rule(faults.status(500)), Rule(faults.status(503), times=2))
    assert names(sandbox, ["/a", "/a", "/a"]) == ["status 500", "status 503", ""]


def test_random_faults_hit_a_share_of_requests() -> None:
    """About the given share of requests fails, the same requests each time."""
    plan = faults.random_faults(0.2)
    hits = [number for number in range(1, 1001) if plan(number, Request("GET", "/"))]
    assert 150 < len(hits) < 250
    assert hits == [number for number in range(1, 1001) if plan(number, Request("GET", "/"))]


def test_a_plan_may_be_any_function() -> None:
    """A plan decides by the number of the request and the request."""
    sandbox = Sandbox(now=lambda: NOON)
    client = SandboxClient(sandbox)
    sandbox.faults = lambda number, request: faults.status(503) if number == 3 and request.body else None
    responses = [client.request("POST", PATH, QUERY).status for _ in range(3)]
    assert responses == [200, 503, 200]
