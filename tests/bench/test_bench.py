"""The benchmarks: the replay server, the output of commands, figures and the page."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

import pytest

from bench import __main__ as bench
from bench.commands import Commands
from bench.figures import Figure
from bench.output import OutputSummary
from bench.page import REASONS, render_figure, render_page
from bench.processes import ROOT, run
from bench.profiling import Profile
from bench.query import APIS, request_body
from bench.replay import RequestCount, replay_server
from bench.responses import BUCKETS, Responses

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.query import Api


@pytest.mark.parametrize("api", APIS)
def test_the_tap_writes_the_same_rows_as_an_sdk_default_tap(api: Api, tmp_path: Path) -> None:
    """The same number of rows and columns and the same sum of all numbers, with one request per window."""
    ours, theirs = tmp_path / "tap.jsonl", tmp_path / "sdk.jsonl"
    with replay_server(api, groups=2) as url:
        commands = Commands(api, url, 2, tmp_path)
        cost = run(commands.tap(2), ours)
        assert RequestCount(url).requests == 2
        run(commands.sdk_default(2), theirs)
        assert RequestCount(url).requests == 2
    assert cost.cpu > 0
    assert cost.memory > 10
    assert OutputSummary.read([ours]) == OutputSummary.read([theirs])
    assert OutputSummary.read([ours]).rows == 2 * 2 * BUCKETS


@pytest.mark.parametrize("api", APIS)
def test_responses_contain_the_requested_days(api: Api) -> None:
    """A response to a longer interval contains each of its days with the right date."""
    request = json.dumps(request_body(api, "2020-02-28", "2020-03-01")).encode()
    text = Responses.encode(api, groups=1).for_request(request).decode()
    assert json.loads(text)
    assert "2020-02-28T00:00" in text
    assert "2020-02-29T23:30" in text
    assert "2000-01" not in text


def test_a_figure_shows_whether_its_goal_was_reached() -> None:
    """The median counts, and every further condition must be met."""
    good = Figure.from_ratios("this relative to that", [1.0, 9.0, 8.0], ("at least", 8), "by hand")
    assert good.reached
    assert render_figure(good).startswith(
        "| this relative to that | at least 8 | 8.00 | 1.00 to 9.00 | reached |"
    )
    assert not Figure.from_ratios(
        "the same", [9.0], ("at least", 8), "by hand", (("and so on", False),)
    ).reached


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ('{"type": "RECORD", "stream": "rows", "record": {"id": "a", "n": 2, "final": true}}', 2),
        ('{"type": "RECORD", "record": {"stream": "rows", "data": {"id": 1, "n": 2.5, "x": true}}}', 3.5),
        ('{"id": "a", "n": null, "final": true, "_dlt_id": "x", "_dlt_load_id": "1"}', 0),
    ],
)
def test_the_output_of_every_peer_can_be_read(text: str, number: float, tmp_path: Path) -> None:
    """Singer, Airbyte and plain rows have three columns each; other messages and streams are not counted."""
    others = [
        '{"type": "STATE", "value": {"n": 7}}',
        '{"type": "LOG", "log": {"level": "INFO"}}',
        '{"type": "RECORD", "stream": "extractions", "record": {"row_count": 7}}',
    ]
    output = tmp_path / "out"
    output.write_text("\n".join([*others, text, text]) + "\n", encoding="utf-8")
    assert OutputSummary.read([output]) == OutputSummary(2, frozenset({3}), 2 * number)


GOOD = Figure.from_ratios("this relative to that", [9.0], ("at least", 8), "by hand")
BAD = Figure.from_ratios("that relative to this", [7.0], ("at least", 8), "by hand")
PROFILE = Profile("results", {"a.py:f": 0.75, "b.py:g": 0.25}, {"a.py:f": 1.0, "b.py:g": 0.25}, "by hand")


def test_the_page_explains_a_missed_goal() -> None:
    """With the hand-written reasons and the profile; a page without a missed goal has neither."""
    reasons = REASONS.read_text(encoding="utf-8")
    missed, reached = render_page([GOOD, BAD], [PROFILE]), render_page([GOOD])
    assert reasons in missed
    assert "| `a.py:f` | 75.0% | 100.0% |" in missed
    assert reasons not in reached
    assert "goal is missed" in missed
    assert "goal is missed" not in reached
    assert "dlt 1." in reached


def _main(monkeypatch: pytest.MonkeyPatch, folder: Path, figures: Iterator[Figure]) -> tuple[int, Path]:
    """Run the command with made-up figures; return its exit status and the path of the page."""
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
    """If a peer wrote other rows, the command fails, names the peer, and does not write the page."""

    def figures() -> Iterator[Figure]:
        yield GOOD
        OutputSummary(9, frozenset({3}), 1.0).require_equal(OutputSummary(10, frozenset({3}), 1.0), "airbyte")

    status, written = _main(monkeypatch, tmp_path, figures())
    assert (status, written.exists()) == (1, False)
    assert "airbyte wrote OutputSummary(rows=9" in capsys.readouterr().err


@pytest.mark.parametrize("figure", [GOOD, BAD])
def test_a_missed_rate_is_profiled(figure: Figure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The command fails and the page has the profile; if the goal is reached, neither happens."""
    status, written = _main(monkeypatch, tmp_path, iter([figure]))
    text = written.read_text(encoding="utf-8")
    assert render_figure(figure) in text
    assert (status == 1, PROFILE.table in text) == (figure is BAD, figure is BAD)


def test_the_page_on_many_organizations_has_the_figures_that_were_measured() -> None:
    page = (ROOT / "docs" / "many-organizations.md").read_text("utf-8")
    told = [[cell.split(" ")[0] for cell in line.split(" | ")[1:]] for line in page.splitlines()]
    figures = [line.split(" | ") for line in (ROOT / "bench" / "README.md").read_text("utf-8").splitlines()]
    spark = [cells for cells in figures if cells[0].startswith("| Spark:")]
    assert len(spark) == 4
    for _, _, ratio, *_, method in spark:
        compared = re.search(r"(\S+) against (\S+)", method)
        assert [*(compared.groups() if compared else (ratio, "1"))] in told
