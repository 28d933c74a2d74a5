"""Serves a sandbox over real sockets on 127.0.0.1."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading
import time
import traceback
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from typing_extensions import override

from genesys_sandbox.http_messages import DRIP_SECONDS, Delivery, Request, Response

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from genesys_sandbox.sandbox import Sandbox

    _Accepted: TypeAlias = "socket.socket | tuple[bytes, socket.socket]"

_LINGER_ZERO = struct.pack("ii", 1, 0)
_DRIP_PIECES = 8
_RESETS = {Delivery.RESET_BEFORE, Delivery.RESET_AFTER_HEADERS, Delivery.RESET_MID_BODY}
# A reset discards data that the client has not read yet, so the data gets a head start.
_SECONDS_BEFORE_RESET = 0.03


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    _reset_next_time = False

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Write nothing: the sandbox has its own log."""

    def _serve(self) -> None:
        if self._reset_next_time:
            self._reset()
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        origin = f"http://{headers.get('host', '127.0.0.1')}"
        request = Request(self.command, self.path, headers, body, origin)
        try:
            response = self.server.sandbox.handle(request)
        except Exception:  # noqa: BLE001 - a bug in the sandbox must not leave the client waiting
            traceback.print_exc(file=sys.stderr)
            response = Response(500, {}, b"The sandbox failed")
        if response.delay:
            self.server.sandbox.sleep(response.delay)
        self._send(response)

    def _send(self, response: Response) -> None:
        head, body = self._head(response), response.body
        if response.delivery is Delivery.DRIP:
            self._drip(head + body)
            return
        sent = {
            Delivery.RESET_BEFORE: b"",
            Delivery.RESET_AFTER_HEADERS: head,
            Delivery.RESET_MID_BODY: head + body[: len(body) // 2],
        }.get(response.delivery, head + body)
        # One send for headers and body: with two, Nagle's algorithm would delay the second (40 ms).
        self.connection.sendall(sent)
        self._reset_next_time = response.delivery is Delivery.RESET_AFTER
        if response.delivery in _RESETS:
            time.sleep(_SECONDS_BEFORE_RESET if sent else 0)
            self._reset()

    def _head(self, response: Response) -> bytes:
        reason = HTTPStatus(response.status).phrase
        headers = {**response.headers, "Content-Length": str(len(response.body))}
        lines = [
            f"HTTP/1.1 {response.status} {reason}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _drip(self, combined_statistic: bytes) -> None:
        size = len(combined_statistic) // _DRIP_PIECES + 1
        for start in range(0, len(combined_statistic), size):
            self.connection.sendall(combined_statistic[start : start + size])
            self.server.sandbox.sleep(DRIP_SECONDS / _DRIP_PIECES)

    def _reset(self) -> None:
        """Close the connection with a reset instead of an orderly end."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self.connection.close()


class _Server(ThreadingHTTPServer):
    request_queue_size = 256

    def __init__(self, sandbox: Sandbox, port: int) -> None:
        self.sandbox = sandbox
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @override
    def process_request(self, request: _Accepted, client_address: object) -> None:
        """Serve each connection in its own thread, and remember both in order to end them."""
        connection = request if isinstance(request, socket.socket) else request[1]
        thread = threading.Thread(
            target=self.process_request_thread, args=(connection, client_address), daemon=True
        )
        with self._lock:
            self._connections = {
                known: connections
                for known, connections in self._connections.items()
                if connections.is_alive()
            }
            self._connections[connection] = thread
            thread.start()

    @override
    def handle_error(self, request: _Accepted, client_address: object) -> None:
        """Ignore clients that hang up; anything else is a bug in the sandbox."""
        if not isinstance(sys.exc_info()[1], OSError):
            traceback.print_exc(file=sys.stderr)

    def close_connections(self) -> None:
        """Close every connection that a client keeps alive."""
        with self._lock:
            connections = dict(self._connections)
        for connection, thread in connections.items():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=5)


@contextlib.contextmanager
def serve(sandbox: Sandbox, port: int = 0) -> Iterator[str]:
    """Serve a sandbox on 127.0.0.1 for the duration of a `with` block.

    Args:
        sandbox: The sandbox.
        port: 0 for any free port.

    Yields:
        The base URL, `http://127.0.0.1:<port>`; tokens are issued at `/oauth/token`.
    """
    with _Server(sandbox, port) as server:
        loop = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        loop.start()
        try:
            yield server.base_url
        finally:
            server.shutdown()
            loop.join()
            server.close_connections()
