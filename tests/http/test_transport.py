"""Sending requests: which failures are retried, how long the waits are, and how slow an answer may be."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
import requests
from typing_extensions import override
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import MaxRetryError, NameResolutionError, NewConnectionError

from tap_genesys_aggregates.core.errors import TapError, UnreadableError
from tap_genesys_aggregates.http import response_limits
from tap_genesys_aggregates.http.errors import (
    BadRequestError,
    DeniedError,
    NotFoundError,
    RefusedError,
    SlowError,
    TooLargeError,
    TransientError,
)
from tests.http.fake_server import SECRET, TRANSIENT, Answer, FakeClock, fake_api

if TYPE_CHECKING:
    from collections.abc import Callable

REFUSAL = json.dumps({"message": "No such metric", "code": "bad.request"}).encode()
each_transient_failure = pytest.mark.parametrize("failure", TRANSIENT.values(), ids=TRANSIENT)


def read_json(body: bytes) -> object:
    """Read a body as a dialect does."""
    try:
        return json.loads(body)
    except ValueError:
        raise UnreadableError("it is garbled") from None


def test_a_good_answer_takes_one_request_and_one_token() -> None:
    api = fake_api(Answer(body=b'{"entities": []}'))
    assert api.fetch() == {"entities": []}
    assert (len(api.server.calls), len(api.server.token_calls), api.clock.slept) == (1, 1, [])
    assert (api.usage.requests, api.usage.retries, api.usage.bytes) == (1, 0, 16)
    assert api.server.calls[0].body == b'{"pageNumber": 1}'


@each_transient_failure
def test_a_transient_failure_is_retried(failure: Answer) -> None:
    """The same request is sent again, with its body."""
    api = fake_api(failure, failure, Answer(body=b'{"n": 1}'))
    assert api.fetch() == {"n": 1}
    assert [call.body for call in api.server.calls] == [b'{"pageNumber": 1}'] * 3
    assert (api.usage.requests, api.usage.retries, len(api.clock.slept)) == (3, 2, 2)


def test_an_unreadable_answer_is_retried() -> None:
    """A garbled body with status 200 is a failure, not an empty answer."""
    api = fake_api(Answer(body=b"<html>"), Answer(body=b'{"n": 1}'))
    assert api.fetch(read_json) == {"n": 1}
    assert len(api.server.calls) == 2


@pytest.mark.parametrize("retries", [0, 1, 5])
@pytest.mark.parametrize("failure", [TRANSIENT["503"], TRANSIENT["cut body"], TRANSIENT["no connection"]])
def test_max_retries_does_not_count_the_first_attempt(retries: int, failure: Answer) -> None:
    """When all retries are used up, the run stops with the last error: no request is skipped."""
    api = fake_api(failure, max_retries=retries)
    with pytest.raises(TransientError) as stopped:
        api.fetch()
    assert "gateway.example.com" in str(stopped.value)
    assert len(api.server.calls) == api.usage.requests == retries + 1
    assert len(api.clock.slept) == api.usage.retries == retries


def test_unreadable_answers_use_up_retries() -> None:
    api = fake_api(Answer(body=b"<html>"), max_retries=3)
    with pytest.raises(UnreadableError, match="it is garbled"):
        api.fetch(read_json)
    assert len(api.server.calls) == 4


def test_retry_after_is_obeyed() -> None:
    """In seconds or as a date, on any attempt, up to five minutes."""
    api = fake_api(
        Answer(429, headers={"Retry-After": "17"}),
        Answer(503, headers={"retry-after": "Mon, 20 Nov 2023 00:00:47 GMT"}),
        Answer(429, headers={"Retry-After": "99999"}),
        Answer(),
    )
    api.fetch()
    assert api.clock.slept == [17.0, 30.0, 300.0]


@pytest.mark.parametrize(
    "said", ["0", "0.0", "-5", "Mon, 20 Nov 2023 00:00:00 GMT", "Tue, 01 Jan 2019 00:00:00 GMT"]
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_retry_after_that_is_over_does_not_shorten_the_backoff(status: int, said: str) -> None:
    """429 with ``Retry-After: 0``, again and again: the tap sent all its attempts in the same second."""
    api = fake_api(Answer(status, headers={"Retry-After": said}), max_retries=5)
    with pytest.raises(TransientError):
        api.fetch()
    assert all(slept >= 2**number / 2 for number, slept in enumerate(api.clock.slept))
    assert (len(api.clock.slept), api.clock.monotonic() > 15) == (5, True)


def test_the_longer_of_retry_after_and_the_backoff_counts() -> None:
    api = fake_api(*[Answer(503, headers={"Retry-After": "3"})] * 4, Answer())
    api.fetch()
    assert api.clock.slept[:2] == [3.0, 3.0]
    assert 4.0 <= api.clock.slept[3] <= 8.0


@pytest.mark.parametrize("status", [201, 202, 203, 204, 206])
def test_another_success_than_200_is_no_answer(status: int) -> None:
    """202 with ``{}`` for a query was committed as a window without rows."""
    accepted = Answer(status, b"" if status == HTTPStatus.NO_CONTENT else b"{}")
    api = fake_api(accepted, Answer(body=b'{"n": 1}'))
    assert api.fetch() == {"n": 1}
    assert len(api.server.calls) == 2
    api = fake_api(accepted, max_retries=2)
    with pytest.raises(UnreadableError, match=f"answered {status} .*only 200 is an answer.*gateway"):
        api.fetch()
    assert len(api.server.calls) == 3


def test_any_success_is_an_answer_where_the_call_says_so() -> None:
    """Submitting a job answers 202."""
    for status in (200, 201, 202):
        api = fake_api(Answer(status, b'{"jobId": "one"}'))
        assert api.fetch(any_success=True) == {"jobId": "one"}
        assert len(api.server.calls) == 1


def test_without_retry_after_the_wait_doubles_with_jitter() -> None:
    """1, 2, 4, … seconds, at most 60, each shortened by up to a half."""
    api = fake_api(Answer(500), max_retries=12)
    with pytest.raises(TransientError):
        api.fetch()
    full = [min(60.0, 2.0**number) for number in range(12)]
    assert all(whole / 2 <= slept <= whole for slept, whole in zip(api.clock.slept, full, strict=True))
    assert len({slept / whole for slept, whole in zip(api.clock.slept, full, strict=True)}) > 6


class InterruptedClock(FakeClock):
    """A clock on whose first sleep something else happens."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: list[Callable[[], object]] = []

    @override
    def sleep(self, seconds: float) -> None:
        while self.meanwhile:
            self.meanwhile.pop()()
        super().sleep(seconds)


@pytest.mark.parametrize(("status", "started"), [(429, 40.0), (503, 0.0)])
def test_a_429_pauses_every_request(status: int, started: float) -> None:
    """The rate limit is shared, so a 429 pauses all requests; a 503 delays only its own."""
    clock, starts = InterruptedClock(), []
    api = fake_api(Answer(status, headers={"Retry-After": "40"}), Answer(), clock=clock)
    clock.meanwhile.append(lambda: api.fetch(lambda _: starts.append(clock.monotonic())))
    api.fetch()
    assert starts == [started]
    assert len(api.server.calls) == 3


class BarrierClock(FakeClock):
    """A clock on which no sleep ends before a number of threads sleep at once (or ten real seconds pass)."""

    def __init__(self, threads: int) -> None:
        super().__init__()
        self._all = threading.Barrier(threads, timeout=10)
        self.asleep = threading.Event()

    @override
    def sleep(self, seconds: float) -> None:
        self.asleep.set()
        if self._all.wait() == 0:
            super().sleep(seconds)
        self._all.wait()


def test_a_429_pauses_every_thread() -> None:
    """One thread of eight gets the 429; all eight wait at the same time, and then each sends."""
    clock = BarrierClock(8)
    api = fake_api(Answer(), Answer(429, headers={"Retry-After": "30"}), Answer(), clock=clock)
    api.fetch()
    starts: list[float] = []

    def other() -> object:
        clock.asleep.wait(10)
        return api.fetch(lambda _: starts.append(clock.monotonic()))

    with ThreadPoolExecutor(7) as pool:
        others = [pool.submit(other) for _ in range(7)]
        api.fetch(lambda _: starts.append(clock.monotonic()))
        for each in others:
            each.result()
    assert starts == [30.0] * 8


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (Answer(400, REFUSAL), BadRequestError, "No such metric"),
        (Answer(403, REFUSAL), DeniedError, "No such metric"),
        (Answer(404, REFUSAL), NotFoundError, "No such metric"),
        (Answer(413, REFUSAL), TooLargeError, "No such metric"),
        (Answer(422, REFUSAL), RefusedError, "No such metric"),
        (
            Answer(400, b'{"message": "No such metric: limit of 30000 results"}'),
            TooLargeError,
            "No such metric",
        ),
        (Answer(error=requests.exceptions.InvalidHeader("s3cr3t")), TapError, "could not be sent"),
        (Answer(error=requests.exceptions.InvalidURL("s3cr3t")), TapError, "could not be sent"),
    ],
)
def test_a_permanent_failure_is_not_retried(answer: Answer, kind: type[TapError], message: str) -> None:
    """The run stops at once, with the server's message or what could not be sent."""
    api = fake_api(answer)
    with pytest.raises(kind, match=message) as stopped:
        api.fetch()
    assert type(stopped.value) is kind
    assert (len(api.server.calls), api.clock.slept) == (1, [])
    assert "s3cr3t" not in str(stopped.value)


@each_transient_failure
def test_no_message_holds_a_secret(failure: Answer, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the error nor the log shows the token, the secret or the text of an exception."""
    api = fake_api(failure, max_retries=2)
    with caplog.at_level("DEBUG"), pytest.raises(TransientError) as stopped:
        api.fetch()
    for text in (str(stopped.value), caplog.text):
        assert all(secret not in text for secret in (SECRET, "Bearer", "t1", "s3cr3t", "Basic"))
    assert caplog.text.count("retrying in") == 2


def test_request_timeout_applies_to_every_request() -> None:
    """To token requests too."""
    api = fake_api(request_timeout=12.5)
    api.fetch()
    assert [options["timeout"] for options in api.server.options] == [12.5, 12.5]


def test_each_thread_has_its_own_session() -> None:
    api = fake_api()
    mine = api.transport.session
    others: list[requests.Session] = []
    thread = threading.Thread(target=lambda: others.append(api.transport.session))
    thread.start()
    thread.join()
    assert api.transport.session is mine
    assert others[0] is not mine
    api.transport.close()


@pytest.mark.parametrize("failure", ["504", "read timeout", "stalled body"])
def test_a_slow_answer_is_not_retried_if_the_window_can_be_split(failure: str) -> None:
    """Half the window may arrive in time; the whole window would be slow again."""
    api = fake_api(TRANSIENT[failure])
    with pytest.raises(SlowError):
        api.fetch(divisible=True)
    assert (len(api.server.calls), api.clock.slept) == (1, [])


@pytest.mark.parametrize("failure", ["503", "429", "connect timeout", "no connection"])
def test_other_failures_are_retried_even_if_the_window_can_be_split(failure: str) -> None:
    """A shorter window does not help if the server is busy."""
    api = fake_api(TRANSIENT[failure], Answer())
    assert api.fetch(divisible=True) == {}
    assert len(api.server.calls) == 2


class TrickleClock(FakeClock):
    """A clock that moves on whenever someone looks at it."""

    @override
    def monotonic(self) -> float:
        self.advance(6)
        return super().monotonic()


def test_a_body_that_trickles_in_is_slow() -> None:
    """``request_timeout`` covers the whole response, not each of its bytes."""
    api = fake_api(Answer(body=b" " * 200_000 + b"{}"), clock=TrickleClock(), request_timeout=10)
    with pytest.raises(SlowError, match="sent no complete response"):
        api.fetch(divisible=True)
    assert len(api.server.calls) == 1


def test_a_body_beyond_the_limit_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_limits, "MAX_BODY_BYTES", 100_000)
    with pytest.raises(TooLargeError):
        fake_api(Answer(body=b" " * 100_001)).fetch()
    assert fake_api(Answer(body=b" " * 99_998 + b"{}")).fetch() == {}


# Which errors concern every stream

REFUSED_CONNECTION = requests.ConnectionError(
    MaxRetryError(HTTPSConnectionPool("gateway.example.com"), "/", NewConnectionError(None, "refused"))  # type: ignore[arg-type]
)
UNKNOWN_NAME = requests.ConnectionError(
    MaxRetryError(HTTPSConnectionPool("gateway.example.com"), "/", NameResolutionError("h", None, OSError()))  # type: ignore[arg-type]
)
CONCERN_ALL = {
    "401 after renewal": Answer(401),
    "429 that persists": Answer(429),
    "redirect": Answer(302),
    "connection refused": Answer(error=REFUSED_CONNECTION),
    "unknown host name": Answer(error=UNKNOWN_NAME),
    "connect timeout": Answer(error=requests.ConnectTimeout()),
    "proxy": Answer(error=requests.exceptions.ProxyError()),
    "TLS": Answer(error=requests.exceptions.SSLError("wrong version number")),
    "untrusted certificate": Answer(error=requests.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED")),
    "missing CA bundle": Answer(error=OSError("no such file")),
}
CONCERN_ONE = {
    **{str(status): Answer(status) for status in (202, 400, 403, 404, 408, 413, 422, 500, 502, 503, 504)},
    **{
        name: TRANSIENT[name]
        for name in (
            "read timeout",
            "no connection",
            "reset",
            "cut body",
            "stalled body",
            "broken compression",
        )
    },
    "garbled": Answer(body=b"<html>"),
    "invalid URL": Answer(error=requests.exceptions.InvalidURL()),
}


@pytest.mark.parametrize(
    ("answer", "stops"),
    [*((each, True) for each in CONCERN_ALL.values()), *((each, False) for each in CONCERN_ONE.values())],
    ids=[*CONCERN_ALL, *CONCERN_ONE],
)
def test_an_error_stops_the_run_only_if_it_concerns_every_stream(answer: Answer, *, stops: bool) -> None:
    """A 403 for the first query kept every later one from loading, run after run."""
    with pytest.raises(TapError) as raised:
        fake_api(answer, max_retries=1).fetch(read_json)
    assert raised.value.stops_run is stops


@pytest.mark.parametrize(
    "answer",
    [*(Answer(status) for status in (302, 400, 401, 403, 404, 413, 429, 500)), Answer(body=b"<html>")],
)
def test_whatever_keeps_the_tap_from_a_token_stops_the_run(answer: Answer) -> None:
    with pytest.raises(TapError) as raised:
        fake_api(tokens=(answer,), max_retries=1).fetch()
    assert raised.value.stops_run


@pytest.mark.parametrize("answer", [REFUSED_CONNECTION, UNKNOWN_NAME])
def test_a_host_that_cannot_be_reached_is_tried_again(answer: Exception) -> None:
    api = fake_api(Answer(error=answer), Answer(error=answer), Answer())
    assert api.fetch() == {}
    assert len(api.clock.slept) == 2
