"""A scripted server that replies byte by byte, over real sockets or in the same process."""

from __future__ import annotations

import contextlib
import io
import json
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3.response import HTTPResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import PreparedRequest, Response

IDLE_TIMEOUT = 20.0
"""Seconds after which an idle connection is closed."""
TOKEN = "T0k3n.of-the_server~0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the server received it.

    Attributes:
        number: Its number, from 1, among the API requests or among the token requests.
        origin: The server's own scheme, host and port.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: str
    number: int
    origin: str

    @property
    def is_token_request(self) -> bool:
        """Whether this asks for a token."""
        return self.target.endswith("/oauth/token")

    @property
    def authorization(self) -> str:
        """The Authorization header."""
        return self.headers.get("authorization", "")


@dataclass(frozen=True, slots=True)
class Reply:
    """A well-formed HTTP response."""

    body: bytes = b"{}"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    reason: str = "Said"

    def wire(self) -> Iterator[bytes]:
        """The response as bytes."""
        lines = [
            f"HTTP/1.1 {self.status} {self.reason}",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        lines += [f"Content-Length: {len(self.body)}", "Connection: close", "", ""]
        yield "\r\n".join(lines).encode("latin-1", "replace")
        yield self.body


Responder = Callable[[Request], "Reply | Iterable[bytes]"]
"""What a server does: reply, or put raw bytes on the wire, as slowly as the iterator yields them."""


def issue_token(_: Request) -> Reply:
    """A valid token."""
    return Reply(json.dumps({"access_token": TOKEN, "expires_in": 3600}).encode())


def page(*entities: object, following: str | None = None) -> bytes:
    """A page of the group-tree API."""
    return json.dumps({"entities": entities, "links": {"next": following}}).encode()


def entity(value: object = 1, name: object = "q1", day: str = "2023-11-01") -> dict[str, object]:
    """One queue on one day, as an entity of the group-tree API."""
    metrics = {"conversationCount": {"value": value}}
    return {"id": name, "groups": [{"id": f"{day}T00:00:00.000Z", "metrics": metrics}]}


def one_row(_: Request) -> Reply:
    """A valid page with one row."""
    return Reply(page(entity()))


ONE_ROW = r'^1 rows .*"routing_queue_id": "q1", .*"conversation_count": 1'


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that a hostile server does, and how the run must end.

    Attributes:
        name: A short, unique name.
        behavior: What the server does, in a few words.
        expected: A pattern of the outcome: ``1 rows [...]``, or an error's class and message.
        api: Replies to API requests.
        token: Replies to token requests.
        config: Settings that this case needs.
        over_socket: Whether the case needs a real socket.
        full_run_only: Whether the tests skip it and only ``./run hostile`` runs it.
        max_seconds: How long the run may take.
        max_mib: How much resident memory the run may use, Python and all imports included.
    """

    name: str
    behavior: str
    expected: str
    api: Responder = one_row
    token: Responder = issue_token
    config: Mapping[str, object] = field(default_factory=dict)
    over_socket: bool = False
    full_run_only: bool = False
    max_seconds: float = 5
    max_mib: float = 150

    def matches(self, summary: str) -> bool:
        """Whether a run ended as expected."""
        return re.search(self.expected, summary) is not None


@dataclass
class Server:
    """Answers token and API requests, and records them."""

    api: Responder
    token: Responder = issue_token
    requests: list[Request] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def respond(
        self, method: str, target: str, headers: dict[str, str], body: str, origin: str
    ) -> Reply | Iterable[bytes]:
        """Record the request and run its script."""
        with self._lock:
            wants_token = target.endswith("/oauth/token")
            number = 1 + sum(each.is_token_request == wants_token for each in self.requests)
            request = Request(method, target, headers, body, number, origin)
            self.requests.append(request)
        return (self.token if wants_token else self.api)(request)

    @contextmanager
    def listening(self, host: str = "127.0.0.1") -> Iterator[str]:
        """Listen on a free port; yields the server's origin."""
        with socket.create_server((host, 0), backlog=64) as listener:
            origin = f"http://{host}:{listener.getsockname()[1]}"
            threading.Thread(target=self._accept, args=(listener, origin), daemon=True).start()
            try:
                yield origin
            finally:
                with contextlib.suppress(OSError):  # wakes the accepting thread
                    listener.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket, origin: str) -> None:
        """Accept connections until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=self.handle, args=(connection, origin), daemon=True).start()

    def handle(self, connection: socket.socket, origin: str) -> None:
        """Serve one request; a client that disconnects is not an error."""
        connection.settimeout(IDLE_TIMEOUT)
        with connection, contextlib.suppress(OSError), connection.makefile("rb") as stream:
            line = stream.readline().decode("latin-1").split(" ")
            if len(line) < 2:
                return
            headers: dict[str, str] = {}
            while (header := stream.readline().decode("latin-1").strip()) and ":" in header:
                name, _, value = header.partition(":")
                headers[name.lower()] = value.strip()
            body = stream.read(int(headers.get("content-length", "0"))).decode()
            reply = self.respond(line[0], line[1], headers, body, origin)
            for piece in reply.wire() if isinstance(reply, Reply) else reply:
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
            stream.read(1)  # the client closes the connection once it has read everything


class InProcessAdapter(HTTPAdapter):
    """Passes requests to a server without a socket; works for well-formed replies only."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server

    @override
    def send(self, request: PreparedRequest, *_: object, **__: object) -> Response:
        url = urlsplit(request.url or "")
        body = request.body or b""
        reply = self._server.respond(
            request.method or "",
            request.path_url,
            {name.lower(): str(value) for name, value in request.headers.items()},
            body if isinstance(body, str) else bytes(body).decode(),
            f"{url.scheme}://{url.netloc}",
        )
        assert isinstance(reply, Reply), "this case needs a socket"
        raw = HTTPResponse(
            body=io.BytesIO(reply.body),
            headers=dict(reply.headers),
            status=reply.status,
            preload_content=False,
            request_method=request.method,
        )
        return self.build_response(request, raw)
