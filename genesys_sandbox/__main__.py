"""Serve a sandbox from the command line until it is told to stop."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

from genesys_sandbox.faults import random_faults
from genesys_sandbox.options import Options
from genesys_sandbox.sandbox import Sandbox
from genesys_sandbox.server import serve
from genesys_sandbox.timestamps import from_text, utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m genesys_sandbox",
        description="A small Genesys to try against, on 127.0.0.1.",
    )
    parser.add_argument("--port", type=int, default=8765, help="0 for any that is free")
    parser.add_argument("--seed", type=int, default=7, help="another seed, another centre")
    parser.add_argument("--clock", type=from_text, help="its now at the start; it runs on from there")
    parser.add_argument("--rewrites", action="store_true", help="history changes afterwards")
    parser.add_argument("--volume", type=float, default=1.0, help="1 is about 420 conversations a Monday")
    parser.add_argument("--agents", type=int, default=25, help="number of users")
    parser.add_argument("--latency", type=int, default=0, metavar="MS", help="before every answer")
    parser.add_argument("--media-type-unasked", action="store_true", help="mediaType in groups, unasked")
    parser.add_argument("--requests-per-minute", type=int, help="429 after so many")
    parser.add_argument("--max-results", type=int, help="reject answers with more rows")
    parser.add_argument("--forbid", action="append", default=[], metavar="PATH", help="403 under this path")
    parser.add_argument(
        "--faults", type=float, default=0.0, metavar="SHARE", help="share of answers that fail"
    )
    parser.add_argument("--absolute-links", action="store_true", help="links to next pages are absolute")
    parser.add_argument("--empty-pages", action="store_true", help="an empty page between any two")
    return parser.parse_args(argv)


def _options(asked: argparse.Namespace) -> Options:
    return Options(
        seed=asked.seed,
        agents=asked.agents,
        volume=asked.volume,
        rewrites=asked.rewrites,
        unasked_media_type=asked.media_type_unasked,
        requests_per_minute=asked.requests_per_minute,
        max_results=asked.max_results,
        absolute_links=asked.absolute_links,
        empty_pages=asked.empty_pages,
        forbidden=frozenset(asked.forbid),
        latency=asked.latency / 1000,
    )


def _clock(start: datetime | None) -> Callable[[], datetime]:
    """The real clock, or one that is ahead of or behind it by as much as now."""
    ahead = start - utc_now() if start else timedelta()
    return lambda: utc_now() + ahead


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; answers the exit status: 0, or 1 where the port is taken."""
    asked = _arguments(argv)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    plan = random_faults(asked.faults, asked.seed) if asked.faults else None
    sandbox = Sandbox(_options(asked), now=_clock(asked.clock), faults=plan)
    try:
        with serve(sandbox, asked.port) as url:
            _say(f"Sandbox at {url} (any client id and secret, such as sandbox/sandbox); stop it with Ctrl-C")
            stop.wait()
    except OSError as error:
        _say(f"Port {asked.port} cannot be served: {error.strerror}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
