"""Which answers are worth another try, how many, and how long is waited in between."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import requests
from typing_extensions import override

from tap_genesys_aggregates.core.errors import TapError, UnreadableError
from tap_genesys_aggregates.http.errors import (
    DeniedError,
    NotFoundError,
    RefusedError,
    TooLargeError,
    TransientError,
)
from tests.shell.answering import TRANSIENT, Answer, scene
from tests.shell.making import SECRET, Time

if TYPE_CHECKING:
    from collections.abc import Callable

SAID = json.dumps({"message": "No such metric", "code": "bad.request"}).encode()


def unreadable(_: bytes) -> object:
    """A reader that cannot make sense of anything."""
    raise UnreadableError("it is garbled")


def test_an_answer_is_read() -> None:
    """A good answer takes one request and one token, and waits for nothing."""
    at = scene(Answer(body=b'{"entities": []}'))
    assert at.fetch() == {"entities": []}
    assert (len(at.server.calls), len(at.server.token_calls), at.time.slept) == (1, 1, [])
    assert (at.usage.requests, at.usage.retries, at.usage.bytes) == (1, 0, 16)
    assert at.server.calls[0].body == b'{"pageNumber": 1}'


@pytest.mark.parametrize("trouble", TRANSIENT.values(), ids=TRANSIENT)
def test_transient_trouble_is_tried_again(trouble: Answer) -> None:
    """The server is busy or the line was cut: the same request is sent again, body and all."""
    at = scene(trouble, trouble, Answer(body=b'{"n": 1}'))
    assert at.fetch() == {"n": 1}
    assert [call.body for call in at.server.calls] == [b'{"pageNumber": 1}'] * 3
    assert (at.usage.requests, at.usage.retries, len(at.time.slept)) == (3, 2, 2)


def test_an_unreadable_answer_is_asked_for_again() -> None:
    """A cut or garbled body that came with 200 is trouble like any other, and not an empty answer."""
    at = scene(Answer(body=b"<html>"), Answer(body=b'{"n": 1}'))

    def read(body: bytes) -> object:
        try:
            return json.loads(body)
        except ValueError:
            raise UnreadableError("it is garbled") from None

    assert at.fetch(read) == {"n": 1}
    assert len(at.server.calls) == 2


@pytest.mark.parametrize("retries", [0, 1, 5])
@pytest.mark.parametrize("trouble", [TRANSIENT["503"], TRANSIENT["cut body"], TRANSIENT["no connection"]])
def test_max_retries_are_tries_after_the_first(retries: int, trouble: Answer) -> None:
    """When all are used up the run stops with the last error: a failed request is never skipped."""
    at = scene(trouble, max_retries=retries)
    with pytest.raises(TransientError) as stopped:
        at.fetch()
    assert "gateway.example.com" in str(stopped.value)
    assert len(at.server.calls) == at.usage.requests == retries + 1
    assert len(at.time.slept) == at.usage.retries == retries


def test_an_unreadable_answer_uses_up_tries_too() -> None:
    """A server that answers nonsense for ever stops the run."""
    at = scene(max_retries=3)
    with pytest.raises(UnreadableError, match="it is garbled"):
        at.fetch(unreadable)
    assert len(at.server.calls) == 4


def test_retry_after_is_obeyed() -> None:
    """The server's own wait is kept to, in either form, whatever the number of tries."""
    at = scene(
        Answer(429, headers={"Retry-After": "17"}),
        Answer(503, headers={"retry-after": "Mon, 20 Nov 2023 00:00:47 GMT"}),
        Answer(429, headers={"Retry-After": "99999"}),
        Answer(),
    )
    at.fetch()
    assert at.time.slept == [17.0, 30.0, 300.0]


def test_without_retry_after_the_wait_doubles_with_jitter() -> None:
    """1, 2, 4, … seconds, at most sixty, each cut by up to a half so that clients do not march in step."""
    at = scene(Answer(500), max_retries=12)
    with pytest.raises(TransientError):
        at.fetch()
    full = [min(60.0, 2.0**number) for number in range(12)]
    assert all(whole / 2 <= slept <= whole for slept, whole in zip(at.time.slept, full, strict=True))
    assert len({slept / whole for slept, whole in zip(at.time.slept, full, strict=True)}) > 6


class Interrupted(Time):
    """A clock on which something happens when it is first slept on."""

    def __init__(self) -> None:
        """Begin with nothing to happen."""
        super().__init__()
        self.meanwhile: list[Callable[[], object]] = []

    @override
    def sleep(self, seconds: float) -> None:
        while self.meanwhile:
            self.meanwhile.pop()()
        super().sleep(seconds)


@pytest.mark.parametrize(("status", "begins"), [(429, 40.0), (503, 0.0)])
def test_a_429_holds_every_request(status: int, begins: float) -> None:
    """The budget is shared, so nobody sends while one waits for it; other trouble holds nobody else."""
    clock, begun = Interrupted(), []
    at = scene(Answer(status, headers={"Retry-After": "40"}), Answer(), clock=clock)
    clock.meanwhile.append(lambda: at.fetch(lambda _: begun.append(clock.monotonic())))
    at.fetch()
    assert begun == [begins]
    assert len(at.server.calls) == 3


class Together(Time):
    """A clock on which nobody's sleep ends before so many threads sleep at once."""

    def __init__(self, threads: int) -> None:
        """Wait for so many; in vain, for ten seconds of real time at the most."""
        super().__init__()
        self._all = threading.Barrier(threads, timeout=10)
        self.asleep = threading.Event()

    @override
    def sleep(self, seconds: float) -> None:
        self.asleep.set()
        if self._all.wait() == 0:
            super().sleep(seconds)
        self._all.wait()


def test_a_429_stops_every_thread() -> None:
    """One of eight is told to wait: all eight wait at the same time, and then each asks again."""
    clock = Together(8)
    at = scene(Answer(), Answer(429, headers={"Retry-After": "30"}), Answer(), clock=clock)
    at.fetch()
    begun: list[float] = []

    def other() -> object:
        clock.asleep.wait(10)
        return at.fetch(lambda _: begun.append(clock.monotonic()))

    with ThreadPoolExecutor(7) as pool:
        others = [pool.submit(other) for _ in range(7)]
        at.fetch(lambda _: begun.append(clock.monotonic()))
        for each in others:
            each.result()
    assert begun == [30.0] * 8


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(400, SAID), RefusedError),
        (Answer(403, SAID), DeniedError),
        (Answer(404, SAID), NotFoundError),
        (Answer(413, SAID), TooLargeError),
        (Answer(422, SAID), RefusedError),
        (Answer(400, b'{"message": "No such metric: limit of 30000 results"}'), TooLargeError),
    ],
)
def test_what_cannot_help_is_not_tried_again(answer: Answer, kind: type[TapError]) -> None:
    """The run stops at once, with the server's own message."""
    at = scene(answer)
    with pytest.raises(kind, match="No such metric") as stopped:
        at.fetch()
    assert type(stopped.value) is kind
    assert (len(at.server.calls), at.time.slept) == (1, [])


@pytest.mark.parametrize(
    "error", [requests.exceptions.InvalidHeader("s3cr3t"), requests.exceptions.InvalidURL("s3cr3t")]
)
def test_a_request_that_cannot_be_sent_is_not_tried_again(error: Exception) -> None:
    """A wrong URL or header stays wrong."""
    at = scene(Answer(error=error))
    with pytest.raises(TapError, match="could not be sent") as stopped:
        at.fetch()
    assert len(at.server.calls) == 1
    assert "s3cr3t" not in str(stopped.value)


@pytest.mark.parametrize("trouble", TRANSIENT.values(), ids=TRANSIENT)
def test_no_message_holds_a_secret(trouble: Answer, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the error nor the log of the tries shows the token, the secret or an exception's own text."""
    at = scene(trouble, max_retries=2)
    with caplog.at_level("DEBUG"), pytest.raises(TransientError) as stopped:
        at.fetch()
    for text in (str(stopped.value), caplog.text):
        assert all(secret not in text for secret in (SECRET, "Bearer", "t1", "s3cr3t", "Basic"))
    assert caplog.text.count("retrying in") == 2


def test_the_time_out_is_the_users() -> None:
    """``request_timeout`` goes with every request, to the token's host too; redirects are never followed."""
    at = scene(request_timeout=12.5)
    at.fetch()
    assert [options["timeout"] for options in at.server.options] == [12.5, 12.5]


def test_each_thread_has_a_session_of_its_own() -> None:
    """Requests does not promise that a session can be shared; closing closes all of them."""
    at = scene()
    mine = at.transport.session
    others: list[requests.Session] = []
    thread = threading.Thread(target=lambda: others.append(at.transport.session))
    thread.start()
    thread.join()
    assert at.transport.session is mine
    assert others[0] is not mine
    at.transport.close()
