"""A few kills of the real thing; ``python -m tests.kills`` makes many."""

from __future__ import annotations

import signal
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.kills.lives import lived
from tests.kills.moments import Course, Kill, drawn
from tests.kills.pipelines import Meltano, Pipe
from tests.kills.scene import opened

if TYPE_CHECKING:
    from pathlib import Path

    from demo.postgres import Postgres
    from demo.project import Project

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.meltano]


@pytest.mark.parametrize(
    ("api", "kills"),
    [
        pytest.param("results", [Kill(signal.SIGKILL, "all", 9, 0.05)], id="everything at once"),
        pytest.param(
            "group_tree",
            [Kill(signal.SIGTERM, "tap", 16, 0.05), Kill(signal.SIGKILL, "target", 8, 0.02)],
            id="the tap, then the target",
        ),
    ],
)
def test_a_killed_pipe(
    postgres: Postgres, target_postgres: Path, tmp_path: Path, api: str, kills: list[Kill]
) -> None:
    """The run after it brings what is missing: PostgreSQL holds the witness's rows, and no window lacks."""
    with opened(api, postgres, f"killed_{api}") as scene:
        life = lived(scene, Pipe(scene, tmp_path, target_postgres), kills)
        last = scene.asked()
    assert life.wrong == ()
    assert life.rows == life.expected > 0
    for blow in life.blows:
        assert blow.hit
        assert blow.status
        assert blow.rows < life.expected
    assert last > sum(kill.requests for kill in kills)


def test_a_killed_meltano(postgres: Postgres, project: Project) -> None:
    """What it leaves behind ends by itself, history moves on, and the next run makes all of it right."""
    with opened("results", postgres, "killed_meltano", rewrites=True) as scene:
        life = lived(scene, Meltano(scene, project.folder), [Kill(signal.SIGKILL, "meltano", 15, 0.05)])
    assert life.wrong == ()
    (blow,) = life.blows
    assert (blow.hit, blow.status) == (1, -signal.SIGKILL)
    assert blow.rows < life.expected <= life.rows


def test_moments_fall_into_the_load() -> None:
    """Most kills are drawn for the time between the first request and the end, up to the last moment."""
    rng = Random(1)  # noqa: S311  # moments, not secrets
    course = Course(start_up=3.0, load=2.0, tail=1.0, requests=24)
    kills = [drawn(rng, ("all", "tap"), course) for _ in range(1000)]
    early = [kill for kill in kills if kill.requests == 0]
    assert 100 < len(early) < 200
    assert {kill.requests for kill in kills} == set(range(course.requests + 1))
    assert max(kill.seconds for kill in kills if kill.requests == course.requests) > 0.9
    assert {(kill.signal, kill.victim) for kill in kills} == {
        (number, victim) for number in (signal.SIGKILL, signal.SIGTERM) for victim in ("all", "tap")
    }
