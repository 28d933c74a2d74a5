"""Tokens, waits, status lines, headers, chunks and slowness that HTTP allows, or does not."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from tests.adversarial.server import ONE_ROW, Case, Reply, Request, entity, issue_token, one_row, page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.adversarial.server import Responder

_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
_DRIP = 0.2
_QUICK = {"max_retries": 1}
_SLOW = {"request_timeout": 1, "max_retries": 0}
_TOO_SLOW = r"^SlowError: .*sent no complete response"
_CUT = r"^(TransientError|SlowError|TapError): .*sent no complete response"


def _first(reply: Reply) -> Responder:
    """This reply first, then a valid one."""
    return lambda request: reply if request.number == 1 else one_row(request)


def _token(token: object, lifetime: object = 3600) -> Responder:
    return lambda _: Reply(json.dumps({"access_token": token, "expires_in": lifetime}).encode())


def _raw(*pieces: bytes) -> Responder:
    return lambda _: pieces


def _drip(head: bytes, drop: bytes, times: int = 100) -> Responder:
    """One piece at a time: each comes in time, all of them together do not."""

    def respond(_: Request) -> Iterator[bytes]:
        yield head
        for _drop in range(times):
            time.sleep(_DRIP)
            yield drop

    return respond


def _silence(_: Request) -> Iterator[bytes]:
    time.sleep(4)
    yield b""


def _endless(head: bytes, piece: Callable[[], bytes], times: int) -> Responder:
    def respond(_: Request) -> Iterator[bytes]:
        yield head
        for _piece in range(times):
            yield piece()

    return respond


def _cookies(request: Request) -> Reply:
    """Sets 90 cookies on each of four pages, and refuses a request that sends one back."""
    if request.number < 5:
        cookies = tuple(("Set-Cookie", f"c{number}=x") for number in range(90))
        return Reply(page(following=f"?p={request.number}"), headers=cookies)
    return Reply(status=400) if "cookie" in request.headers else one_row(request)


_WAITS = {
    "a year": "31536000",
    "a date in a year": "Wed, 20 Nov 2024 00:00:00 GMT",
    "the year 9999": "Fri, 31 Dec 9999 23:59:59 GMT",
    "negative": "-5",
    "nonsense": "soon",
    "400 digits": "9" * 400,
    "a date long past": "Mon, 20 Nov 2000 00:00:00 GMT",
    "NaN": "nan",
    "empty": "",
}
_TOKENS = {
    "a megabyte": "x" * (1 << 20),
    "line breaks": "t\r\nX-Injected: 1",
    "a NUL": "t\0t",
    "a space": "t t",
    "an umlaut": "t\u00fct",
    "empty": "",
    "a number": 5,
    "null": None,
}
_LIFETIMES = {"negative": -1, "zero": 0, "1e308": 1e308, "a string": "3600", "true": True}
_BROKEN: dict[str, tuple[str, Responder]] = {
    "status: not a number": ("HTTP/1.1 abc", _raw(b"HTTP/1.1 abc OK\r\n\r\n{}")),
    "status: HTTP/0.9": ("A body without a status line or headers", _raw(b"{}")),
    "status: random bytes": ("Bytes that are not HTTP at all", _raw(bytes(range(256)) * 99)),
    "status: nothing": ("The connection is closed at once", _raw()),
    "status: a line of 1 MB": ("A status line of a megabyte", _raw(b"HTTP/1.1 200 " + b"x" * (1 << 20))),
    "headers: a line of 1 MB": (
        "A header of a megabyte",
        _raw(_OK + b"X: " + b"x" * (1 << 20) + b"\r\n\r\n{}"),
    ),
    "headers: 10,000 lines": ("10,000 headers", _raw(_OK + b"X: y\r\n" * 10_000 + b"\r\n{}")),
    "headers: without an end": (
        "Headers that never end",
        _endless(_OK, lambda: b"X: " + b"y" * 60_000 + b"\r\n", 100_000),
    ),
    "headers: a length of 10**18": (
        "Announces far more than it sends",
        _raw(_OK + b"Content-Length: 1000000000000000000\r\n\r\n" + page()),
    ),
}
_SLOW_REPLIES: dict[str, tuple[str, Responder]] = {
    "a body that drips": (
        f"A byte every {_DRIP} s, with a request_timeout of 1 s",
        _drip(_OK + b"Content-Length: 1000\r\n\r\n", b" "),
    ),
    "chunks that drip": (f"A chunk of one byte every {_DRIP} s", _drip(_CHUNKED, b"1\r\n \r\n")),
    "a chunk size that drips": (f"A digit of a chunk's size every {_DRIP} s", _drip(_CHUNKED, b"0")),
    "a header that drips": (f"A byte of a header every {_DRIP} s", _drip(_OK + b"X: ", b"y")),
    "headers that drip": (f"A header every {_DRIP} s", _drip(_OK, b"X: y\r\n", 99)),
    "silence": ("No response at all", _silence),
}
CASES = (
    *(
        Case(
            f"Retry-After: {name}",
            f"429 with Retry-After {text[:32]!r}",
            ONE_ROW,
            _first(Reply(status=429, headers=(("Retry-After", text),))),
        )
        for name, text in _WAITS.items()
    ),
    *(
        Case(
            f"token: {name}",
            f"The token is or contains {name}" if name != "empty" else "The token is empty",
            r"^NoTokenError: no token could be obtained: .*the token response .*token_url",
            token=_token(token),
            config=_QUICK,
        )
        for name, token in _TOKENS.items()
    ),
    *(
        Case(
            f"token lifetime: {name}",
            f"expires_in is {lifetime!r}",
            r"^NoTokenError: no token could be obtained: .*the token response"
            if name in {"a string", "true"}
            else ONE_ROW,
            token=_token("abc", lifetime),
            config=_QUICK,
        )
        for name, lifetime in _LIFETIMES.items()
    ),
    Case(
        "token lifetime: NaN",
        "expires_in is NaN",
        r"^NoTokenError: no token could be obtained: .*the token response",
        token=lambda _: Reply(b'{"access_token": "a", "expires_in": NaN}'),
        config=_QUICK,
    ),
    Case(
        "401 forever",
        "401 to every token",
        r"^TokenRefusedError: .*client_secret",
        lambda _: Reply(status=401),
    ),
    Case(
        "429 forever",
        "429 to every request",
        r"^TransientError: .*answered 429 .*requests_per_minute",
        lambda _: Reply(status=429, headers=(("Retry-After", "99999"),)),
    ),
    Case(
        "status: unknown",
        "599",
        r"^TransientError: .*answered 599",
        lambda _: Reply(status=599),
        config=_QUICK,
    ),
    Case(
        "status: 204", "204 without a body", r"^UnreadableError: ", lambda _: Reply(b"", 204), config=_QUICK
    ),
    Case(
        "status: terminal escapes",
        "400 with terminal escapes in its message",
        r"^BadRequestError: .*answered 400 .*red",
        lambda _: Reply(
            b'{"message": "\\u001b[31mred\\u0007\\n2nd line\\u2028"}',
            400,
            (("ININ-Correlation-Id", "\x1b[31m"),),
        ),
    ),
    Case(
        "well behaved",
        "Replies as it should, for comparison",
        ONE_ROW,
        one_row,
        issue_token,
    ),
    *(
        Case(name, behavior, _CUT, api, config=_QUICK, over_socket=True)
        for name, (behavior, api) in _BROKEN.items()
    ),
    Case(
        "headers: 100 Continue forever",
        "One interim response after another",
        r"^(SlowError|TransientError): ",
        _endless(b"", lambda: b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, 1_000_000),
        config=_SLOW,
        over_socket=True,
    ),
    Case(
        "headers: folded lines",
        "A header that continues on the next line",
        ONE_ROW,
        _raw(_OK + b"X: y\r\n  z\r\n\r\n" + page(entity())),
        over_socket=True,
    ),
    Case(
        "headers: a negative length",
        "Content-Length: -5",
        r"^0 rows",
        _raw(_OK + b"Content-Length: -5\r\n\r\n" + page()),
        config=_QUICK,
        over_socket=True,
    ),
    Case(
        "headers: two lengths",
        "Content-Length: 2 and 200",
        r"^TapError: .*could not be sent \(InvalidHeader\)",
        _raw(_OK + b"Content-Length: 2\r\nContent-Length: 200\r\n\r\n" + page()),
        config=_QUICK,
        over_socket=True,
    ),
    Case(
        "headers: cookies",
        "90 cookies with every page, none of which may be sent back",
        ONE_ROW,
        _cookies,
        over_socket=True,
    ),
    Case(
        "chunk: a size of 1 GB in digits",
        "A chunk whose size never ends",
        r"^(TransientError|RefusedError|SlowError): ",
        _endless(_CHUNKED, lambda: b"0" * (1 << 20), 1024),
        config={**_QUICK, "request_timeout": 5},
        over_socket=True,
        max_seconds=12,
        max_mib=250,
    ),
    Case(
        "chunk: a negative size",
        "A chunk of -5 bytes",
        r"^(TransientError|UnreadableError): ",
        _raw(_CHUNKED + b"-5\r\nxxxxx\r\n"),
        config=_QUICK,
        over_socket=True,
    ),
    Case(
        "chunk: trailers forever",
        "Trailers that never end after the last chunk",
        r"^(SlowError|TransientError): ",
        _endless(_CHUNKED + b"2\r\n{}\r\n0\r\n", lambda: b"X: y\r\n" * 10_000, 1_000_000),
        config=_SLOW,
        over_socket=True,
    ),
    *(
        Case(f"slow: {name}", behavior, _TOO_SLOW, api, config=_SLOW, over_socket=True, max_seconds=3)
        for name, (behavior, api) in _SLOW_REPLIES.items()
    ),
    Case(
        "slow: a token that drips",
        f"A byte of the token response every {_DRIP} s",
        r"^NoTokenError: no token could be obtained: .*sent no complete response",
        token=_drip(_OK + b"Content-Length: 1000\r\n\r\n", b" "),
        config=_SLOW,
        over_socket=True,
        max_seconds=3,
    ),
)
