"""Servers that send back what they were sent, wherever a run might show it."""

from __future__ import annotations

import base64
import html
import json
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.hostile.case import leaf, page
from tests.hostile.running import SECRET
from tests.hostile.serving import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.hostile.serving import Answer, Asked

_INTERVAL = "2023-11-01T00:00:00.000Z/2023-11-02T00:00:00.000Z"
_STATUSES = (400, 401, 403, 413, 429, 500, 504)


def _message(text: str, status: int = 400) -> Reply:
    return Reply(json.dumps({"message": text, "code": "x"}).encode(), status)


def _results(**changes: object) -> Reply:
    bucket = {"interval": _INTERVAL, "metrics": [{"metric": "nOffered", "stats": {"count": 1}}], **changes}
    return Reply(json.dumps({"results": [{"group": {"queueId": "q"}, "data": [bucket]}]}).encode())


def _raw(head: str) -> Iterable[bytes]:
    return [head.encode("utf-8", "replace"), b"\r\n\r\n{}"]


OF_A_MESSAGE: dict[str, Callable[[str], Reply | Iterable[bytes]]] = {
    **{f"a message with {status}": partial(_message, status=status) for status in _STATUSES},
    "a code": lambda text: Reply(json.dumps({"code": text}).encode(), 400),
    "an error": lambda text: Reply(json.dumps({"error": text, "error_description": text}).encode(), 400),
    "a message cut by us": lambda text: _message("x" * 280 + text),
    "a message cut by them": lambda text: _message(text[:-3]),
    "the end of it": lambda text: _message("..." + text[5:]),
    "in capitals": lambda text: _message(text.upper()),
    "quoted for a URL": lambda text: _message(quote(text, safe="")),
    "quoted for a page": lambda text: _message(html.escape(text)),
    "in base64": lambda text: _message(base64.b64encode(text.encode()).decode()),
    "in base64, beside others": lambda text: _message(base64.b64encode(f"ab{text}cd".encode()).decode()),
    "with escapes": lambda text: Reply(
        ('{"message": "' + "".join(f"\\u{ord(each):04x}" for each in text) + '"}').encode(), 400
    ),
    "a page": lambda text: Reply(f"<html>{text}</html>".encode(), 502),
    "a correlation id": lambda text: Reply(b"{}", 400, (("ININ-Correlation-Id", text),)),
    "a wait": lambda text: Reply(b"{}", 429, (("Retry-After", text),)),
    "a reason": lambda text: Reply(b"{}", 400, reason=text),
    "a status": lambda text: _raw(f"HTTP/1.1 {text} OK"),
    "a line that is no header": lambda text: _raw(
        f"HTTP/1.1 400 No\r\nX: y\r\n {text}\r\n{text} {text}\r\nZ: z"
    ),
    "an encoding": lambda text: Reply(b"{}", 200, (("Content-Encoding", text),)),
    "a length": lambda text: _raw(f"HTTP/1.1 200 OK\r\nContent-Length: {text}"),
    "the size of a chunk": lambda text: [
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{text}\r\n{{}}\r\n".encode()
    ],
    "a redirect": lambda text: Reply(b"", 302, (("Location", f"https://{text}.invalid/{text}"),)),
    "an answer that is an error": lambda text: _message(text, 200),
    "no JSON": lambda text: Reply(text.encode()),
}
"""What the token's host may do with the secret as well as the API's with the token."""

OF_DATA: dict[str, Callable[[str], Reply]] = {
    "the host of a link": lambda text: Reply(page(following=f"http://{text}.invalid/")),
    "the user of a link": lambda text: Reply(page(following=f"http://{text}@evil.invalid/")),
    "the query of a link": lambda text: Reply(page(following=f"?token={text}")),
    "the scheme of a link": lambda text: Reply(page(following=f"{text}://x/")),
    "an id of two rows": lambda text: Reply(page(leaf(name=text), leaf(name=text))),
    "an id with NUL": lambda text: Reply(page(leaf(name=f"{text}\0"))),
    "a metric": lambda text: Reply(page({"metrics": {text: {"value": 1}}})),
    "a number": lambda text: Reply(page(leaf(text))),
}
OF_RESULTS: dict[str, Callable[[str], Reply]] = {
    "a metric": lambda text: _results(metrics=[{"metric": text}]),
    "a statistic": lambda text: _results(metrics=[{"metric": "nOffered", "stats": {text: 1}}]),
    "a qualifier": lambda text: _results(metrics=[{"metric": "nOffered", "qualifier": text}]),
    "an interval": lambda text: _results(interval=text),
    "a dimension": lambda text: Reply(json.dumps({"results": [{"group": {text: "x"}}]}).encode()),
}


def _job(at: int, echo: Callable[[str], Reply]) -> Answer:
    """A job that is submitted, looked at and read; the step of this number echoes."""

    def data(asked: Asked) -> Reply:
        steps = (b'{"jobId": "j"}', b'{"state": "FULFILLED"}', b'{"results": []}')
        step = 0 if asked.method == "POST" else 2 if "/results" in asked.target else 1
        return echo(asked.authorization.removeprefix("Bearer ")) if step == at else Reply(steps[step])

    return data


OF_JOBS: dict[str, Answer] = {
    "the id of a job": _job(0, lambda text: Reply(json.dumps({"jobId": f"/{text}"}).encode())),
    "a job's place": _job(0, lambda text: Reply(json.dumps({"jobId": text}).encode())),
    "the state of a job": _job(1, lambda text: Reply(json.dumps({"state": text}).encode())),
    "why a job failed": _job(
        1, lambda text: Reply(json.dumps({"state": "FAILED", "errorMessage": text}).encode())
    ),
}


def of_token(echo: Callable[[str], Reply | Iterable[bytes]]) -> Answer:
    """Echoes the token."""
    return lambda asked: echo(asked.authorization.removeprefix("Bearer "))


def of_secret(echo: Callable[[str], Reply | Iterable[bytes]]) -> Answer:
    """Echoes the secret as it was sent, and as it is."""

    def grant(asked: Asked) -> Reply | Iterable[bytes]:
        sent = asked.authorization.removeprefix("Basic ")
        assert SECRET in base64.b64decode(sent).decode()
        return echo(sent if asked.number % 2 else SECRET)

    return grant
