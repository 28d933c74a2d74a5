"""``python -m tests.kills --times 50`` kills real loads at random moments, and reports the results."""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from demo import postgres
from demo import project as demo_project
from demo.paths import CLONE, DEMO
from tests.kills.loads import LoadResult, Timing, draw_kill, load_with_kills, measure, set_up
from tests.kills.pipelines import Meltano, Pipe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.postgres import Postgres
    from tests.kills.loads import Setup
    from tests.kills.pipelines import Pipeline

_TWICE_SHARE = 0.3
_EVERY_NTH_IS_MELTANO = 3


@dataclass(frozen=True, slots=True)
class _Workplace:
    """What all loads share: the PostgreSQL server, Meltano's plugins, and a folder."""

    server: Postgres
    plugins: Path
    folder: Path

    def pipeline(self, setup: Setup, kind: str) -> Pipeline:
        """Make a pipeline without state, in a new folder."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        if kind == "pipe":
            return Pipe(setup, folder, self.plugins / "loaders" / "target-postgres/venv/bin/target-postgres")
        shutil.copy(CLONE / "meltano.yml", folder)
        (folder / ".meltano").mkdir()
        for each in ("extractors", "loaders"):
            (folder / ".meltano" / each).symlink_to(self.plugins / each)
        return Meltano(setup, folder)


@contextmanager
def _workplace() -> Iterator[_Workplace]:
    """A PostgreSQL server and plugins that nothing else uses."""
    plugins = demo_project.prepare(DEMO / "kills").folder / ".meltano"
    with (
        tempfile.TemporaryDirectory() as folder,
        postgres.embedded(Path(folder) / "postgres" / "data") as server,
    ):
        yield _Workplace(server, plugins, Path(folder))


def _timing(workplace: _Workplace, kind: str, api: str) -> Timing:
    with set_up(api, workplace.server, "measured") as setup:
        timing = measure(setup, workplace.pipeline(setup, kind))
    _print(
        f"{kind}, {api}, undisturbed: {timing.start_up:.1f} s to start, {timing.load:.1f} s for "
        f"{timing.requests} requests, {timing.tail:.1f} s to end"
    )
    return timing


def _load(
    workplace: _Workplace, seed: int, number: int, timings: dict[tuple[str, str], Timing]
) -> LoadResult:
    """Kill and complete one load, as the seed and the number decide, and print its result."""
    rng = random.Random(f"{seed} {number}")  # noqa: S311  # moments, not secrets
    api = ("results", "group_tree")[number % 2]
    kind = "meltano" if number % _EVERY_NTH_IS_MELTANO == 0 else "pipe"
    if (kind, api) not in timings:
        timings[kind, api] = _timing(workplace, kind, api)
    rewrites = rng.random() < 0.5  # a coin
    with set_up(api, workplace.server, f"load_{number}", rewrites=rewrites, seed=number) as setup:
        pipeline = workplace.pipeline(setup, kind)
        times = 2 if rng.random() < _TWICE_SHARE else 1
        kills = [draw_kill(rng, pipeline.victims, timings[kind, api]) for _ in range(times)]
        result = load_with_kills(setup, pipeline, kills)
    what = f"{kind}, {api}{', history rewritten' if rewrites else ''}"
    _print(
        f"{number:3d} {what}: {result.rows} rows, {result.expected} expected",
        *map(str, result.kills),
        *result.failures,
    )
    return result


def _print(first: str, *others: str) -> None:
    sys.stdout.write("\n      ".join([first, *others]) + "\n")
    sys.stdout.flush()


def _print_figures(results: list[LoadResult], seconds: float) -> None:
    """Print the figures for docs/kills.md."""
    kills = [(result, each) for result in results for each in result.kills]
    counts: dict[str, Counter[str]] = {
        "victim": Counter(f"{each.kill.signal.name} to {each.kill.victim}" for _, each in kills),
        "moment": Counter(each.kill.phase for _, each in kills),
        "rows after the killed run": Counter(_share(result, each.hit, each.rows) for result, each in kills),
        "exit status of a killed run": Counter(str(each.status) for _, each in kills if each.hit),
    }
    for title, counted in counts.items():
        _print(title, *(f"{times:3d}  {name}" for name, times in sorted(counted.items())))
    wrong = sum(bool(result.failures) for result in results)
    rows = sum(result.expected for result in results)
    _print(f"{len(results)} loads, {len(kills)} kills, {wrong} wrong, {rows} rows compared, {seconds:.0f} s")


def _share(result: LoadResult, hit: int, rows: int) -> str:
    """How many rows a killed run left in PostgreSQL."""
    if not hit:
        return "the run had ended before"
    if rows == 0:
        return "none"
    return "some" if rows < result.expected else "all"


def main() -> int:
    """Kill as many loads as the command line asks for; return 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__)
    parser.add_argument("--times", type=int, default=50, help="how many loads to kill")
    parser.add_argument("--seed", type=int, default=1, help="the seed that decides the moments")
    parser.add_argument("--only", type=int, help="only the load with this number")
    args = parser.parse_args()
    began = time.monotonic()
    timings: dict[tuple[str, str], Timing] = {}
    with _workplace() as workplace:
        numbers = range(args.times) if args.only is None else [args.only]
        results = [_load(workplace, args.seed, number, timings) for number in numbers]
    _print_figures(results, time.monotonic() - began)
    return 1 if any(result.failures for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
