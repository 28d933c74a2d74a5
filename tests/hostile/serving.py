"""A server that does whatever a case says, byte by byte, over real sockets or in one process."""

from __future__ import annotations

import contextlib
import io
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
    from requests import PreparedRequest, Response

PATIENCE = 20.0
"""Seconds after which a connection that does nothing is given up."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came.

    Attributes:
        number: The how many'th of those for data, or of those for a token.
        origin: The server's own scheme, host and port.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: str
    number: int
    origin: str

    @property
    def is_grant(self) -> bool:
        """Whether a token is asked for."""
        return self.target.endswith("/oauth/token")

    @property
    def authorization(self) -> str:
        """The header of that name."""
        return self.headers.get("authorization", "")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that HTTP has a form for."""

    body: bytes = b"{}"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    reason: str = "Said"

    def wire(self) -> Iterator[bytes]:
        """The bytes of it."""
        lines = [
            f"HTTP/1.1 {self.status} {self.reason}",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        lines += [f"Content-Length: {len(self.body)}", "Connection: close", "", ""]
        yield "\r\n".join(lines).encode("latin-1", "replace")
        yield self.body


Answer = Callable[[Asked], "Reply | Iterable[bytes]"]
"""What a server does: an answer, or bytes as they go over the wire, slowly where the iterator is slow."""


@dataclass
class Server:
    """Answers requests for tokens and for data, and remembers them."""

    data: Answer
    grant: Answer
    seen: list[Asked] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(
        self, method: str, target: str, headers: dict[str, str], body: str, origin: str
    ) -> Reply | Iterable[bytes]:
        """Do what the case says."""
        with self._lock:
            grant = target.endswith("/oauth/token")
            number = 1 + sum(each.is_grant == grant for each in self.seen)
            asked = Asked(method, target, headers, body, number, origin)
            self.seen.append(asked)
        return (self.grant if grant else self.data)(asked)

    @contextmanager
    def listening(self, host: str = "127.0.0.1") -> Iterator[str]:
        """Serve on a port of its own; its origin."""
        with socket.create_server((host, 0), backlog=64) as listener:
            origin = f"http://{host}:{listener.getsockname()[1]}"
            threading.Thread(target=self._accept, args=(listener, origin), daemon=True).start()
            try:
                yield origin
            finally:
                with contextlib.suppress(OSError):  # wakes the thread that accepts
                    listener.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket, origin: str) -> None:
        """Take connections until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=self.speak, args=(connection, origin), daemon=True).start()

    def speak(self, connection: socket.socket, origin: str) -> None:
        """One request and its answer; that the other side has gone is no error."""
        connection.settimeout(PATIENCE)
        with connection, contextlib.suppress(OSError), connection.makefile("rb") as stream:
            line = stream.readline().decode("latin-1").split(" ")
            if len(line) < 2:
                return
            headers: dict[str, str] = {}
            while (header := stream.readline().decode("latin-1").strip()) and ":" in header:
                name, _, value = header.partition(":")
                headers[name.lower()] = value.strip()
            body = stream.read(int(headers.get("content-length", "0"))).decode()
            answer = self.answer(line[0], line[1], headers, body, origin)
            for piece in answer.wire() if isinstance(answer, Reply) else answer:
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
            stream.read(1)  # the other side closes when it has read all


class Adapter(HTTPAdapter):
    """Asks a server without a socket: for answers that HTTP has a form for."""

    def __init__(self, server: Server) -> None:
        """Ask this server."""
        super().__init__()
        self._server = server

    @override
    def send(self, request: PreparedRequest, *_: object, **__: object) -> Response:
        url = urlsplit(request.url or "")
        body = request.body or b""
        answer = self._server.answer(
            request.method or "",
            request.path_url,
            {name.lower(): str(value) for name, value in request.headers.items()},
            body if isinstance(body, str) else bytes(body).decode(),
            f"{url.scheme}://{url.netloc}",
        )
        assert isinstance(answer, Reply), "this case wants a socket"
        raw = HTTPResponse(
            body=io.BytesIO(answer.body),
            headers=dict(answer.headers),
            status=answer.status,
            preload_content=False,
            request_method=request.method,
        )
        return self.build_response(request, raw)
