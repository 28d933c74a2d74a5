"""The bench measures what it says, and says what it measured."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from bench import __main__ as bench
from bench.asking import APIS, question
from bench.bodies import BUCKETS, Bodies
from bench.contenders import Stage
from bench.figures import Figure
from bench.made import Made
from bench.processes import run
from bench.profiling import Profile
from bench.serving import Usage, server
from bench.table import REASONS, line, page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.asking import Api


@pytest.mark.parametrize("api", APIS)
def test_the_taps_rows_are_those_of_the_sdks_default_way(api: Api, tmp_path: Path) -> None:
    """As many rows and columns, and the same sum of all numbers, for one request a window."""
    ours, theirs = tmp_path / "tap.jsonl", tmp_path / "sdk.jsonl"
    with server(api, groups=2) as url:
        stage = Stage(api, url, 2, tmp_path)
        cost = run(stage.tap(2), ours)
        assert Usage(url).requests == 2
        run(stage.sdk_default(2), theirs)
        assert Usage(url).requests == 2
    assert cost.cpu > 0
    assert cost.memory > 10
    assert Made.of([ours]) == Made.of([theirs])
    assert Made.of([ours]).rows == 2 * 2 * BUCKETS


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


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ('{"type": "RECORD", "stream": "rows", "record": {"id": "a", "n": 2, "final": true}}', 2),
        ('{"type": "RECORD", "record": {"stream": "rows", "data": {"id": 1, "n": 2.5, "x": true}}}', 3.5),
        ('{"id": "a", "n": null, "final": true, "_dlt_id": "x", "_dlt_load_id": "1"}', 0),
    ],
)
def test_rows_are_read_as_each_contender_writes_them(text: str, number: float, tmp_path: Path) -> None:
    """Singer's, Airbyte's and plain rows: three columns each; other messages and other streams are none."""
    others = [
        '{"type": "STATE", "value": {"n": 7}}',
        '{"type": "LOG", "log": {"level": "INFO"}}',
        '{"type": "RECORD", "stream": "extractions", "record": {"rows": 7}}',
    ]
    output = tmp_path / "out"
    output.write_text("\n".join([*others, text, text]) + "\n", encoding="utf-8")
    assert Made.of([output]) == Made(2, frozenset({3}), 2 * number)


GOOD = Figure.of("this beside that", [9.0], ("at least", 8), "by hand")
BAD = Figure.of("that beside this", [7.0], ("at least", 8), "by hand")
PROFILE = Profile("results", {"a.py:f": 0.75, "b.py:g": 0.25}, {"a.py:f": 1.0, "b.py:g": 0.25}, "by hand")


def test_the_page_says_why_where_a_figure_falls_short() -> None:
    """Hand-written reasons and where time goes; a page without a miss has neither."""
    reasons = REASONS.read_text(encoding="utf-8")
    missed, reached = page([GOOD, BAD], [PROFILE]), page([GOOD])
    assert reasons in missed
    assert "| `a.py:f` | 75.0% | 100.0% |" in missed
    assert reasons not in reached
    assert "falls short" not in reached
    assert "dlt 1." in reached


def _main(monkeypatch: pytest.MonkeyPatch, folder: Path, figures: Iterator[Figure]) -> tuple[int, Path]:
    """Run the bench with figures from elsewhere: its status, and the page where it is written."""
    parts = dict.fromkeys(bench.PARTS, lambda *_: figures)
    (folder / "bench").mkdir()
    monkeypatch.setattr(bench, "PARTS", parts)
    monkeypatch.setattr(bench, "ROOT", folder)
    monkeypatch.setattr(bench, "profiles", lambda *_: [PROFILE])
    monkeypatch.setattr(sys, "argv", ["bench"])
    return bench.main(), folder / "bench" / "README.md"


def test_different_rows_are_not_published(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a contender made other rows, the command fails, says whose, and leaves the page as it was."""

    def figures() -> Iterator[Figure]:
        yield GOOD
        Made(9, frozenset({3}), 1.0).must_be(Made(10, frozenset({3}), 1.0), "airbyte")

    status, written = _main(monkeypatch, tmp_path, figures())
    assert (status, written.exists()) == (1, False)
    assert "airbyte made Made(rows=9" in capsys.readouterr().err


@pytest.mark.parametrize("figure", [GOOD, BAD])
def test_a_missed_rate_brings_its_profile(
    figure: Figure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Then the command fails, and the page says where time goes; otherwise neither."""
    status, written = _main(monkeypatch, tmp_path, iter([figure]))
    text = written.read_text(encoding="utf-8")
    assert line(figure) in text
    assert (status == 1, PROFILE.table in text) == (figure is BAD, figure is BAD)
