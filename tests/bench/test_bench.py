"""The bench measures what it says: contenders make the same rows of the same answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bench.bodies import APIS, BUCKETS, Bodies, question
from bench.contenders import Stage
from bench.figures import Figure
from bench.processes import run
from bench.serving import Tally, server
from bench.table import line

if TYPE_CHECKING:
    from pathlib import Path

    from bench.bodies import Api


def _rows(output: Path) -> list[dict[str, object]]:
    """The rows of an output, of Singer messages or plain."""
    lines = [json.loads(text) for text in output.read_text(encoding="utf-8").splitlines()]
    records = [each["record"] for each in lines if each.get("stream") == "rows" and each["type"] == "RECORD"]
    return records or lines


@pytest.mark.parametrize("api", APIS)
def test_contenders_make_the_same_rows(api: Api, tmp_path: Path) -> None:
    """The tap and the script give as many rows, with the same numbers, for one request a window."""
    ours, theirs = tmp_path / "tap.jsonl", tmp_path / "script.jsonl"
    with server(api, groups=2) as url:
        stage = Stage(api, url, 2, tmp_path)
        cost = run(stage.tap(2), ours)
        assert Tally(url).requests == 2
        run(stage.script(2), theirs)
    assert cost.cpu > 0
    assert cost.memory > 10
    made, expected = _rows(ours), _rows(theirs)
    assert len(made) == len(expected) == 2 * 2 * BUCKETS
    assert [_numbers(row) for row in made] == [_numbers(row) for row in expected]


def _numbers(row: dict[str, object]) -> list[float]:
    """The numbers of a row, in whatever order."""
    return sorted(value for value in row.values() if isinstance(value, int | float) and value is not True)


@pytest.mark.parametrize("api", APIS)
def test_answers_hold_the_days_asked_for(api: Api) -> None:
    """A longer interval brings each of its days, dated."""
    asked = json.dumps(question(api, "2020-02-28", "2020-03-01")).encode()
    text = Bodies.of(api, groups=1).answer(asked).decode()
    assert json.loads(text)
    assert "2020-02-28T00:00" in text
    assert "2020-02-29T23:30" in text
    assert "2000-01" not in text


def test_a_figure_is_a_line_that_says_whether_its_goal_was_reached() -> None:
    """The median counts, and what must hold besides."""
    good = Figure.of("this beside that", [1.0, 9.0, 8.0], ("at least", 8), "by hand")
    assert good.reached
    assert line(good).startswith("| this beside that | at least 8 | 8.00 | 1.00 to 9.00 | reached |")
    assert not Figure.of("the same", [9.0], ("at least", 8), "by hand", (("and so on", False),)).reached
