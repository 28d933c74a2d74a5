"""``python -m tests.simulation --seed N`` lives one seed and tells its story; ``--seeds A..B`` many."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import pprint
import sys
import time
import traceback
from collections import Counter
from typing import TYPE_CHECKING

from tests.simulation.life import Life, live
from tests.simulation.world import make

if TYPE_CHECKING:
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


def _many(seeds: range, jobs: int) -> bool:
    """Many seeds, and what came of them in a few lines."""
    began = time.monotonic()
    if jobs > 1:
        with multiprocessing.get_context("fork").Pool(jobs) as pool:
            return _summary(pool.imap_unordered(lived, seeds, chunksize=4), began)
    return _summary(map(lived, seeds), began)


def _summary(lives: Iterable[tuple[int, list[str], Counter[str], int, int, int]], began: float) -> bool:
    """Tell each failure as it comes, then the figures."""
    faults: Counter[str] = Counter()
    seeds = failures = kills = runs = rows = 0
    for seed, wrong, met, killed, ran, compared in lives:
        seeds, kills, runs, rows = seeds + 1, kills + killed, runs + ran, rows + compared
        faults += met
        if wrong:
            failures += 1
            sys.stdout.write(f"seed {seed}: {wrong[0][:1500]}\n")
    for name, times in faults.most_common():
        sys.stdout.write(f"{times:8d}  {name}\n")
    seconds = time.monotonic() - began
    sys.stdout.write(
        f"{seeds} seeds, {failures} failures, {runs} runs, {kills} of them killed, "
        f"{faults.total()} faults, {rows} rows compared, {seconds:.1f} s\n"
    )
    return not failures


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
    given = parser.parse_args()
    well = _tell(given.seed) if given.seed is not None else _many(given.seeds, given.jobs)
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
