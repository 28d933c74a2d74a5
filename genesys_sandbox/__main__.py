"""Command line: serve a sandbox until it is stopped."""

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
        description="Serve a small Genesys Cloud on 127.0.0.1.",
    )
    parser.add_argument("--port", type=int, default=8765, help="port to listen on; 0 for any free port")
    parser.add_argument("--seed", type=int, default=7, help="decides all generated data")
    parser.add_argument(
        "--clock",
        type=from_text,
        help="current time of the sandbox at the start, in ISO 8601; it runs on from there",
    )
    parser.add_argument("--rewrites", action="store_true", help="change past data afterwards")
    parser.add_argument("--volume", type=float, default=1.0, help="1 is about 420 conversations on a Monday")
    parser.add_argument("--agents", type=int, default=25, help="number of users")
    parser.add_argument("--latency", type=int, default=0, metavar="MS", help="delay of every response")
    parser.add_argument(
        "--unrequested-media-type", action="store_true", help="add mediaType to groups even if not requested"
    )
    parser.add_argument("--requests-per-minute", type=int, help="answer 429 after this many requests")
    parser.add_argument("--max-results", type=int, help="reject answers with more rows")
    parser.add_argument(
        "--forbid",
        action="append",
        default=[],
        metavar="PATH",
        help="answer 403 under this path (repeatable)",
    )
    parser.add_argument(
        "--faults", type=float, default=0.0, metavar="SHARE", help="share of requests that fail, from 0 to 1"
    )
    parser.add_argument("--absolute-links", action="store_true", help="make links to next pages absolute")
    parser.add_argument("--empty-pages", action="store_true", help="put an empty page between any two pages")
    return parser.parse_args(argv)


def _options(arguments: argparse.Namespace) -> Options:
    return Options(
        seed=arguments.seed,
        agents=arguments.agents,
        volume=arguments.volume,
        rewrites=arguments.rewrites,
        unrequested_media_type=arguments.unrequested_media_type,
        requests_per_minute=arguments.requests_per_minute,
        max_results=arguments.max_results,
        absolute_links=arguments.absolute_links,
        empty_pages=arguments.empty_pages,
        forbidden=frozenset(arguments.forbid),
        latency=arguments.latency / 1000,
    )


def _clock(start: datetime | None) -> Callable[[], datetime]:
    """Return the real clock, shifted so that it shows `start` now."""
    offset = start - utc_now() if start else timedelta()
    return lambda: utc_now() + offset


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM. Returns the exit status: 0, or 1 if the port is taken."""
    arguments = _arguments(argv)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    faults = random_faults(arguments.faults, arguments.seed) if arguments.faults else None
    sandbox = Sandbox(_options(arguments), now=_clock(arguments.clock), faults=faults)
    try:
        with serve(sandbox, arguments.port) as url:
            _print(
                f"Sandbox running at {url}. Use any client ID and secret, such as sandbox/sandbox."
                " Stop it with Ctrl-C."
            )
            stop.wait()
    except OSError as error:
        _print(f"Cannot listen on port {arguments.port}: {error.strerror}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
