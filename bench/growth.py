"""How memory and time grow with the load, and what it takes to start."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bench.bodies import BUCKETS
from bench.contenders import Stage
from bench.figures import Figure
from bench.processes import run
from bench.serving import server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.figures import Sizes

_MOST_MEMORY = 150


def measure(sizes: Sizes, folder: Path) -> Iterator[Figure]:
    """Measure a small load and a large one; then ``--discover``.

    Args:
        sizes: How much.
        folder: For files.

    Yields:
        The figures.
    """
    place = folder / "growth"
    place.mkdir()
    with server("results", sizes.groups) as url:
        stage = Stage("results", url, sizes.groups, place)
        yield from _loads(stage, sizes)
        yield _start(stage, sizes)


def _loads(stage: Stage, sizes: Sizes) -> Iterator[Figure]:
    """Peak memory and time of the two loads."""
    memory, time, peak = [], [], 0.0
    for _ in range(sizes.long_rounds):
        start, small, large = (
            run(stage.tap(windows, concurrency=4)) for windows in (0, sizes.small, sizes.small * sizes.times)
        )
        memory.append(large.memory / small.memory)
        net = max(small.cpu - start.cpu, 1e-3)
        time.append((large.cpu - start.cpu) / net / sizes.times)
        peak = max(peak, large.memory)
    rows = sizes.groups * BUCKETS * sizes.small
    loads = f"{rows * sizes.times:,} rows beside {rows:,}, {sizes.long_rounds} rounds, concurrency 4"
    lean = (f"at most {_MOST_MEMORY} MiB: it was {peak:.0f}", peak <= _MOST_MEMORY)
    yield Figure.of("`results`: peak memory of the large load", memory, ("at most", 1.1), loads, (lean,))
    loads = f"{loads}, processor time net of start-up"
    yield Figure.of("`results`: time a row of the large load", time, ("within", 0.05), loads)


def _start(stage: Stage, sizes: Sizes) -> Figure:
    """``--discover`` beside the SDK's own import."""
    bare = [sys.executable, "-c", "import singer_sdk"]
    run(bare)
    run(stage.discover())
    ratios = [run(stage.discover()).cpu / run(bare).cpu for _ in range(2 * sizes.rounds - 1)]
    how = f"processor time of the whole process, {len(ratios)} rounds"
    return Figure.of('`--discover`, beside `python -c "import singer_sdk"`', ratios, ("at most", 1.3), how)
