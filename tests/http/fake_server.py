"""A server in memory that gives prepared answers, a clock that never waits, and the config to reach both."""

from __future__ import annotations

import gzip
import io
import json
import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from typing_extensions import override
from urllib3 import HTTPResponse

from tap_genesys_aggregates.clock import ServerClock
from tap_genesys_aggregates.config.settings import Settings
from tap_genesys_aggregates.http.transport import Transport
from tap_genesys_aggregates.http.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

UTC = timezone.utc
SECRET = "the-secret-of-the-client"
REQUIRED: dict[str, object] = {
    "client_id": "the-client",
    "client_secret": SECRET,
    "start_date": "2023-11-01T00:00:00Z",
}
QUERY: dict[str, object] = {"name": "calls", "metrics": ["nOffered"]}
GATEWAY = "https://gateway.example.com"
TOKEN_HOST = "login.example.com"
URL = f"{GATEWAY}/api/v2/analytics/conversations/aggregate/query"


def config(**changes: object) -> dict[str, object]:
    """The required settings, with changes."""
    return {**REQUIRED, **changes}


def settings(**changes: object) -> Settings:
    return Settings.read(config(**changes))


def one_query(**changes: object) -> dict[str, object]:
    """A config with one query, with changes to the query."""
    return config(queries=[{**QUERY, **changes}])


class FakeClock:
    """A clock that moves only when someone sleeps on it, or advances it; safe for threads."""

    def __init__(self, now: datetime = datetime(2023, 11, 20, tzinfo=UTC)) -> None:
        self._start = now
        self._elapsed = 0.0
        self._lock = threading.Lock()
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            self._elapsed += seconds

    def advance(self, seconds: float) -> None:
        """Let time pass without anyone sleeping."""
        with self._lock:
            self._elapsed += seconds


@dataclass
class Answer:
    """A response to give: ``body`` as it goes over the wire; ``error`` is raised instead of it.

    A body that ``stalls`` stops after its first bytes, until the timeout.
    """

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    error: Exception | None = None
    stalls: bool = False


TRANSIENT = {
    "408": Answer(408), "429": Answer(429), "500": Answer(500), "502": Answer(502), "503": Answer(503),
    "504": Answer(504),
    "connect timeout": Answer(error=requests.ConnectTimeout("s3cr3t")),
    "read timeout": Answer(error=requests.ReadTimeout("s3cr3t")),
    "no connection": Answer(error=requests.ConnectionError("s3cr3t")),
    "reset": Answer(error=requests.exceptions.ChunkedEncodingError("s3cr3t")),
    "cut body": Answer(body=b'{"entities": [', headers={"Content-Length": "5000"}),
    "stalled body": Answer(body=b'{"entities": []}', stalls=True),
    "broken compression": Answer(
        body=gzip.compress(b"{}")[:-9] + b"xxxxxxxxx", headers={"Content-Encoding": "gzip"}
    ),
}  # fmt: skip
"""Failures that are worth a retry, by name."""


class _Stalling(io.BytesIO):
    """A body that starts and then stops."""

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            raise TimeoutError
        return super().read(5)


class FakeServer(BaseAdapter):
    """Gives the answers in order and repeats the last one; remembers every request.

    Tokens are t1, t2, … unless ``tokens`` says otherwise.
    """

    def __init__(self, *answers: Answer, tokens: tuple[Answer, ...] = ()) -> None:
        super().__init__()
        self.calls: list[requests.PreparedRequest] = []
        self.token_calls: list[requests.PreparedRequest] = []
        self.options: list[dict[str, object]] = []
        self._answers, self._tokens = deque(answers or (Answer(),)), deque(tokens)

    @property
    def authorizations(self) -> list[str]:
        """The ``Authorization`` header of each API request, in order."""
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
        return answers.popleft() if len(answers) > 1 else answers[0]

    def _give(self, answer: Answer, request: requests.PreparedRequest) -> requests.Response:
        """Build the response as urllib3 would."""
        if answer.error is not None:
            raise answer.error
        raw = HTTPResponse(
            body=(_Stalling if answer.stalls else io.BytesIO)(answer.body),
            headers=answer.headers,
            status=answer.status,
            preload_content=False,
            request_method=request.method,
        )
        return HTTPAdapter().build_response(request, raw)


@dataclass
class FakeApi:
    """A transport, the server behind it, and its clock."""

    server: FakeServer
    clock: FakeClock
    transport: Transport
    server_clock: ServerClock
    usage: Usage = field(default_factory=Usage)

    def fetch(
        self,
        read: Callable[[bytes], object] = json.loads,
        *,
        url: str = URL,
        divisible: bool = False,
        any_success: bool = False,
    ) -> object:
        """Send a request through the transport and read the response."""
        prepared = requests.Request("POST", url, json={"pageNumber": 1}).prepare()
        return self.transport.fetch(
            prepared, read, usage=self.usage, divisible=divisible, any_success=any_success
        )


def fake_api(
    *answers: Answer, tokens: tuple[Answer, ...] = (), clock: FakeClock | None = None, **changes: object
) -> FakeApi:
    """A transport to an API that gives these answers.

    Args:
        answers: For API requests.
        tokens: For token requests.
        clock: A clock of the test's own.
        changes: Settings to change.
    """
    server, clock = FakeServer(*answers, tokens=tokens), clock or FakeClock()

    def mount(session: requests.Session) -> None:
        for scheme in ("https://", "http://"):
            session.mount(scheme, server)

    hosts = {"base_url": GATEWAY, "token_url": f"https://{TOKEN_HOST}/oauth/token"}
    server_clock = ServerClock(clock)
    transport = Transport(settings(**{**hosts, **changes}), server_clock, mount)
    return FakeApi(server, clock, transport, server_clock)
