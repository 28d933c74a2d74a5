"""Network faults, over real sockets on this machine."""

from __future__ import annotations

import socket
import threading
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from tests.adversarial.listening import AUTHORITY, listening, listening_with_tls
from tests.adversarial.server import Server, issue_token, one_row
from tests.messages.command import CONFIG, Ended, run, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.adversarial.server import Request

BEHIND_PROXY = "https://gateway.example.invalid"
_PASSWORD = "pr0xy-passw0rd"
Setup: TypeAlias = AbstractContextManager[tuple[str, dict[str, str]]]
"""Gives ``base_url`` and environment variables."""


@dataclass(frozen=True)
class NetworkCase:
    """A network fault.

    Attributes:
        what: What is wrong, in a few words.
        setup: Sets the fault up.
        settings: Further settings.
    """

    what: str
    setup: Callable[[], Setup]
    settings: Mapping[str, Any]

    def run(self, folder: Path) -> Ended:
        """Run the command against the fault."""
        with self.setup() as (base_url, variables):
            where = {"base_url": base_url, "api": "group_tree"} if base_url else {}
            one_hour = {"end_date": "2026-01-01T01:00:00Z", "max_retries": 0, "request_timeout": 10}
            config = {**CONFIG, **one_hour, **where, **self.settings}
            ended = run(folder, "--config", write(folder, config), variables=variables)
        assert _PASSWORD not in ended.errors
        return ended


@contextmanager
def _at(base_url: str, **variables: str) -> Iterator[tuple[str, dict[str, str]]]:
    yield base_url, variables


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def _full_backlog() -> Iterator[tuple[str, dict[str, str]]]:
    """A port whose queue of connections is full, so that further ones get no answer."""
    with socket.socket() as listener, ExitStack() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            connection = waiting.enter_context(socket.socket())
            connection.setblocking(False)  # noqa: FBT003
            with suppress(BlockingIOError):
                connection.connect(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", {}


def _says(reply: bytes, *, until: bytes = b"\r\n\r\n") -> Callable[[socket.socket], None]:
    """Handles a connection: reads the head of the request, replies and closes."""

    def handle(connection: socket.socket) -> None:
        head = b""
        with connection, suppress(OSError):
            while until not in head and (piece := connection.recv(4096)):
                head += piece
            connection.sendall(reply)

    return handle


@contextmanager
def _plain(reply: bytes) -> Iterator[tuple[str, dict[str, str]]]:
    with listening(_says(reply)) as port:
        yield f"http://127.0.0.1:{port}", {}


@contextmanager
def _api(wire: Callable[[threading.Event], Iterator[bytes]]) -> Iterator[tuple[str, dict[str, str]]]:
    """A server that issues a token, and whose API puts bytes on the wire."""
    over = threading.Event()

    def api(_: Request) -> Iterator[bytes]:
        return wire(over)

    with Server(api, issue_token).listening() as origin:
        yield origin, {}
        over.set()


def _cut_off(_: threading.Event) -> Iterator[bytes]:
    yield b'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{"entities": ['


def _cut_chunk(_: threading.Event) -> Iterator[bytes]:
    yield b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n{"entities": ['


def _never(over: threading.Event) -> Iterator[bytes]:
    over.wait(20)
    yield b""


def _stalling(over: threading.Event) -> Iterator[bytes]:
    yield b'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{"entities": ['
    over.wait(20)


def _broken_gzip(_: threading.Event) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip."


@contextmanager
def _tls(scheme: str, host: str, **variables: str) -> Iterator[tuple[str, dict[str, str]]]:
    with listening_with_tls(Server(one_row)) as port:
        yield f"{scheme}://{host}:{port}", variables


@contextmanager
def _tls_to(handle: Callable[[socket.socket], None]) -> Iterator[tuple[str, dict[str, str]]]:
    with listening(handle) as port:
        yield f"https://127.0.0.1:{port}", {}


@contextmanager
def _proxy(reply: bytes | None = None, scheme: str = "http") -> Iterator[tuple[str, dict[str, str]]]:
    """A proxy with one reply; without one, nothing listens there."""
    with ExitStack() as stack:
        until = b"" if scheme == "https" else b"\r\n\r\n"
        handle = _says(reply or b"", until=until)
        port = _free_port() if reply is None else stack.enter_context(listening(handle))
        yield BEHIND_PROXY, {"HTTPS_PROXY": f"{scheme}://user:{_PASSWORD}@127.0.0.1:{port}"}


_HTTP_400 = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
CASES = tuple(
    NetworkCase(what, setup, settings)
    for what, setup, settings in (
        ("the host does not exist", lambda: _at("https://api.genesys.invalid"), {}),
        ("the region's domain is mistyped", lambda: _at(""), {"region": "mypurecloud.invalid"}),
        ("nothing listens at the port", lambda: _at(f"http://127.0.0.1:{_free_port()}"), {}),
        ("the connection is never accepted", _full_backlog, {"request_timeout": 0.5}),
        ("the server never answers", lambda: _api(_never), {"request_timeout": 0.5}),
        ("the server stops in the middle", lambda: _api(_stalling), {"request_timeout": 0.5}),
        ("the response is cut off", lambda: _api(_cut_off), {}),
        ("the response is cut off in a chunk", lambda: _api(_cut_chunk), {}),
        ("the response is not compressed as it says", lambda: _api(_broken_gzip), {}),
        ("the server closes the connection", lambda: _plain(b""), {}),
        ("the port is that of SSH", lambda: _plain(b"SSH-2.0-OpenSSH_9.6\r\n"), {}),
        ("`https://` on a port without TLS", lambda: _tls_to(_says(_HTTP_400, until=b"")), {}),
        ("`https://` on a port that hangs up", lambda: _tls_to(_says(b"", until=b"")), {}),
        ("`http://` on a port with TLS", lambda: _tls("http", "localhost"), {}),
        ("the certificate is of a private authority", lambda: _tls("https", "localhost"), {}),
        (
            "the certificate is for another name",
            lambda: _tls("https", "127.0.0.1", REQUESTS_CA_BUNDLE=AUTHORITY),
            {},
        ),
        (
            "`REQUESTS_CA_BUNDLE` names no file",
            lambda: _at("https://localhost:8443", REQUESTS_CA_BUNDLE="/nowhere.pem"),
            {},
        ),
        (
            "`REQUESTS_CA_BUNDLE` names a file that is not PEM",
            lambda: _tls("https", "localhost", REQUESTS_CA_BUNDLE="config.json"),
            {},
        ),
        ("nothing listens at the proxy's port", _proxy, {}),
        (
            "the proxy's host does not exist",
            lambda: _at(BEHIND_PROXY, HTTPS_PROXY=f"http://user:{_PASSWORD}@proxy.invalid:3128"),
            {},
        ),
        (
            "the proxy requires a user and a password",
            lambda: _proxy(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"),
            {},
        ),
        ("the proxy forbids the host", lambda: _proxy(b"HTTP/1.1 403 Forbidden\r\n\r\n"), {}),
        ("the proxy cannot reach the host", lambda: _proxy(b"HTTP/1.1 502 Bad Gateway\r\n\r\n"), {}),
        ("the proxy closes the connection", lambda: _proxy(b""), {}),
        ("the proxy's URL has `https://` instead of `http://`", lambda: _proxy(_HTTP_400, "https"), {}),
        (
            "the proxy's URL is none",
            lambda: _at(BEHIND_PROXY, HTTPS_PROXY=f"ftp://user:{_PASSWORD}@proxy.invalid"),
            {},
        ),
    )
)
