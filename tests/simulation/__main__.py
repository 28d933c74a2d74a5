"""``python -m tests.simulation --seed N`` simulates one seed in detail; ``--seeds A..B`` simulates many.

A seed is a scenario of some days, one of some weeks in which windows grow, and a life of some months whose
history is rewritten at any age. With ``--only`` it is one of them.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import pprint
import re
import sys
import textwrap
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.simulation import old_history
from tests.simulation.long_windows import make_long_scenario
from tests.simulation.scenario import make_scenario
from tests.simulation.simulate import Result, play

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.simulation.old_history import Life
    from tests.simulation.scenario import Scenario

PAGE = Path(__file__).parents[2] / "docs" / "simulation.md"
_DEFAULT_SEEDS = range(1000)
_TASKS = 10
"""Chunks of seeds for one process: threads that a killed run left behind keep what they refer to."""
SCENARIOS = "scenarios"
LONG_WINDOWS = "long-windows"
OLD_HISTORY = "old-history"
_BEGINS = {
    SCENARIOS: "<!-- figures -->\n",
    LONG_WINDOWS: "<!-- figures of long windows -->\n",
    OLD_HISTORY: "<!-- figures of old history -->\n",
}
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
        return _markdown(
            self.seeds,
            self.failed,
            f"{self.runs:,} runs ({self.killed:,} killed), {self.faults.total():,} faults, "
            f"{self.rows:,} rows compared, {seconds / 60:.1f} minutes.",
            self.faults,
        )


@dataclass(slots=True)
class _LifeFigures:
    """Totals over many lives with old history."""

    seeds: list[int] = field(default_factory=list)
    failed: int = 0
    totals: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    needed: list[tuple[int, int]] = field(default_factory=list)

    def add(self, life: Life) -> None:
        self.seeds.append(life.seed)
        self.failed += bool(life.failures)
        for name in ("runs", "killed", "killed_rechecking", "rewrites", "reread", "rows"):
            self.totals[name] += getattr(life, name)
        self.faults += life.faults
        self.needed.append((life.needed, life.enough))

    def markdown(self, seconds: float) -> str:
        """Totals, and a table of faults and habits."""
        total, most = self.totals, max(self.needed, default=(0, 0))
        killed = f"{total['killed']:,} killed, {total['killed_rechecking']:,} of them while"
        typical = sorted(needed for needed, _ in self.needed)[len(self.needed) // 2] if self.needed else 0
        return _markdown(
            self.seeds,
            self.failed,
            f"{total['runs']:,} runs ({killed} they looked at a month or read it again), "
            f"{self.faults.total():,} faults and habits, "
            f"{total['rewrites']:,} rewrites, {total['reread']:,} windows of settled months read again, "
            f"{total['rows']:,} rows compared, {seconds / 60:.1f} minutes. After the last kill, all was "
            f"repaired in {typical} runs (median) and in {most[0]} at most, where {most[1]} were stated to "
            "be enough.",
            self.faults,
        )


def _markdown(seeds: list[int], failed: int, totals: str, faults: Counter[str]) -> str:
    """A line of totals, and a table."""
    first, last = min(seeds, default=0), max(seeds, default=0)
    line = f"Seeds {first} to {last}: {failed} failures in {len(seeds):,} seeds"
    text = textwrap.fill(f"{line}, {totals}", 120, break_long_words=False, break_on_hyphens=False)
    lines = [f"| {name} | {times:,} |\n" for name, times in faults.most_common()]
    return f"{text}\n\n| fault | times |\n|---|---:|\n{''.join(lines)}"


def summarize(seed: int, draw: Callable[[int], Scenario] = make_scenario) -> _Summary:
    """Simulate the scenario of a seed; a crash of the simulation itself is a failure too."""
    scenario = draw(seed)
    try:
        result = play(scenario)
    except Exception:  # noqa: BLE001  # see the docstring
        result = Result(scenario, [traceback.format_exc()])
    return _Summary(seed, result.failures, result.faults, result.killed, len(result.log), result.rows)


def summarize_long(seed: int) -> _Summary:
    """Simulate the scenario of weeks of a seed."""
    return summarize(seed, make_long_scenario)


_DRAWS = {SCENARIOS: make_scenario, LONG_WINDOWS: make_long_scenario}
_SUMMARIES: dict[str, Callable[[int], Any]] = {
    SCENARIOS: summarize,
    LONG_WINDOWS: summarize_long,
    OLD_HISTORY: old_history.summarize,
}


def _one(seed: int, parts: list[str]) -> bool:
    """Simulate one seed, and print everything about it."""
    failures: list[str] = []
    for draw in (draw for part, draw in _DRAWS.items() if part in parts):
        result = play(draw(seed))
        pprint.pp(result.scenario, width=110)
        sys.stdout.writelines(f"{line}\n" for line in result.log)
        failures += result.failures
    if OLD_HISTORY in parts:
        life = old_history.summarize(seed)
        sys.stdout.writelines(f"{line}\n" for line in life.log)
        failures += life.failures
    for failure in failures:
        sys.stdout.write(f"FAILED {failure}\n")
    sys.stdout.write("" if failures else "No check failed.\n")
    return not failures


def _many(seeds: range, jobs: int, part: str, *, write: bool) -> bool:
    """Simulate many seeds, and print failures and totals."""
    began = time.monotonic()
    figures: Any = _LifeFigures() if part == OLD_HISTORY else _Figures()
    simulate_one = _SUMMARIES[part]
    if jobs > 1:
        with multiprocessing.get_context("fork").Pool(jobs, maxtasksperchild=_TASKS) as pool:
            return _report(
                pool.imap_unordered(simulate_one, seeds, chunksize=4), figures, part, began, write=write
            )
    return _report(map(simulate_one, seeds), figures, part, began, write=write)


def _report(summaries: Iterable[Any], figures: Any, part: str, began: float, *, write: bool) -> bool:
    """Print each failure as it comes, then the totals."""
    for summary in summaries:
        figures.add(summary)
        if summary.failures:
            sys.stdout.write(f"{part}, seed {summary.seed}: {summary.failures[0][:1500]}\n")
            sys.stdout.flush()
    text = figures.markdown(time.monotonic() - began)
    sys.stdout.write(f"{part}: {text}")
    if write:
        _write(text, _BEGINS[part])
    return not figures.failed


def _write(text: str, begin: str) -> None:
    """Replace the figures in the docs."""
    page = PAGE.read_text("utf-8")
    place = re.compile(f"{begin}.*?{_END}", re.DOTALL)
    PAGE.write_text(place.sub(lambda _: f"{begin}\n{text}\n{_END}", page), "utf-8")


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
    parser.add_argument(
        "--only", choices=[*_BEGINS], help="scenarios of days or of weeks, or lives of months"
    )
    args = parser.parse_args()
    parts = [args.only] if args.only else [*_BEGINS]
    if args.seed is not None:
        ok = _one(args.seed, parts)
    else:
        done = [_many(args.seeds, args.jobs, part, write=args.write) for part in parts]
        ok = all(done)
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
