"""``python -m tests.kills --times 50`` kills real loads at random moments, and says what came of them."""

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
from tests.kills.lives import Life, lived
from tests.kills.moments import Course, drawn, measured
from tests.kills.pipelines import Meltano, Pipe
from tests.kills.scene import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.postgres import Postgres
    from tests.kills.pipelines import Pipeline
    from tests.kills.scene import Scene

_TWICE_SHARE = 0.3
_EVERY_SO_MANYETH_IS_MELTANO = 3


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a campaign happens."""

    server: Postgres
    plugins: Path
    folder: Path

    def pipeline(self, scene: Scene, kind: str) -> Pipeline:
        """A pipeline with no state, in a folder of its own."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        if kind == "pipe":
            return Pipe(scene, folder, self.plugins / "loaders" / "target-postgres/venv/bin/target-postgres")
        shutil.copy(CLONE / "meltano.yml", folder)
        (folder / ".meltano").mkdir()
        for each in ("extractors", "loaders"):
            (folder / ".meltano" / each).symlink_to(self.plugins / each)
        return Meltano(scene, folder)


@contextmanager
def _place() -> Iterator[_Place]:
    """A PostgreSQL and plugins that nobody else uses meanwhile."""
    plugins = demo_project.prepare(DEMO / "kills").folder / ".meltano"
    with (
        tempfile.TemporaryDirectory() as folder,
        postgres.embedded(Path(folder) / "postgres" / "data") as server,
    ):
        yield _Place(server, plugins, Path(folder))


def _course(place: _Place, kind: str, api: str) -> Course:
    with opened(api, place.server, "measured") as scene:
        course = measured(scene, place.pipeline(scene, kind))
    _say(
        f"{kind}, {api}, undisturbed: {course.start_up:.1f} s to start, {course.load:.1f} s for "
        f"{course.requests} requests, {course.tail:.1f} s to end"
    )
    return course


def _life(place: _Place, seed: int, number: int, courses: dict[tuple[str, str], Course]) -> Life:
    """One life, decided by seed and number; said in a few lines."""
    rng = random.Random(f"{seed} {number}")  # noqa: S311  # moments, not secrets
    api = ("results", "group_tree")[number % 2]
    kind = "meltano" if number % _EVERY_SO_MANYETH_IS_MELTANO == 0 else "pipe"
    if (kind, api) not in courses:
        courses[kind, api] = _course(place, kind, api)
    rewrites = rng.random() < 0.5  # a coin
    with opened(api, place.server, f"life_{number}", rewrites=rewrites, seed=number) as scene:
        pipeline = place.pipeline(scene, kind)
        times = 2 if rng.random() < _TWICE_SHARE else 1
        kills = [drawn(rng, pipeline.victims, courses[kind, api]) for _ in range(times)]
        life = lived(scene, pipeline, kills)
    what = f"{kind}, {api}{', history rewritten' if rewrites else ''}"
    _say(f"{number:3d} {what}: {life.rows} rows for {life.expected}", *map(str, life.blows), *life.wrong)
    return life


def _say(first: str, *others: str) -> None:
    sys.stdout.write("\n      ".join([first, *others]) + "\n")
    sys.stdout.flush()


def _figures(lives: list[Life], seconds: float) -> None:
    """What a page wants to know."""
    blows = [(life, blow) for life in lives for blow in life.blows]
    counts: dict[str, Counter[str]] = {
        "victim": Counter(f"{blow.kill.signal.name} to {blow.kill.victim}" for _, blow in blows),
        "moment": Counter(blow.kill.phase for _, blow in blows),
        "rows there when it had ended": Counter(_stage(life, blow.hit, blow.rows) for life, blow in blows),
        "exit of a killed run": Counter(str(blow.status) for _, blow in blows if blow.hit),
    }
    for title, counted in counts.items():
        _say(title, *(f"{times:3d}  {name}" for name, times in sorted(counted.items())))
    wrong = sum(bool(life.wrong) for life in lives)
    rows = sum(life.expected for life in lives)
    _say(f"{len(lives)} loads, {len(blows)} kills, {wrong} wrong, {rows} rows compared, {seconds:.0f} s")


def _stage(life: Life, hit: int, rows: int) -> str:
    """How far a run had come, by what it left in PostgreSQL."""
    if not hit:
        return "the run was over"
    if rows == 0:
        return "none"
    return "some" if rows < life.expected else "all"


def main() -> int:
    """Kill as often as the command line says; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__)
    parser.add_argument("--times", type=int, default=50, help="how many loads are killed")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other moments")
    parser.add_argument("--only", type=int, help="the load of one number")
    asked = parser.parse_args()
    began = time.monotonic()
    courses: dict[tuple[str, str], Course] = {}
    with _place() as place:
        numbers = range(asked.times) if asked.only is None else [asked.only]
        lives = [_life(place, asked.seed, number, courses) for number in numbers]
    _figures(lives, time.monotonic() - began)
    return 1 if any(life.wrong for life in lives) else 0


if __name__ == "__main__":
    sys.exit(main())
