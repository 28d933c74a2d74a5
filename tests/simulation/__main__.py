"""``python -m tests.simulation --seed N`` simulates one seed in detail; ``--seeds A..B`` simulates many."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import pprint
import re
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.simulation.scenario import make_scenario
from tests.simulation.simulate import Result, simulate

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE = Path(__file__).parents[2] / "docs" / "simulation.md"
_DEFAULT_SEEDS = range(1000)
_BEGIN = "<!-- figures -->\n"
_END = "<!-- end of figures -->\n"


@dataclass(frozen=True, slots=True)
class _Summary:
    """What the figures need of a result; the result itself is too large to send between processes."""

    seed: int
    failures: list[str]
    faults: Counter[str]
    killed: int
    runs: int
    rows: int


@dataclass(slots=True)
class _Figures:
    """Totals over many seeds."""

    seeds: list[int] = field(default_factory=list)
    failed: int = 0
    runs: int = 0
    killed: int = 0
    rows: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def add(self, summary: _Summary) -> None:
        self.seeds.append(summary.seed)
        self.failed += bool(summary.failures)
        self.runs += summary.runs
        self.killed += summary.killed
        self.rows += summary.rows
        self.faults += summary.faults

    def markdown(self, seconds: float) -> str:
        """A line of totals, and a table of faults."""
        totals = (
            f"Seeds {min(self.seeds, default=0)} to {max(self.seeds, default=0)}: "
            f"{self.failed} failures in {len(self.seeds):,} seeds, "
            f"{self.runs:,} runs ({self.killed:,} killed), "
            f"{self.faults.total():,} faults, {self.rows:,} rows compared, {seconds / 60:.1f} minutes.\n"
        )
        lines = [f"| {name} | {times:,} |\n" for name, times in self.faults.most_common()]
        return f"{totals}\n| fault | times |\n|---|---:|\n{''.join(lines)}"


def summarize(seed: int) -> _Summary:
    """Simulate a seed; a crash of the simulation itself is a failure too."""
    try:
        result = simulate(seed)
    except Exception:  # noqa: BLE001  # see the docstring
        result = Result(make_scenario(seed), [traceback.format_exc()])
    return _Summary(seed, result.failures, result.faults, result.killed, len(result.log), result.rows)


def _one(seed: int) -> bool:
    """Simulate one seed, and print everything about it."""
    result = simulate(seed)
    pprint.pp(result.scenario, width=110)
    for line in result.log:
        sys.stdout.write(f"{line}\n")
    for failure in result.failures:
        sys.stdout.write(f"FAILED {failure}\n")
    sys.stdout.write("" if result.failures else "No check failed.\n")
    return not result.failures


def _many(seeds: range, jobs: int, *, write: bool) -> bool:
    """Simulate many seeds, and print failures and totals."""
    began = time.monotonic()
    if jobs > 1:
        with multiprocessing.get_context("fork").Pool(jobs) as pool:
            return _report(pool.imap_unordered(summarize, seeds, chunksize=4), began, write=write)
    return _report(map(summarize, seeds), began, write=write)


def _report(summaries: Iterable[_Summary], began: float, *, write: bool) -> bool:
    """Print each failure as it comes, then the totals."""
    figures = _Figures()
    for summary in summaries:
        figures.add(summary)
        if summary.failures:
            sys.stdout.write(f"seed {summary.seed}: {summary.failures[0][:1500]}\n")
            sys.stdout.flush()
    text = figures.markdown(time.monotonic() - began)
    sys.stdout.write(text)
    if write:
        _write(text)
    return not figures.failed


def _write(text: str) -> None:
    """Replace the figures in the docs."""
    page = PAGE.read_text("utf-8")
    place = re.compile(f"{_BEGIN}.*?{_END}", re.DOTALL)
    PAGE.write_text(place.sub(lambda _: f"{_BEGIN}\n{text}\n{_END}", page), "utf-8")


def _seeds(text: str) -> range:
    """``A..B``, including B."""
    first, _, last = text.partition("..")
    return range(int(first), int(last or first) + 1)


def main() -> None:
    """Simulate the seeds that the command line names."""
    parser = argparse.ArgumentParser(prog="simulate", description=__doc__)
    parser.add_argument("--seed", type=int, help="simulate one seed, and print it in detail")
    parser.add_argument("--seeds", type=_seeds, default=_DEFAULT_SEEDS, help="simulate many seeds: A..B")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="number of processes")
    parser.add_argument("--write", action="store_true", help="write the figures into docs/simulation.md")
    args = parser.parse_args()
    ok = _one(args.seed) if args.seed is not None else _many(args.seeds, args.jobs, write=args.write)
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
