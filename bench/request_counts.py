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
from bench.responses import BUCKETS
from bench.scaling import MAX_MEMORY_MIB

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
        yield _per_million_rows(api, sizes, place)
        yield _next_run(api, place)


def _in_flight(api: Api, sizes: Sizes, folder: Path) -> Figure:
    """Compare one request in flight with eight."""
    ratios, alike = [], True
    with replay_server(api, 2, latency=sizes.latency) as url:
        commands = Commands(api, url, 2, folder)
        for _ in range(sizes.long_rounds):
            seconds, lines = {}, {}
            for concurrency in (1, 8):
                output = folder / f"{concurrency}.jsonl"
                run(commands.tap(sizes.waiting, concurrency=concurrency, recheck_requests=0), output)
                seconds[concurrency] = RequestCount(url).seconds
                lines[concurrency] = _TIMESTAMPS.sub(b"", output.read_bytes())
            ratios.append(seconds[1] / seconds[8])
            alike = alike and lines[1] == lines[8]
    method = (
        f"{sizes.waiting} windows, {sizes.latency * 1000:g} ms per response, no month checked in the end, "
        f"{sizes.long_rounds} rounds, from the first request to the last response by the server's clock"
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


def _per_million_rows(api: Api, sizes: Sizes, folder: Path) -> Figure:
    """Count the requests for a year of a busy organization, relative to windows that aim at fewer rows."""
    rows = _YEAR * sizes.groups * BUCKETS
    with replay_server(api, sizes.groups) as url:
        commands, counted = Commands(api, url, sizes.groups, folder), []
        for command in (commands.tap_with_smaller_windows, commands.tap):
            cost = run(command(_YEAR, max_window="P31D", concurrency=8))
            counted.append(RequestCount(url).requests)
    before, after = (requests * 1_000_000 / rows for requests in counted)
    method = f"{rows:,} rows in {_YEAR} days, 8 requests in flight; {after:.0f} against {before:.0f} requests"
    condition = (f"at most {MAX_MEMORY_MIB} MiB (measured: {cost.memory:.0f})", cost.memory <= MAX_MEMORY_MIB)
    title = f"`{api}`: requests for a million rows, relative to windows that aim at 5,000"
    return Figure.from_ratios(title, [after / before], ("at most", 0.5), method, (condition,))


def _next_run(api: Api, folder: Path) -> Figure:
    """Count the requests of a run that knows how long windows may be, relative to one that does not."""
    counted = []
    with replay_server(api, 2, buckets=2) as url:
        for knowing in (False, True):
            command = Commands(api, url, 2, folder).tap_after(_YEAR // 2, _YEAR, knowing=knowing)
            RequestCount(url)
            run(command)
            counted.append(RequestCount(url).requests)
    method = (
        f"{_YEAR - _YEAR // 2} days of 4 rows each, after as many; {counted[1]} requests against {counted[0]}"
    )
    title = f"`{api}`: requests of a run that knows what the last one learnt, relative to one that does not"
    return Figure.from_ratios(title, [counted[1] / counted[0]], ("at most", 0.9), method)
