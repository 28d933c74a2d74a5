"""The replay server, whose own cost is close to zero: each response is encoded in advance and sent at once.

``python -m bench.replay API GROUPS BUCKETS LATENCY`` prints its port and serves until it is stopped.
``replay_server`` runs that in a process of its own, on a core of its own where possible.
"""

from __future__ import annotations

import json
import socketserver
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast
from urllib.request import urlopen

from typing_extensions import override

from bench.processes import ROOT, environment, pinned, python_command
from bench.responses import BUCKETS, Responses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.query import Api

_TOKEN = b'{"access_token": "made-up", "token_type": "bearer", "expires_in": 86400}'
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


@contextmanager
def replay_server(api: Api, groups: int, buckets: int = BUCKETS, latency: float = 0.0) -> Iterator[str]:
    """Serve responses from a process on the second core.

    Args:
        api: The API to answer.
        groups: Groups in each day.
        buckets: Buckets of each group in a day.
        latency: Response time in seconds.

    Yields:
        URL of the server.
    """
    command = python_command("bench.replay", api, groups, buckets, str(latency))
    with pinned(1):
        child = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=environment())  # noqa: S603  # our own
    with child:
        try:
            if child.stdout is None or not (port := child.stdout.readline().strip()):
                raise RuntimeError("The replay server did not start; its error is printed above.")
            yield f"http://127.0.0.1:{port.decode()}"
        finally:
            child.kill()


class RequestCount:
    """The queries that a replay server received since the last count.

    Attributes:
        requests: Number of queries.
        seconds: Time from the first query to the last response.
    """

    def __init__(self, url: str) -> None:
        """Read the counters of a server, which resets them.

        Args:
            url: URL of the server.
        """
        with urlopen(f"{url}/usage", timeout=60) as answer:  # noqa: S310  # our own server
            counted = json.load(answer)
        self.requests: int = counted["requests"]
        self.seconds: float = counted["seconds"]


class ReplayServer(socketserver.ThreadingTCPServer):
    """Answers token requests, queries, and ``GET /usage``, which returns and resets the counters."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, responses: Responses, latency: float) -> None:
        """Bind a free port on this machine.

        Args:
            responses: The responses to queries.
            latency: Response time of a query in seconds.
        """
        super().__init__(("127.0.0.1", 0), ReplayHandler)
        self.responses = responses
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
        response = self.responses.for_request(body)
        time.sleep(max(0.0, due - time.monotonic()))
        with self._lock:
            self._ended = time.monotonic()
        return response

    def usage(self) -> bytes:
        """Return the counters as JSON, and reset them."""
        with self._lock:
            counted = {"requests": self._requests, "seconds": self._ended - self._began}
            self._requests = 0
            self._began = self._ended = 0.0
        return json.dumps(counted).encode()


class ReplayHandler(socketserver.StreamRequestHandler):
    """Answers the requests of one connection, which is kept alive."""

    disable_nagle_algorithm = True
    server: ReplayServer

    @override
    def handle(self) -> None:
        while line := self.rfile.readline():
            length = 0
            while (header := self.rfile.readline()) not in {b"\r\n", b""}:
                name, _, value = header.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            body = self.rfile.read(length)
            response = self._respond(line.split()[1], body)
            self.wfile.write(_HEAD % len(response) + response)

    def _respond(self, path: bytes, body: bytes) -> bytes:
        if path == b"/usage":
            return self.server.usage()
        return _TOKEN if path.endswith(b"/oauth/token") else self.server.query(body)


def main() -> None:
    """Serve as told by the command line."""
    api, groups, buckets, latency = sys.argv[1:]
    responses = Responses.encode(cast("Api", api), int(groups), int(buckets))
    with ReplayServer(responses, float(latency)) as server:
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main()
