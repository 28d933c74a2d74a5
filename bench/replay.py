"""A server that does next to nothing: every answer is encoded beforehand and leaves in one send.

``python -m bench.replay API GROUPS BUCKETS LATENCY`` prints its port and serves until it is ended. It runs
in a process, and where possible on a core, of its own.
"""

from __future__ import annotations

import json
import socketserver
import sys
import threading
import time
from typing import TYPE_CHECKING, cast

from typing_extensions import override

from bench.bodies import Bodies

if TYPE_CHECKING:
    from bench.asking import Api

_TOKEN = b'{"access_token": "made-up", "token_type": "bearer", "expires_in": 86400}'
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


class Server(socketserver.ThreadingTCPServer):
    """Answers tokens, queries, and ``GET /usage``: what was asked since the last look."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, bodies: Bodies, latency: float) -> None:
        """Bind a free port of this machine.

        Args:
            bodies: What to answer.
            latency: Seconds that an answer to a query takes.
        """
        super().__init__(("127.0.0.1", 0), Connection)
        self.bodies = bodies
        self.latency = latency
        self._lock = threading.Lock()
        self._requests = 0
        self._began = self._ended = 0.0

    def query(self, body: bytes) -> bytes:
        """Answer a query, after the latency."""
        with self._lock:
            self._began = self._began if self._requests else time.monotonic()
            self._requests += 1
        due = time.monotonic() + self.latency
        answer = self.bodies.answer(body)
        time.sleep(max(0.0, due - time.monotonic()))
        with self._lock:
            self._ended = time.monotonic()
        return answer

    def usage(self) -> bytes:
        """How many queries came, and the seconds from the first question to the last answer."""
        with self._lock:
            counted = {"requests": self._requests, "seconds": self._ended - self._began}
            self._requests = 0
            self._began = self._ended = 0.0
        return json.dumps(counted).encode()


class Connection(socketserver.StreamRequestHandler):
    """One connection, kept alive."""

    disable_nagle_algorithm = True
    server: Server

    @override
    def handle(self) -> None:
        while line := self.rfile.readline():
            length = 0
            while (header := self.rfile.readline()) not in {b"\r\n", b""}:
                name, _, value = header.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            body = self.rfile.read(length)
            answer = self._answer(line.split()[1], body)
            self.wfile.write(_HEAD % len(answer) + answer)

    def _answer(self, path: bytes, body: bytes) -> bytes:
        if path == b"/usage":
            return self.server.usage()
        return _TOKEN if path.endswith(b"/oauth/token") else self.server.query(body)


def main() -> None:
    """Serve what the command line says."""
    api, groups, buckets, latency = sys.argv[1:]
    bodies = Bodies.of(cast("Api", api), int(groups), int(buckets))
    with Server(bodies, float(latency)) as server:
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main()
