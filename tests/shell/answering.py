"""A server in memory, under a session of requests: it answers from a list and remembers what it was sent."""

from __future__ import annotations

import gzip
import io
import json
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from typing_extensions import override
from urllib3 import HTTPResponse

from tap_genesys_aggregates.http.transport import Transport
from tap_genesys_aggregates.http.usage import Usage
from tests.shell.making import GATEWAY, Time, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

URL = f"{GATEWAY}/api/v2/analytics/conversations/aggregate/query"
TOKEN_HOST = "login.example.com"


@dataclass
class Answer:
    """An answer to give: ``body`` as it goes over the wire; ``error`` is raised in place of it.

    A body that ``stalls`` comes up to its first bytes, until the time-out.
    """

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    error: Exception | None = None
    stalls: bool = False


CUT = Answer(body=b'{"entities": [', headers={"Content-Length": "5000"})
"""The line went dead in the middle of the body."""
BAD_GZIP = Answer(body=gzip.compress(b"{}")[:-9] + b"xxxxxxxxx", headers={"Content-Encoding": "gzip"})
"""The body is compressed, and broken."""


class Stalling(io.BytesIO):
    """A body that begins and does not go on."""

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            raise TimeoutError
        return super().read(5)


class Server(BaseAdapter):
    """Answers from a list, the last of it for ever; gives tokens t1, t2, … unless told otherwise."""

    def __init__(self, *answers: Answer, tokens: tuple[Answer, ...] = ()) -> None:
        """Take the answers to give."""
        super().__init__()
        self.calls: list[requests.PreparedRequest] = []
        self.token_calls: list[requests.PreparedRequest] = []
        self.options: list[dict[str, object]] = []
        self._answers, self._tokens = deque(answers or (Answer(),)), deque(tokens)

    @property
    def authorizations(self) -> list[str]:
        """What the API requests carried, in order."""
        return [str(call.headers["Authorization"]) for call in self.calls]

    @override
    def send(self, request: requests.PreparedRequest, *_: object, **options: object) -> requests.Response:
        self.options.append(options)
        if urlsplit(request.url or "").path.endswith("/token"):
            self.token_calls.append(request.copy())
            body = json.dumps({"access_token": f"t{len(self.token_calls)}", "expires_in": 3600}).encode()
            return self._give(self._next(self._tokens) if self._tokens else Answer(body=body), request)
        self.calls.append(request.copy())
        return self._give(self._next(self._answers), request)

    @override
    def close(self) -> None:
        pass

    def _next(self, answers: deque[Answer]) -> Answer:
        """The next answer; the last one stays."""
        return answers.popleft() if len(answers) > 1 else answers[0]

    def _give(self, answer: Answer, request: requests.PreparedRequest) -> requests.Response:
        """The answer, as urllib3 would hand it up."""
        if answer.error is not None:
            raise answer.error
        raw = HTTPResponse(
            body=(Stalling if answer.stalls else io.BytesIO)(answer.body),
            headers=answer.headers,
            status=answer.status,
            preload_content=False,
            request_method=request.method,
        )
        return HTTPAdapter().build_response(request, raw)


@dataclass
class Scene:
    """A transport over a server in memory, with a clock of its own."""

    server: Server
    time: Time
    transport: Transport
    usage: Usage = field(default_factory=Usage)

    def fetch(
        self, read: Callable[[bytes], object] = json.loads, *, url: str = URL, divisible: bool = False
    ) -> object:
        """Send a request and read its answer."""
        prepared = requests.Request("POST", url, json={"pageNumber": 1}).prepare()
        return self.transport.fetch(prepared, read, usage=self.usage, divisible=divisible)


def scene(
    *answers: Answer, tokens: tuple[Answer, ...] = (), clock: Time | None = None, **config: object
) -> Scene:
    """A transport whose API gives these answers."""
    server, time = Server(*answers, tokens=tokens), clock or Time()

    def mount(session: requests.Session) -> None:
        for scheme in ("https://", "http://"):
            session.mount(scheme, server)

    where = {"base_url": GATEWAY, "token_url": f"https://{TOKEN_HOST}/oauth/token"}
    return Scene(server, time, Transport(settings(**{**where, **config}), time, mount))


TRANSIENT = {
    "408": Answer(408), "429": Answer(429), "500": Answer(500), "502": Answer(502), "503": Answer(503),
    "504": Answer(504),
    "connect time-out": Answer(error=requests.ConnectTimeout("s3cr3t")),
    "read time-out": Answer(error=requests.ReadTimeout("s3cr3t")),
    "no connection": Answer(error=requests.ConnectionError("s3cr3t")),
    "reset": Answer(error=requests.exceptions.ChunkedEncodingError("s3cr3t")),
    "cut body": CUT,
    "stalled body": Answer(body=b'{"entities": []}', stalls=True),
    "broken compression": BAD_GZIP,
}  # fmt: skip
