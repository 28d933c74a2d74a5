"""The replay server, begun and ended."""

from __future__ import annotations

import json
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.request import urlopen

from bench.bodies import BUCKETS
from bench.processes import ROOT, environment, pinned, python

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.asking import Api


class Usage:
    """What the server was asked since the last look."""

    def __init__(self, url: str) -> None:
        """Look, and begin anew.

        Args:
            url: The server.
        """
        with urlopen(f"{url}/usage", timeout=60) as answer:  # noqa: S310  # a server of our own
            counted = json.load(answer)
        self.requests: int = counted["requests"]
        self.seconds: float = counted["seconds"]


@contextmanager
def server(api: Api, groups: int, buckets: int = BUCKETS, latency: float = 0.0) -> Iterator[str]:
    """Serve answers from a process on the second core.

    Args:
        api: The contract.
        groups: Groups in every day.
        buckets: Buckets of every group in a day.
        latency: Seconds that an answer takes.

    Yields:
        Its URL.
    """
    command = python("bench.replay", api, groups, buckets, str(latency))
    with pinned(1):
        child = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=environment())  # noqa: S603  # ours
    with child:
        try:
            if child.stdout is None or not (port := child.stdout.readline().strip()):
                raise RuntimeError("the replay server did not start")
            yield f"http://127.0.0.1:{port.decode()}"
        finally:
            child.kill()
