"""What the server sees: several requests in flight if it is slow, few requests if there is little data."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

from bench.commands import Commands
from bench.figures import Figure
from bench.processes import run
from bench.query import APIS, FIRST_DAY
from bench.replay import RequestCount, replay_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.figures import Sizes
    from bench.query import Api

_TIMESTAMPS = re.compile(rb'"(?:time_extracted|extracted_at|seconds)":[^,}]*')
_YEAR = (date(FIRST_DAY.year + 1, 1, 1) - FIRST_DAY).days


def measure(sizes: Sizes, folder: Path) -> Iterator[Figure]:
    """Measure the gain of concurrent requests, and count the requests for a quiet year.

    Args:
        sizes: How much to measure.
        folder: A folder for files.

    Yields:
        The figures.
    """
    for api in APIS:
        place = folder / f"{api}-requests"
        place.mkdir()
        yield _in_flight(api, sizes, place)
        yield _quiet_year(api, place)


def _in_flight(api: Api, sizes: Sizes, folder: Path) -> Figure:
    """Compare one request in flight with eight."""
    ratios, alike = [], True
    with replay_server(api, 2, latency=sizes.latency) as url:
        commands = Commands(api, url, 2, folder)
        for _ in range(sizes.long_rounds):
            seconds, lines = {}, {}
            for concurrency in (1, 8):
                output = folder / f"{concurrency}.jsonl"
                run(commands.tap(sizes.waiting, concurrency=concurrency), output)
                seconds[concurrency] = RequestCount(url).seconds
                lines[concurrency] = _TIMESTAMPS.sub(b"", output.read_bytes())
            ratios.append(seconds[1] / seconds[8])
            alike = alike and lines[1] == lines[8]
    method = (
        f"{sizes.waiting} windows, {sizes.latency * 1000:g} ms per response, {sizes.long_rounds} rounds, "
        "from the first request to the last response by the server's clock"
    )
    condition = ("same messages in the same order, STATE included, apart from timestamps", alike)
    title = f"`{api}`: time with 1 request in flight, relative to 8"
    return Figure.from_ratios(title, ratios, ("at least", 7), method, (condition,))


def _quiet_year(api: Api, folder: Path) -> Figure:
    """Count the requests for a year with four rows per day, relative to one request per day."""
    with replay_server(api, 2, buckets=2) as url:
        run(Commands(api, url, 2, folder).tap(_YEAR, max_window="P31D", concurrency=4))
        requests = RequestCount(url).requests
    method = f"{_YEAR} days of 4 rows each, default max_window and concurrency; {requests} requests"
    title = f"`{api}`: requests for a quiet year, relative to one per day"
    return Figure.from_ratios(title, [requests / _YEAR], ("at most", 0.1), method)
