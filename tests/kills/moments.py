"""When, how and whom to kill: decided by a seed, measured against a run that nobody disturbed."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tests.kills.pipelines import until

if TYPE_CHECKING:
    from random import Random

    from tests.kills.pipelines import Pipeline, Victim
    from tests.kills.scene import Scene

_START_UP_SHARE = 0.15
_SIGNALS = (signal.SIGKILL, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Course:
    """How a run goes that nobody disturbs.

    Attributes:
        start_up: Seconds until it asks for data.
        load: Seconds from there to its last request.
        tail: Seconds from there to its end.
        requests: How many requests for data it sends.
    """

    start_up: float
    load: float
    tail: float
    requests: int


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: so many seconds after so many requests for data.

    A moment is told by what the run has done, not by the clock alone, so that it means the same on a
    machine that is busy.
    """

    signal: signal.Signals
    victim: Victim
    requests: int
    seconds: float
    phase: Literal["start-up", "load", "end"] = "load"


def drawn(rng: Random, victims: tuple[Victim, ...], course: Course) -> Kill:
    """A kill at a random moment: one in seven while the run starts, the others while it loads or ends."""
    number, victim = rng.choice(_SIGNALS), rng.choice(victims)
    if rng.random() < _START_UP_SHARE:
        return Kill(number, victim, 0, rng.uniform(0, course.start_up), "start-up")
    moment = rng.uniform(0, course.load + course.tail)
    if moment > course.load:
        return Kill(number, victim, course.requests, moment - course.load, "end")
    pause = course.load / course.requests
    whole, rest = divmod(moment, pause)
    return Kill(number, victim, int(whole) + 1, rest)


def measured(scene: Scene, pipeline: Pipeline) -> Course:
    """Run once undisturbed, and see how that goes.

    Raises:
        RuntimeError: It fails.
    """
    before, began = scene.asked(), time.monotonic()
    marks = [began]
    seen = before
    with pipeline.run() as running:

        def ended() -> bool:
            nonlocal seen
            if (now := scene.asked()) > seen:
                seen = now
                marks.append(time.monotonic())
            return running.over()

        if not until(ended) or running.status():
            said = pipeline.log.read_text(encoding="utf-8")[-3000:]
            raise RuntimeError(f"a run that nobody disturbed failed:\n{said}")
    return Course(marks[1] - began, marks[-1] - marks[1], time.monotonic() - marks[-1], seen - before)
