"""A few kills of the real pipeline; ``python -m tests.kills`` makes many."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.kills.loads import OLD, Kill, Timing, draw_kill, load_with_kills, set_up
from tests.kills.pipelines import Meltano, Pipe, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from demo.postgres import Postgres
    from demo.project import Project

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.meltano]


@pytest.mark.parametrize(
    ("api", "kills"),
    [
        pytest.param("results", [Kill(signal.SIGKILL, "all", 9, 0.05)], id="all at once"),
        pytest.param(
            "group_tree",
            [Kill(signal.SIGTERM, "tap", 16, 0.05), Kill(signal.SIGKILL, "target", 8, 0.02)],
            id="the tap, then the target",
        ),
    ],
)
def test_a_load_survives_kills_of_the_pipe(
    postgres: Postgres, target_postgres: Path, tmp_path: Path, api: str, kills: list[Kill]
) -> None:
    """The next run loads what is missing: PostgreSQL holds the expected rows, and no window lacks any."""
    with set_up(api, postgres, f"killed_{api}") as setup:
        result = load_with_kills(setup, Pipe(setup, tmp_path, target_postgres), kills)
        requests = setup.requests()
    assert result.failures == ()
    assert result.rows == result.expected > 0
    for each in result.kills:
        assert each.hit
        assert each.status
        assert each.rows < result.expected
    assert requests > sum(kill.requests for kill in kills)


def test_a_load_survives_a_kill_of_meltano(postgres: Postgres, project: Project) -> None:
    """The tap and the target end by themselves, history is rewritten, and the next run completes the load."""
    kill = Kill(signal.SIGKILL, "meltano", 15, 0.05)
    with set_up("results", postgres, "killed_meltano", rewrites=True) as setup:
        result = load_with_kills(setup, Meltano(setup, project.folder), [kill])
    assert result.failures == ()
    (killed,) = result.kills
    assert (killed.hit, killed.status) == (1, -signal.SIGKILL)
    assert killed.rows < result.expected <= result.rows


def test_a_settled_month_that_changed_survives_kills_while_it_is_read_again(
    postgres: Postgres, target_postgres: Path, tmp_path: Path
) -> None:
    """All processes at the look, the target and then the tap while it reads again; then a run to the end."""
    with set_up("results", postgres, "killed_old") as daily:
        setup = replace(daily, is_old=True)
        pipeline = Pipe(replace(setup, max_window="P31D"), tmp_path, target_postgres)
        with pipeline.run() as running:
            assert wait_until(running.ended)
            assert running.status() == 0
        known, left = _rechecks(pipeline)
        assert (len(known) >= 2, left, setup.rechecked()) == (True, [], 0)
        setup.rewrite_old_month()
        pipeline = Pipe(setup, tmp_path, target_postgres)  # windows of one day from now on
        result = load_with_kills(
            setup,
            pipeline,
            [
                Kill(signal.SIGKILL, "all", 1, 0.0),
                Kill(signal.SIGKILL, "target", 16, 0.02),
                Kill(signal.SIGTERM, "tap", 16, 0.05),
            ],
        )
        rechecked = setup.rechecked()
    assert result.failures == ()
    assert all(each.hit and each.status for each in result.kills)
    first, following = setup.old_month
    assert rechecked >= (following - first).days, "each day was a window"
    assert result.rows > result.expected > 0, "rows that the source has deleted are left in the table alone"
    now_known, left = _rechecks(pipeline)
    assert left == []
    assert [name for name in known if now_known[name] != known[name]] == [f"{first:%Y-%m}"]


def _rechecks(pipeline: Pipe) -> tuple[dict[str, str], list[list[str]]]:
    """The fingerprint of each month in the state, and what is left to read again."""
    state = json.loads(pipeline.state.read_text("utf-8"))
    rechecks = state["bookmarks"][OLD["name"]]["rechecks"]
    known = {
        f"{year}-{month}": entry.partition(" ")[0]
        for year, months in rechecks["months"].items()
        for month, entry in months.items()
    }
    return known, rechecks.get("rereads", [])


def test_most_kills_are_drawn_for_the_load() -> None:
    """Most come between the first request and the end of the run, up to its last moment."""
    rng = Random(1)  # noqa: S311  # moments, not secrets
    timing = Timing(start_up=3.0, load=2.0, tail=1.0, requests=24)
    kills = [draw_kill(rng, ("all", "tap"), timing) for _ in range(1000)]
    early = [kill for kill in kills if kill.requests == 0]
    assert 100 < len(early) < 200
    assert {kill.requests for kill in kills} == set(range(timing.requests + 1))
    assert max(kill.seconds for kill in kills if kill.requests == timing.requests) > 0.9
    assert {(kill.signal, kill.victim) for kill in kills} == {
        (number, victim) for number in (signal.SIGKILL, signal.SIGTERM) for victim in ("all", "tap")
    }
