"""Heads, chunks and slowness that HTTP does not allow, or that nobody would wait for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.hostile.case import ONE_ROW, Case, page, usual
from tests.hostile.serving import Asked, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.hostile.serving import Answer

OK = b"HTTP/1.1 200 OK\r\n"
DRIP = 0.2
QUICK = {"max_retries": 1}
SLOW = {"request_timeout": 1, "max_retries": 0}
TOO_SLOW = r"^SlowError: .*sent no complete response"
CUT = r"^(TransientError|SlowError|TapError): .*sent no complete response"


def _raw(*pieces: bytes) -> Answer:
    return lambda _: pieces


def _dripping(head: bytes, drop: bytes, times: int = 100) -> Answer:
    """One drop at a time, each in time, all together not."""

    def data(_: Asked) -> Iterator[bytes]:
        yield head
        for _drop in range(times):
            time.sleep(DRIP)
            yield drop

    return data


def _silent(_: Asked) -> Iterator[bytes]:
    time.sleep(4)
    yield b""


def _endless(head: bytes, piece: Callable[[], bytes], most: int) -> Answer:
    def data(_: Asked) -> Iterator[bytes]:
        yield head
        for _piece in range(most):
            yield piece()

    return data


CASES = (
    Case(
        "status: no number", "HTTP/1.1 abc", CUT, _raw(b"HTTP/1.1 abc OK\r\n\r\n{}"), config=QUICK, wired=True
    ),
    Case("status: HTTP/0.9", "A body without a head", CUT, _raw(b"{}"), config=QUICK, wired=True),
    Case(
        "status: bytes of chance",
        "What is no HTTP at all",
        CUT,
        _raw(bytes(range(256)) * 99),
        config=QUICK,
        wired=True,
    ),
    Case("status: nothing", "The connection is closed at once", CUT, _raw(), config=QUICK, wired=True),
    Case(
        "status: a line of 1 MB",
        "A status line of a megabyte",
        CUT,
        _raw(b"HTTP/1.1 200 " + b"x" * (1 << 20)),
        config=QUICK,
        wired=True,
    ),
    Case(
        "head: a line of 1 MB",
        "A header of a megabyte",
        CUT,
        _raw(OK + b"X: " + b"x" * (1 << 20) + b"\r\n\r\n{}"),
        config=QUICK,
        wired=True,
    ),
    Case(
        "head: 10,000 lines",
        "10,000 headers",
        CUT,
        _raw(OK + b"X: y\r\n" * 10_000 + b"\r\n{}"),
        config=QUICK,
        wired=True,
    ),
    Case(
        "head: without an end",
        "Headers for ever",
        CUT,
        _endless(OK, lambda: b"X: " + b"y" * 60_000 + b"\r\n", 100_000),
        config=QUICK,
        wired=True,
    ),
    Case(
        "head: 100 Continue for ever",
        "Interim answers, one after the other",
        r"^(SlowError|TransientError): ",
        _endless(b"", lambda: b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, 1_000_000),
        config={**SLOW},
        wired=True,
    ),
    Case(
        "head: folded lines",
        "A header that goes on in the next line",
        ONE_ROW,
        _raw(
            OK
            + b"X: y\r\n  z\r\n\r\n"
            + page(
                {
                    "id": "q1",
                    "groups": [
                        {"id": "2023-11-01T00:00:00Z", "metrics": {"conversationCount": {"value": 1}}}
                    ],
                }
            )
        ),
        wired=True,
    ),
    Case(
        "head: a negative length",
        "Content-Length: -5",
        r"^0 rows",
        _raw(OK + b"Content-Length: -5\r\n\r\n" + page()),
        config=QUICK,
        wired=True,
    ),
    Case(
        "head: two lengths",
        "Content-Length: 2 and 200",
        r"^TapError: .*could not be sent \(InvalidHeader\)",
        _raw(OK + b"Content-Length: 2\r\nContent-Length: 200\r\n\r\n" + page()),
        config=QUICK,
        wired=True,
    ),
    Case(
        "head: a length of 10**18",
        "Far more is announced than comes",
        CUT,
        _raw(OK + b"Content-Length: 1000000000000000000\r\n\r\n" + page()),
        config=QUICK,
        wired=True,
    ),
    Case(
        "head: cookies",
        "100 cookies with every page, none of which may come back",
        ONE_ROW,
        lambda asked: (
            Reply(
                page(following=f"?p={asked.number}"),
                headers=tuple(("Set-Cookie", f"c{n}=x") for n in range(90)),
            )
            if asked.number < 5
            else (Reply(status=400) if "cookie" in asked.headers else usual(asked))
        ),
        wired=True,
    ),
    Case(
        "chunk: a size of 1 GB in digits",
        "A chunk whose size has no end",
        r"^(TransientError|RefusedError|SlowError): ",
        _endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", lambda: b"0" * (1 << 20), 1024),
        config={**QUICK, "request_timeout": 5},
        wired=True,
        seconds=12,
        memory=250,
    ),
    Case(
        "chunk: a negative size",
        "A chunk of -5 bytes",
        r"^(TransientError|UnreadableError): ",
        _raw(OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nxxxxx\r\n"),
        config=QUICK,
        wired=True,
    ),
    Case(
        "chunk: trailers for ever",
        "After the last chunk, lines without an end",
        r"^(SlowError|TransientError): ",
        _endless(
            OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n",
            lambda: b"X: y\r\n" * 10_000,
            1_000_000,
        ),
        config=SLOW,
        wired=True,
    ),
    Case(
        "slow: a body that drips",
        f"A byte every {DRIP} s, request_timeout 1 s",
        TOO_SLOW,
        _dripping(OK + b"Content-Length: 1000\r\n\r\n", b" "),
        config=SLOW,
        wired=True,
        seconds=3,
    ),
    Case(
        "slow: chunks that drip",
        f"A chunk of a byte every {DRIP} s",
        TOO_SLOW,
        _dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        config=SLOW,
        wired=True,
        seconds=3,
    ),
    Case(
        "slow: a chunk that drips",
        f"A chunk's size, then a byte every {DRIP} s",
        TOO_SLOW,
        _dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
        config=SLOW,
        wired=True,
        seconds=3,
    ),
    Case(
        "slow: a head that drips",
        f"A header's byte every {DRIP} s",
        TOO_SLOW,
        _dripping(OK + b"X: ", b"y"),
        config=SLOW,
        wired=True,
        seconds=3,
    ),
    Case(
        "slow: headers that drip",
        f"A header every {DRIP} s",
        TOO_SLOW,
        _dripping(OK, b"X: y\r\n", 99),
        config=SLOW,
        wired=True,
        seconds=3,
    ),
    Case(
        "slow: a token that drips",
        f"The token's answer, a byte every {DRIP} s",
        r"^TapError: .*sent no complete response",
        grant=_dripping(OK + b"Content-Length: 1000\r\n\r\n", b" "),
        config=SLOW,
        wired=True,
        seconds=3,
    ),
    Case("slow: silence", "No answer at all", TOO_SLOW, _silent, config=SLOW, wired=True, seconds=3),
)
