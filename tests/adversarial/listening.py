"""Sockets on this machine: anything that handles a connection, with and without TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.adversarial.server import IDLE_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.adversarial.server import Server

_CERTIFICATES = Path(__file__).parent / "certificates"
AUTHORITY = str(_CERTIFICATES / "authority.pem")
"""The authority of the server's certificate."""


@contextmanager
def listening(handle: Callable[[socket.socket], None]) -> Iterator[int]:
    """Handle each connection in a thread of its own; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=handle, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


@contextmanager
def listening_with_tls(server: Server) -> Iterator[int]:
    """A server with a certificate for ``localhost``; yields the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_CERTIFICATES / "server.pem")

    def handle(connection: socket.socket) -> None:
        connection.settimeout(IDLE_TIMEOUT)
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as wrapped:
            server.handle(wrapped, "")

    with listening(handle) as port:
        yield port
