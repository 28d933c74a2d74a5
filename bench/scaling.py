"""How memory and time scale with the size of a load, and how long the tap takes to start."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bench.commands import Commands
from bench.figures import Figure
from bench.processes import run
from bench.replay import replay_server
from bench.responses import BUCKETS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.figures import Sizes

MAX_MEMORY_MIB = 150


def measure(sizes: Sizes, folder: Path) -> Iterator[Figure]:
    """Measure a small load and a large one; then ``--discover``.

    Args:
        sizes: How much to measure.
        folder: A folder for files.

    Yields:
        The figures.
    """
    place = folder / "scaling"
    place.mkdir()
    with replay_server("results", sizes.groups) as url:
        commands = Commands("results", url, sizes.groups, place)
        yield from _memory_and_time(commands, sizes)
        yield _startup(commands, sizes)


def _memory_and_time(commands: Commands, sizes: Sizes) -> Iterator[Figure]:
    memory, time, peak = [], [], 0.0
    for _ in range(sizes.long_rounds):
        start, small, large = (
            run(commands.tap(windows, concurrency=4))
            for windows in (0, sizes.small, sizes.small * sizes.times)
        )
        memory.append(large.memory / small.memory)
        net = max(small.cpu - start.cpu, 1e-3)
        time.append((large.cpu - start.cpu) / net / sizes.times)
        peak = max(peak, large.memory)
    rows = sizes.groups * BUCKETS * sizes.small
    method = f"{rows * sizes.times:,} rows against {rows:,}, {sizes.long_rounds} rounds, concurrency 4"
    condition = (f"at most {MAX_MEMORY_MIB} MiB (measured: {peak:.0f})", peak <= MAX_MEMORY_MIB)
    title = "`results`: peak memory of the large load, relative to the small one"
    yield Figure.from_ratios(title, memory, ("at most", 1.1), method, (condition,))
    title = "`results`: time per row of the large load, relative to the small one"
    yield Figure.from_ratios(title, time, ("within", 0.05), f"{method}, CPU time net of startup")


def _startup(commands: Commands, sizes: Sizes) -> Figure:
    """Compare ``--discover`` with an import of the SDK."""
    bare = [sys.executable, "-c", "import singer_sdk"]
    run(bare)
    run(commands.discover())
    ratios = [run(commands.discover()).cpu / run(bare).cpu for _ in range(2 * sizes.rounds - 1)]
    method = f"CPU time of the whole process, {len(ratios)} rounds"
    title = '`--discover`: time, relative to `python -c "import singer_sdk"`'
    return Figure.from_ratios(title, ratios, ("at most", 1.3), method)
