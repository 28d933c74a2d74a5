"""``python -m tests.simulation --seed N`` lives one seed and tells its story; ``--seeds A..B`` many."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import pprint
import sys
import time
import traceback
from typing import TYPE_CHECKING

from tests.simulation.figures import Figures
from tests.simulation.life import Life, live
from tests.simulation.world import make

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable

_USUAL = range(1000)


def lived(seed: int) -> tuple[int, list[str], Counter[str], int, int, int]:
    """Live a seed; what a summary needs of it.

    Args:
        seed: The seed.

    Returns:
        The seed, what was wrong, faults by kind, kills, runs, and rows compared.
    """
    try:
        life = live(seed)
    except Exception:  # noqa: BLE001  # a seed that breaks the simulation is a failure too
        life = Life(make(seed), [traceback.format_exc()])
    return seed, life.wrong, life.met, life.kills, len(life.story), life.rows


def _tell(seed: int) -> bool:
    """One seed, in full."""
    life = live(seed)
    pprint.pp(life.world, width=110)
    for line in life.story:
        sys.stdout.write(f"{line}\n")
    for line in life.wrong:
        sys.stdout.write(f"WRONG {line}\n")
    sys.stdout.write("all is well\n" if not life.wrong else "")
    return not life.wrong


def _many(seeds: range, jobs: int, *, write: bool) -> bool:
    """Many seeds, and what came of them in a few lines."""
    began = time.monotonic()
    if jobs > 1:
        with multiprocessing.get_context("fork").Pool(jobs) as pool:
            return _summary(pool.imap_unordered(lived, seeds, chunksize=4), began, write=write)
    return _summary(map(lived, seeds), began, write=write)


def _summary(
    lives: Iterable[tuple[int, list[str], Counter[str], int, int, int]], began: float, *, write: bool
) -> bool:
    """Tell each failure as it comes, then the figures."""
    figures = Figures()
    for seed, wrong, met, killed, ran, compared in lives:
        figures.add(seed, met, killed=killed, ran=ran, compared=compared, failed=bool(wrong))
        if wrong:
            sys.stdout.write(f"seed {seed}: {wrong[0][:1500]}\n")
            sys.stdout.flush()
    text = figures.text(time.monotonic() - began)
    sys.stdout.write(text)
    if write:
        figures.write(text)
    return not figures.failures


def _seeds(text: str) -> range:
    """``A..B``, the last one included."""
    first, _, last = text.partition("..")
    return range(int(first), int(last or first) + 1)


def main() -> None:
    """Live what the command line names."""
    parser = argparse.ArgumentParser(prog="simulate", description=__doc__)
    parser.add_argument("--seed", type=int, help="live one, and tell all of it")
    parser.add_argument("--seeds", type=_seeds, default=_USUAL, help="live many: A..B")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--write", action="store_true", help="write the figures into docs/simulation.md")
    given = parser.parse_args()
    well = _tell(given.seed) if given.seed is not None else _many(given.seeds, given.jobs, write=given.write)
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
