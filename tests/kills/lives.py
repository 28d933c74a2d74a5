"""A load that is killed once or twice, then left alone: what came of it."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from typing_extensions import override

from tests.kills.pipelines import until
from tests.kills.scene import BEHIND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.kills.moments import Kill
    from tests.kills.pipelines import Pipeline, Running
    from tests.kills.scene import Scene


@dataclass(frozen=True, slots=True)
class Blow:
    """What one kill did.

    Attributes:
        kill: What was meant.
        hit: How many processes it hit; 0 where the run was over before.
        status: How the run ended.
        rows: Rows in PostgreSQL once it had.
    """

    kill: Kill
    hit: int
    status: int
    rows: int

    @override
    def __str__(self) -> str:
        """In words."""
        kill = self.kill
        moment = f"{kill.seconds:.2f} s after {kill.requests:2d} requests"
        return (
            f"{kill.signal.name} to {kill.victim:7} {moment}: {self.hit} hit, {self.status}, {self.rows} rows"
        )


@dataclass(frozen=True, slots=True)
class Life:
    """A load from its first run to its last.

    Attributes:
        blows: Its kills, in order.
        expected: Rows that the witness has in the end.
        rows: Rows in PostgreSQL in the end, those that a rewrite removed among them.
        wrong: What is not as it must be.
    """

    blows: tuple[Blow, ...]
    expected: int
    rows: int
    wrong: tuple[str, ...]


def lived(scene: Scene, pipeline: Pipeline, kills: Sequence[Kill]) -> Life:
    """Run once for each kill, then once to the end; history moves on between runs if it can."""
    wrong: list[str] = []
    blows = []
    for number, kill in enumerate(kills):
        blows.append(_struck(scene, pipeline, kill, wrong))
        if scene.sandbox.options.rewrites:
            share = (number + 1) / len(kills)
            scene.clock.set(scene.now - BEHIND + timedelta(seconds=BEHIND.total_seconds() * share))
    with pipeline.run() as running:
        if not until(running.over):
            wrong.append("the last run does not end")
        elif status := running.status():
            wrong.append(f"the last run ended with {status}")
    wrong += scene.wrong()
    expected = sum(map(len, scene.expected().values()))
    return Life(tuple(blows), expected, scene.rows(), tuple(wrong))


def _struck(scene: Scene, pipeline: Pipeline, kill: Kill, wrong: list[str]) -> Blow:
    """One run that is killed; what is left of it must end by itself."""
    before = scene.asked()
    with pipeline.run() as running:
        until(lambda: running.over() or scene.asked() - before >= kill.requests)
        until(running.over, kill.seconds)
        hit = strike(running, kill)
        if not until(running.over):
            wrong.append(f"what {kill} left does not end")
            return Blow(kill, hit, -1, scene.rows())
        status = running.status()
    if hit == 0 and status:
        wrong.append(f"a run that nobody hit ended with {status}")
    return Blow(kill, hit, status, scene.rows())


def strike(running: Running, kill: Kill) -> int:
    """Kill the victim, as soon as it is there; how many processes were hit."""
    until(lambda: running.over() or bool(running.pids(kill.victim)))
    hit = 0
    for pid in running.pids(kill.victim):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, kill.signal)
            hit += 1
    return hit
