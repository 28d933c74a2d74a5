"""Finds secrets in text, and servers that send them back wherever a run might print them."""

from __future__ import annotations

import base64
import html
import json
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, unquote

from tests.adversarial.server import TOKEN, Reply, entity, issue_token, one_row, page
from tests.adversarial.tap_run import CLIENT, JOBS_QUERY, SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.adversarial.server import Request, Responder

_SHORTEST = 8
_INTERVAL = "2023-11-01T00:00:00.000Z/2023-11-02T00:00:00.000Z"
_STATUSES = (400, 401, 403, 413, 429, 500, 504)


def _forms() -> list[str]:
    """Every form of the secrets; written independently of the tap's own list, which it verifies."""
    basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
    alone = base64.b64encode(SECRET.encode()).decode().rstrip("=")[:-1]
    forms = [basic, alone]
    for each in (SECRET, TOKEN):
        forms += [
            each,
            quote(each, safe=""),
            quote(each),
            quote_plus(each),
            json.dumps(each)[1:-1],
            repr(each)[1:-1],
        ]
        forms += [each.encode().decode("latin-1"), each.encode().hex()]
    return forms


# The client id is not a secret, and neither is its base64 form.
_PUBLIC = base64.b64encode(CLIENT.encode()).decode()[: len(CLIENT) * 4 // 3]
_PIECES = {
    form[start : start + _SHORTEST].lower()
    for form in _forms()
    for start in range(len(form) - _SHORTEST + 1)
    if form[start : start + _SHORTEST] not in _PUBLIC
}


def leaked(text: str) -> list[str]:
    """Every eight characters of a secret in a text, as it is or URL-decoded."""
    texts = [each.lower() for each in (text, unquote(text))]
    pieces = {each[start : start + _SHORTEST] for each in texts for start in range(len(each) - _SHORTEST + 1)}
    return sorted(pieces & _PIECES)


def _message(text: str, status: int = 400) -> Reply:
    return Reply(json.dumps({"message": text, "code": "x"}).encode(), status)


def _results(**changes: object) -> Reply:
    bucket = {"interval": _INTERVAL, "metrics": [{"metric": "nOffered", "stats": {"count": 1}}], **changes}
    return Reply(json.dumps({"results": [{"group": {"queueId": "q"}, "data": [bucket]}]}).encode())


def _raw(head: str) -> Iterable[bytes]:
    return [head.encode("utf-8", "replace"), b"\r\n\r\n{}"]


MESSAGE_ECHOES: dict[str, Callable[[str], Reply | Iterable[bytes]]] = {
    **{f"a message with {status}": partial(_message, status=status) for status in _STATUSES},
    "a code": lambda text: Reply(json.dumps({"code": text}).encode(), 400),
    "an error": lambda text: Reply(json.dumps({"error": text, "error_description": text}).encode(), 400),
    "a message that the tap cuts": lambda text: _message("x" * 280 + text),
    "a message that the server cuts": lambda text: _message(text[:-3]),
    "the end of it": lambda text: _message("..." + text[5:]),
    "in capitals": lambda text: _message(text.upper()),
    "quoted for a URL": lambda text: _message(quote(text, safe="")),
    "escaped for HTML": lambda text: _message(html.escape(text)),
    "in base64": lambda text: _message(base64.b64encode(text.encode()).decode()),
    "in base64, between other text": lambda text: _message(base64.b64encode(f"ab{text}cd".encode()).decode()),
    "with JSON escapes": lambda text: Reply(
        ('{"message": "' + "".join(f"\\u{ord(each):04x}" for each in text) + '"}').encode(), 400
    ),
    "an HTML page": lambda text: Reply(f"<html>{text}</html>".encode(), 502),
    "a correlation id": lambda text: Reply(b"{}", 400, (("ININ-Correlation-Id", text),)),
    "a Retry-After header": lambda text: Reply(b"{}", 429, (("Retry-After", text),)),
    "a reason phrase": lambda text: Reply(b"{}", 400, reason=text),
    "a status": lambda text: _raw(f"HTTP/1.1 {text} OK"),
    "a line that is not a header": lambda text: _raw(
        f"HTTP/1.1 400 No\r\nX: y\r\n {text}\r\n{text} {text}\r\nZ: z"
    ),
    "a content encoding": lambda text: Reply(b"{}", 200, (("Content-Encoding", text),)),
    "a content length": lambda text: _raw(f"HTTP/1.1 200 OK\r\nContent-Length: {text}"),
    "the size of a chunk": lambda text: [
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{text}\r\n{{}}\r\n".encode()
    ],
    "a redirect": lambda text: Reply(b"", 302, (("Location", f"https://{text}.invalid/{text}"),)),
    "an error with status 200": lambda text: _message(text, 200),
    "a body that is not JSON": lambda text: Reply(text.encode()),
}
"""Ways to send back the secret, for the token host, or the token, for the API host."""

_TREE_ECHOES: dict[str, Callable[[str], Reply]] = {
    "the host of a link": lambda text: Reply(page(following=f"http://{text}.invalid/")),
    "the user of a link": lambda text: Reply(page(following=f"http://{text}@evil.invalid/")),
    "the query of a link": lambda text: Reply(page(following=f"?token={text}")),
    "the scheme of a link": lambda text: Reply(page(following=f"{text}://x/")),
    "the id of two rows": lambda text: Reply(page(entity(1, name=text), entity(2, name=text))),
    "an id with NUL": lambda text: Reply(page(entity(name=f"{text}\0"))),
    "a metric": lambda text: Reply(page({"metrics": {text: {"value": 1}}})),
    "a number": lambda text: Reply(page(entity(text))),
}
_RESULTS_ECHOES: dict[str, Callable[[str], Reply]] = {
    "a metric": lambda text: _results(metrics=[{"metric": text}]),
    "a statistic": lambda text: _results(metrics=[{"metric": "nOffered", "stats": {text: 1}}]),
    "a qualifier": lambda text: _results(metrics=[{"metric": "nOffered", "qualifier": text}]),
    "an interval": lambda text: _results(interval=text),
    "a dimension": lambda text: Reply(json.dumps({"results": [{"group": {text: "x"}}]}).encode()),
}


def _job(echo_step: int, echo: Callable[[str], Reply]) -> Responder:
    """A job that is submitted (step 0), polled (1) and read (2); one of the steps sends the token back."""

    def api(request: Request) -> Reply:
        steps = (b'{"jobId": "j"}', b'{"state": "FULFILLED"}', b'{"results": []}')
        step = 0 if request.method == "POST" else 2 if "/results" in request.target else 1
        if step != echo_step:
            return Reply(steps[step])
        return echo(request.authorization.removeprefix("Bearer "))

    return api


_JOB_ECHOES: dict[str, Responder] = {
    "an invalid job id": _job(0, lambda text: Reply(json.dumps({"jobId": f"/{text}"}).encode())),
    "a job id": _job(0, lambda text: Reply(json.dumps({"jobId": text}).encode())),
    "the state of a job": _job(1, lambda text: Reply(json.dumps({"state": text}).encode())),
    "the error of a job": _job(
        1, lambda text: Reply(json.dumps({"state": "FAILED", "errorMessage": text}).encode())
    ),
}


def token_echo(echo: Callable[[str], Reply | Iterable[bytes]]) -> Responder:
    """Sends the token back."""
    return lambda request: echo(request.authorization.removeprefix("Bearer "))


def _secret_echo(echo: Callable[[str], Reply | Iterable[bytes]]) -> Responder:
    """Sends the secret back, by turns in the form received and in plain text."""

    def respond(request: Request) -> Reply | Iterable[bytes]:
        received = request.authorization.removeprefix("Basic ")
        assert SECRET in base64.b64decode(received).decode()
        return echo(received if request.number % 2 else SECRET)

    return respond


ECHOES: dict[str, tuple[Responder, Responder, dict[str, object]]] = {
    **{f"token: {name}": (token_echo(echo), issue_token, {}) for name, echo in MESSAGE_ECHOES.items()},
    **{f"secret: {name}": (one_row, _secret_echo(echo), {}) for name, echo in MESSAGE_ECHOES.items()},
    **{f"tree: {name}": (token_echo(echo), issue_token, {}) for name, echo in _TREE_ECHOES.items()},
    **{
        f"results: {name}": (token_echo(echo), issue_token, {"api": "results"})
        for name, echo in _RESULTS_ECHOES.items()
    },
    **{
        f"jobs: {name}": (api, issue_token, {"api": "results", "queries": [JOBS_QUERY]})
        for name, api in _JOB_ECHOES.items()
    },
}
"""Every echo: how the API replies, how the token host replies, and the settings to run with."""
HARMLESS_ECHOES = {
    "token: a content encoding",
    "secret: a content encoding",
    "jobs: a job id",
    "token: a content length",
}
"""Echoes that do not make the run fail."""
