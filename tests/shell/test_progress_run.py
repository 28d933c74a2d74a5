"""What a whole run says of its progress, and where."""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from genesys_sandbox import Options, Rule, Rules, Sandbox, SettableClock
from genesys_sandbox.faults import status
from tests.pipeline.running import Time, config, run
from tests.shell.watching import LOGGER, Terminal

if TYPE_CHECKING:
    from tests.pipeline.running import Message, Outcome

QUERIES = ("calls", "talks")
NOW = datetime(2026, 3, 22, tzinfo=timezone.utc)
SETTINGS = config(
    queries=[{"name": name, "metrics": ["nOffered"], "granularity": "PT1H"} for name in QUERIES],
    end_date="2026-03-12T00:00:00Z",
)


def pulled(
    seconds: float, *, faults: Rules | None = None, state: Message | None = None, concurrency: int = 1
) -> Outcome:
    """Pull ten days twice; each request takes so long."""
    time = Time(NOW)
    clock = SettableClock(NOW)
    sandbox = Sandbox(Options(volume=0.1, latency=seconds), now=clock, sleep=time.sleep, faults=faults)
    return run(sandbox, {**SETTINGS, "concurrency": concurrency}, state=state, time=time)


@pytest.fixture(autouse=True)
def _at_info(caplog: pytest.LogCaptureFixture) -> None:
    """The level that a run has."""
    caplog.set_level(logging.INFO, LOGGER)


def told(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The fields of each line."""
    return [record.__dict__ for record in caplog.records if "share" in record.__dict__]


def test_a_run_says_how_far_it_is(caplog: pytest.LogCaptureFixture) -> None:
    """Two queries of ten windows and as many requests of four seconds each: lines between and at the end."""
    outcome = pulled(4.0)
    assert outcome.error is None
    calls, talks = ([line for line in told(caplog) if line["query"] == name] for name in QUERIES)
    assert [line["windows"] for line in calls] == [2, 5, 8, 10]  # the token took its time too
    assert [line["windows"] for line in talks] == [3, 6, 9, 10]
    assert [line["share"] for line in talks] == [0.3, 0.6, 0.9, 1.0]
    assert [line["requests"] for line in talks] == [3, 6, 9, 10]
    assert [line["seconds_left"] for line in talks] == [28.0, 16.0, 4.0, 0.0]
    assert [calls[-1]["rows"], talks[-1]["rows"]] == [len(outcome.rows(name)) for name in QUERIES]
    assert talks[-1]["rows"] > talks[0]["rows"] > 0


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_terminal_shows_it(monkeypatch: pytest.MonkeyPatch, concurrency: int) -> None:
    """One line a query stays, all of it done; standard output holds the same messages as ever."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    outcome = pulled(4.0, concurrency=concurrency)
    assert outcome.error is None
    assert {message["type"] for message in outcome.messages} == {"SCHEMA", "RECORD", "STATE"}
    shown = [line for line in terminal.lines if line]
    assert [line.split(" 100%")[0] for line in shown] == [
        f"{name} [####################]" for name in QUERIES
    ]
    assert len(terminal.drawn) > len(shown)


def test_nothing_new_is_done_at_once(caplog: pytest.LogCaptureFixture) -> None:
    """A query that has no window to read says that it is done."""
    state = pulled(1.0).state
    caplog.clear()
    assert pulled(1.0, state=state).error is None
    assert [(line["query"], line["windows"], line["share"]) for line in told(caplog)] == [
        (name, 0, 1.0) for name in QUERIES
    ]


def test_a_retry_is_logged_above_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The warning of a try that failed stands whole, and the line goes on beneath it."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    handler = logging.StreamHandler(terminal)
    logging.getLogger().addHandler(handler)
    try:
        outcome = pulled(4.0, faults=Rules(Rule(status(503, "9"), match="/api/", after=5)))
    finally:
        logging.getLogger().removeHandler(handler)
    assert outcome.error is None
    tries = [line for line in terminal.lines if "Attempt 1 failed" in line]
    assert len(tries) == 1
    assert tries[0].startswith("Attempt 1 failed; retrying in 9.0 s")
    assert len([line for line in terminal.lines if "100%" in line]) == 2
