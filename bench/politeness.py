"""What the server sees: several requests in flight where it is slow, few where there is little to ask."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

from bench.asking import APIS, FIRST_DAY
from bench.contenders import Stage
from bench.figures import Figure
from bench.processes import run
from bench.serving import Usage, server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.asking import Api
    from bench.figures import Sizes

_CLOCK = re.compile(rb'"(?:time_extracted|extracted_at|seconds)":[^,}]*')
_YEAR = (date(FIRST_DAY.year + 1, 1, 1) - FIRST_DAY).days


def measure(sizes: Sizes, folder: Path) -> Iterator[Figure]:
    """Measure requests in flight, and requests of a quiet year.

    Args:
        sizes: How much.
        folder: For files.

    Yields:
        The figures.
    """
    for api in APIS:
        place = folder / f"{api}-requests"
        place.mkdir()
        yield _in_flight(api, sizes, place)
        yield _quiet_year(api, place)


def _in_flight(api: Api, sizes: Sizes, folder: Path) -> Figure:
    """Eight requests in flight against one."""
    ratios, alike = [], True
    with server(api, 2, latency=sizes.latency) as url:
        stage = Stage(api, url, 2, folder)
        for _ in range(sizes.long_rounds):
            seconds, lines = {}, {}
            for flights in (1, 8):
                output = folder / f"{flights}.jsonl"
                run(stage.tap(sizes.waiting, concurrency=flights), output)
                seconds[flights] = Usage(url).seconds
                lines[flights] = _CLOCK.sub(b"", output.read_bytes())
            ratios.append(seconds[1] / seconds[8])
            alike = alike and lines[1] == lines[8]
    how = (
        f"{sizes.waiting} windows, {sizes.latency * 1000:g} ms an answer, {sizes.long_rounds} rounds, "
        "from the first question to the last answer by the server's clock"
    )
    same = ("the same messages in the same order, STATE included, but for when they were read", alike)
    return Figure.of(f"`{api}`: 1 request in flight beside 8", ratios, ("at least", 7), how, (same,))


def _quiet_year(api: Api, folder: Path) -> Figure:
    """Requests for a year with four rows a day, against a window a day."""
    with server(api, 2, buckets=2) as url:
        run(Stage(api, url, 2, folder).tap(_YEAR, max_window="P31D", concurrency=4))
        ratio = Usage(url).requests / _YEAR
    how = f"{_YEAR} days of 4 rows, max_window and concurrency as by default; {ratio * _YEAR:.0f} requests"
    says = f"`{api}`: requests for a quiet year, beside one a day"
    return Figure.of(says, [ratio], ("at most", 0.1), how)
