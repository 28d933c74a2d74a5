"""Faults do what they say, over sockets and in process."""

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

Ask: TypeAlias = Callable[..., requests.Response]
Asking: TypeAlias = Callable[[Sandbox], "contextlib.AbstractContextManager[Ask]"]


@contextlib.contextmanager
def over_sockets(sandbox: Sandbox) -> Iterator[Ask]:
    """Ask over a real socket."""
    with serve(sandbox) as url, requests.Session() as session:
        yield lambda path, **more: session.post(f"{url}{path}", **{"timeout": 5, **more})


@contextlib.contextmanager
def in_process(sandbox: Sandbox) -> Iterator[Ask]:
    """Ask without any."""
    with requests.Session() as session:
        session.mount("http://sandbox", InProcessAdapter(sandbox))
        yield lambda path, **more: session.post(f"http://sandbox{path}", **{"timeout": 5, **more})


BOTH = pytest.mark.parametrize("asking", [over_sockets, in_process])


def troubled(*rules: Rule, **options: Any) -> tuple[Sandbox, dict[str, str]]:
    """A sandbox with these faults, and the headers of somebody who has a token already."""
    sandbox = Sandbox(Options(**options), now=lambda: NOON)
    headers = SandboxClient(sandbox).headers
    sandbox.faults = Rules(*rules)
    return sandbox, headers


@BOTH
@pytest.mark.parametrize("status", [401, 403, 408, 429, 500, 502, 503, 504])
def test_a_status_comes_once_then_all_is_well(asking: Asking, status: int) -> None:
    """The platform's error body with that status, then the answer; the log names the fault."""
    sandbox, headers = troubled(Rule(faults.status(status)))
    with asking(sandbox) as ask:
        first, second = (ask(PATH, json=QUERY, headers=headers) for _ in range(2))
    assert (first.status_code, first.json()["status"]) == (status, status)
    assert first.json()["contextId"] == first.headers["ININ-Correlation-Id"]
    assert second.json()["results"]
    assert [entry.fault for entry in sandbox.log[-2:]] == [f"status {status}", ""]
    assert "Retry-After" not in first.headers


@BOTH
@pytest.mark.parametrize("text", ["3", "soon", "-1", "86400", faults.http_date(NOON + timedelta(seconds=9))])
def test_retry_after_is_passed_on_as_it_is(asking: Asking, text: str) -> None:
    """Seconds, a date, far too much or nonsense: whatever was asked for."""
    sandbox, headers = troubled(Rule(faults.status(429, retry_after=text)))
    with asking(sandbox) as ask:
        assert ask(PATH, json=QUERY, headers=headers).headers["Retry-After"] == text


def test_an_http_date_reads_back() -> None:
    """The date form of Retry-After names the instant."""
    text = faults.http_date(NOON)
    assert text == "Mon, 30 Jun 2025 12:00:00 GMT"
    assert parsedate_to_datetime(text) == NOON


@BOTH
@pytest.mark.parametrize(
    "fault", [faults.reset_before(), faults.reset_after_headers(), faults.reset_mid_body()]
)
def test_broken_connections_raise_then_heal(asking: Asking, fault: Fault) -> None:
    """A reset before, after the headers or in the body raises what requests calls it; the next one works."""
    sandbox, headers = troubled(Rule(fault))
    broken = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)
    with asking(sandbox) as ask:
        with pytest.raises(broken):
            ask(PATH, json=QUERY, headers=headers)
        assert ask(PATH, json=QUERY, headers=headers).json()["results"]


@BOTH
def test_a_reset_on_the_next_use(asking: Asking) -> None:
    """The answer is whole, the next request on that connection is reset unseen, the one after it works."""
    sandbox, headers = troubled(Rule(faults.reset_after()))
    with asking(sandbox) as ask:
        first = ask(PATH, json=QUERY, headers=headers)
        handled = len(sandbox.log)
        with pytest.raises(requests.ConnectionError):
            ask(PATH, json=QUERY, headers=headers)
        assert len(sandbox.log) == handled
        assert ask(PATH, json=QUERY, headers=headers).json() == first.json()


@BOTH
@pytest.mark.parametrize(
    ("fault", "share"), [(faults.reset_after_headers(), 0), (faults.reset_mid_body(), 0.5)]
)
def test_what_was_sent_arrives_before_the_reset(asking: Asking, fault: Fault, share: float) -> None:
    """Headers, or headers and half a body, can be read; reading on raises."""
    sandbox, headers = troubled(Rule(fault))
    with asking(sandbox) as ask:
        answer = ask(PATH, json=QUERY, headers=headers, stream=True)
        assert answer.status_code == 200
        pieces: list[bytes] = []
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            pieces.extend(answer.iter_content(64))
    assert abs(sum(map(len, pieces)) - share * int(answer.headers["Content-Length"])) <= 64


@BOTH
def test_small_pieces_make_a_whole(asking: Asking) -> None:
    """A dripping answer takes its time, less than half a second, and loses nothing."""
    sandbox, headers = troubled(Rule(faults.drip()))
    slept: list[float] = []
    sandbox.sleep = slept.append
    with asking(sandbox) as ask:
        first, second = (ask(PATH, json=QUERY, headers=headers) for _ in range(2))
    assert first.json() == second.json()
    assert 0.3 < sum(slept) < 0.5


@BOTH
@pytest.mark.parametrize("fault", [faults.cut_json(), faults.garbled_json(), faults.html()])
def test_bodies_that_are_no_json(asking: Asking, fault: Fault) -> None:
    """200 with half a JSON, with bytes in it that are no text, or with a web page."""
    sandbox, headers = troubled(Rule(fault))
    with asking(sandbox) as ask:
        answer = ask(PATH, json=QUERY, headers=headers)
    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r".+"):
        json.loads(answer.content)


@BOTH
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
def test_another_value_in_its_place(asking: Asking, path: tuple[str | int, ...], value: object) -> None:
    """Null or a wrong type stands wherever it was asked to."""
    sandbox, headers = troubled(Rule(faults.put(path, value)))
    with asking(sandbox) as ask:
        found = [ask(PATH, json=QUERY, headers=headers).json()]
    for step in path:
        found = [inner for place in found for inner in (place if step == "*" else [place[step]])]
    assert found
    assert all(place == value for place in found)


@BOTH
def test_a_link_that_leads_back(asking: Asking) -> None:
    """The second page's link is the second page's own."""
    sandbox, headers = troubled(Rule(faults.same_page(), match="pageNumber=2"))
    body = {
        "dateFrom": "2025-06-03T00:00:00.000Z",
        "dateTo": "2025-06-04T00:00:00.000Z",
        "groupBy": ["routing.queue.id"],
        "metrics": ["conversationCount"],
        "pageSize": 2,
    }
    with asking(sandbox) as ask:
        first = ask(TREE, json=body, headers=headers).json()["links"]["next"]
        assert ask(first, headers=headers).json()["links"]["next"] == first


@BOTH
def test_a_redirect_to_another_host(asking: Asking) -> None:
    """The platform never redirects; something in between may."""
    sandbox, headers = troubled(Rule(faults.redirect("http://elsewhere.invalid/login")))
    with asking(sandbox) as ask:
        answer = ask(PATH, json=QUERY, headers=headers, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (307, "http://elsewhere.invalid/login")


@BOTH
def test_late_answers(asking: Asking) -> None:
    """A delay is waited for with the sandbox's own sleep, on top of its latency."""
    sandbox, headers = troubled(Rule(faults.delay(2.5)), latency=0.25)
    slept: list[float] = []
    sandbox.sleep = slept.append
    with asking(sandbox) as ask:
        for _ in range(2):
            assert ask(PATH, json=QUERY, headers=headers).json()["results"]
    assert slept == [2.75, 0.25]


@BOTH
def test_answers_later_than_the_timeout(asking: Asking) -> None:
    """An answer that would be too late raises ReadTimeout."""
    sandbox, headers = troubled(Rule(faults.delay(0.2)))
    with asking(sandbox) as ask, pytest.raises(requests.ReadTimeout):
        ask(PATH, json=QUERY, headers=headers, timeout=(1, 0.05))
