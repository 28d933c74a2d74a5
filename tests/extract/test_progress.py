"""How far a query is: log lines, or a status line on a terminal."""

from __future__ import annotations

import io
import json
import logging
import threading
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.logging import StructuredFormatter
from typing_extensions import override

from genesys_sandbox import Options, Rule, Rules, Sandbox, SettableClock
from genesys_sandbox.faults import status
from tap_genesys_aggregates.core.rows import Stamp
from tap_genesys_aggregates.core.windows import Window
from tap_genesys_aggregates.extract.progress import DRAWN_EVERY, LOGGED_EVERY, Progress, StatusLine
from tap_genesys_aggregates.extract.pulling import WindowPart
from tap_genesys_aggregates.http.usage import Usage
from tests.http.fake_server import FakeClock
from tests.pipeline import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.pipeline.running import Message, Outcome

START = datetime(2023, 11, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)
LOGGER = "tap-genesys-aggregates"


class Terminal(io.StringIO):
    """A stream that says it is a terminal, and knows what is shown on it."""

    @override
    def isatty(self) -> bool:
        return True

    @property
    def drawn(self) -> list[str]:
        """Every text that was drawn, whether or not it is still visible."""
        return [each for line in self.getvalue().split("\n") for each in line.split("\r") if each.strip()]

    @property
    def lines(self) -> list[str]:
        """What is visible: text after a carriage return overwrites the line."""
        shown = []
        for line in self.getvalue().split("\n"):
            cells = ""
            for each in line.split("\r"):
                cells = each + cells[len(each) :]
            shown.append(cells.rstrip())
        return shown


def part(day: int, rows: int = 100, requests: int = 2, *, complete: bool = True) -> WindowPart:
    """The result of one day."""
    window = Window(START + day * DAY, START + (day + 1) * DAY)
    usage = Usage(requests=requests, rows=rows)
    return WindowPart(window, Stamp("", ""), [], usage, window if complete else None)


def days(clock: FakeClock, number: int, seconds: float) -> Iterator[list[WindowPart]]:
    """A number of days, each of which takes so long."""
    for day in range(number):
        clock.advance(seconds)
        yield [part(day)]


def watch(stream: io.StringIO, number: int, seconds: float) -> None:
    """Pull a number of days at a steady pace."""
    clock = FakeClock()
    progress = Progress(clock.monotonic, stream)
    pulled = progress.over("calls", START, START + number * DAY, days(clock, number, seconds))
    assert len(list(pulled)) == number


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The log, at the level that a run has."""
    caplog.set_level(logging.INFO, LOGGER)
    return caplog


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal to which the root logger writes, as the SDK sets it up."""
    made, root = Terminal(), logging.getLogger()
    handler = logging.StreamHandler(made)
    root.addHandler(handler)
    yield made
    assert handler.stream is made
    root.removeHandler(handler)


def logged(log: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    """The fields of each line, as in the SDK's structured log."""
    lines = [json.loads(StructuredFormatter().format(record)) for record in log.records]
    return [{**line["extra"], "message": line["message"]} for line in lines]


@pytest.mark.parametrize(
    ("number", "seconds", "windows"),
    [(100, 1.0, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 100]), (5, 7.0, [2, 4, 5])],
)
def test_a_line_is_logged_at_most_every_ten_seconds(
    log: pytest.LogCaptureFixture, number: int, seconds: float, windows: list[int]
) -> None:
    """And one at the end."""
    watch(io.StringIO(), number, seconds)
    assert [line["windows"] for line in logged(log)] == windows


@pytest.mark.parametrize(("number", "seconds"), [(3, 0.1), (0, 1.0)])
def test_a_short_query_is_logged_once(log: pytest.LogCaptureFixture, number: int, seconds: float) -> None:
    """At its end, even if there was nothing to do."""
    watch(io.StringIO(), number, seconds)
    assert [(line["windows"], line["share"], line["seconds_left"]) for line in logged(log)] == [
        (number, 1.0, 0.0)
    ]


def test_the_time_left_is_right_at_a_steady_pace(log: pytest.LogCaptureFixture) -> None:
    """Thirty days of twelve seconds each: after each of them, twelve seconds remain per day."""
    watch(io.StringIO(), 30, 12.0)
    assert [line["seconds_left"] for line in logged(log)] == [
        *(12.0 * left for left in range(29, -1, -1)),
        0.0,
    ]
    assert logged(log)[9] == {
        "query": "calls",
        "windows": 10,
        "rows": 1000,
        "requests": 20,
        "share": 0.3333,
        "seconds_left": 240.0,
        "message": "query 'calls': 33%, 0:04:00 left, 10 windows, 1,000 rows, 20 requests",
    }
    assert (
        logged(log)[-1]["message"] == "query 'calls': 100%, in 0:06:00, 30 windows, 3,000 rows, 60 requests"
    )


def test_a_window_counts_when_it_is_complete(log: pytest.LogCaptureFixture) -> None:
    """If it comes in batches, rows and requests count at once, and its share when all of them are there."""
    clock = FakeClock()
    pulled = Progress(clock.monotonic, io.StringIO()).over(
        "users", START, START + 2 * DAY, iter([[part(0, complete=False)], [part(0)], [part(1)]])
    )
    for _ in pulled:
        clock.advance(LOGGED_EVERY)
    fields = [(each["windows"], each["rows"], each["share"], each["seconds_left"]) for each in logged(log)]
    assert fields == [(0, 100, 0.0, None), (1, 200, 0.5, 20.0), (2, 300, 1.0, 0.0), (2, 300, 1.0, 0.0)]


def test_rows_are_counted_after_they_were_written(log: pytest.LogCaptureFixture) -> None:
    """Their number is only known then."""
    clock = FakeClock()
    pulled = Progress(clock.monotonic, io.StringIO()).over("calls", START, START + DAY, [[part(0, rows=0)]])
    for parts in pulled:
        parts[0].usage.rows = 77
    assert logged(log)[-1]["rows"] == 77


def test_a_terminal_is_drawn_at_most_five_times_a_second(log: pytest.LogCaptureFixture) -> None:
    """A thousand windows in ten seconds are drawn about fifty times; nothing is logged."""
    terminal = Terminal()
    watch(terminal, 1000, 0.01)
    assert 10 / DRAWN_EVERY * 0.9 <= len(terminal.drawn) <= 10 / DRAWN_EVERY + 2
    assert log.records == []


def test_a_terminal_shows_one_line() -> None:
    """It is overwritten; the last one stays, followed by a line break."""
    terminal = Terminal()
    watch(terminal, 4, 30.0)
    assert [text.rstrip() for text in terminal.drawn] == [
        "calls [....................] 0%, 0 windows, 0 rows, 0 requests",
        "calls [#####...............] 25%, 0:01:30 left, 1 window, 100 rows, 2 requests",
        "calls [##########..........] 50%, 0:01:00 left, 2 windows, 200 rows, 4 requests",
        "calls [###############.....] 75%, 0:00:30 left, 3 windows, 300 rows, 6 requests",
        "calls [####################] 100%, 0:00:00 left, 4 windows, 400 rows, 8 request",
        "calls [####################] 100%, in 0:02:00, 4 windows, 400 rows, 8 requests",
    ]
    assert terminal.lines == [terminal.drawn[-1].rstrip(), ""]


def test_a_line_is_cut_at_the_edge_of_the_terminal() -> None:
    """A wrapped line could not be overwritten. If the width is unknown, it is 80."""
    terminal = Terminal()
    line = StatusLine(terminal)
    line.draw("x" * 200)
    line.draw("y")
    line.close()
    assert [len(each) for each in terminal.drawn] == [79, 79]
    assert terminal.lines == ["y", ""]


def test_nothing_is_drawn_if_the_log_level_is_above_info(log: pytest.LogCaptureFixture) -> None:
    log.set_level(logging.WARNING, LOGGER)
    terminal = Terminal()
    watch(terminal, 4, 30.0)
    assert terminal.getvalue() == ""


def test_log_lines_appear_above_the_status_line(terminal: Terminal) -> None:
    """A log line replaces the status line, which is drawn again below it."""
    line, logger = StatusLine(terminal), logging.getLogger(LOGGER)
    line.draw("a line that is longer than what is logged")
    logger.warning("Attempt 1 failed")
    logger.warning("Attempt 2 failed")
    line.draw("calls 50%")
    line.draw("calls 9%")
    line.close()
    assert terminal.lines == ["Attempt 1 failed", "Attempt 2 failed", "calls 9%", ""]
    logger.warning("afterwards")
    assert terminal.lines == ["Attempt 1 failed", "Attempt 2 failed", "calls 9%", "afterwards", ""]


def test_many_threads_may_log(terminal: Terminal) -> None:
    """No log line is torn or mixed with the status line."""
    line, logger = StatusLine(terminal), logging.getLogger(LOGGER)
    line.draw("drawn")

    def write(thread: int) -> None:
        for _ in range(200):
            logger.warning("from thread %d", thread)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        line.draw("drawn")
    for thread in threads:
        thread.join()
    line.close()
    found = [each for each in terminal.lines if each not in {"", "drawn"}]
    assert sorted(found) == sorted(f"from thread {number}" for number in range(4) for _ in range(200))


def test_an_error_leaves_the_terminal_as_it_was(terminal: Terminal) -> None:
    """A run that stops early ends the line, and the log gets its stream back."""
    clock = FakeClock()
    pulled = Progress(clock.monotonic, terminal).over("calls", START, START + 9 * DAY, days(clock, 9, 1.0))
    next(pulled)
    next(pulled)
    pulled.close()  # type: ignore[attr-defined]  # as when an exception unwinds the run
    logging.getLogger(LOGGER).error("it stopped")
    assert terminal.lines[1:] == ["it stopped", ""]
    assert terminal.lines[0].startswith("calls [##..................] 11%")


def test_a_terminal_that_is_closed_does_not_stop_a_run() -> None:
    terminal = Terminal()
    terminal.close()
    line = StatusLine(terminal)
    line.draw("calls 50%")
    line.close()
    clock, other = FakeClock(), Terminal()
    pulled = Progress(clock.monotonic, other).over("calls", START, START + 3 * DAY, days(clock, 3, 1.0))
    other.close()
    assert len(list(pulled)) == 3


def test_nothing_is_written_to_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    """It is for Singer messages only."""
    watch(Terminal(), 5, 30.0)
    watch(io.StringIO(), 5, 30.0)
    assert capfd.readouterr().out == ""


QUERIES = ("calls", "talks")
NOW = datetime(2026, 3, 22, tzinfo=timezone.utc)
SETTINGS = running.config(
    queries=[{"name": name, "metrics": ["nOffered"], "granularity": "PT1H"} for name in QUERIES],
    end_date="2026-03-12T00:00:00Z",
)


def run(
    seconds: float, *, faults: Rules | None = None, state: Message | None = None, concurrency: int = 1
) -> Outcome:
    """Run the whole tap over ten days of two queries; each request takes so many seconds."""
    time = running.ManualClock(NOW)
    clock = SettableClock(NOW)
    sandbox = Sandbox(Options(volume=0.1, latency=seconds), now=clock, sleep=time.sleep, faults=faults)
    return running.run(sandbox, {**SETTINGS, "concurrency": concurrency}, state=state, time=time)


def progress_of(log: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The fields of each progress line of a run."""
    return [record.__dict__ for record in log.records if "share" in record.__dict__]


def test_a_run_logs_its_progress(log: pytest.LogCaptureFixture) -> None:
    """Two queries of ten windows, with a request of four seconds for each."""
    outcome = run(4.0)
    assert outcome.error is None
    calls, talks = ([line for line in progress_of(log) if line["query"] == name] for name in QUERIES)
    assert [line["windows"] for line in calls] == [3, 6, 9, 10]
    assert [line["windows"] for line in talks] == [3, 6, 9, 10]
    assert [line["share"] for line in talks] == [0.3, 0.6, 0.9, 1.0]
    assert [line["requests"] for line in talks] == [3, 6, 9, 10]
    assert [line["seconds_left"] for line in talks] == [28.0, 16.0, 4.0, 0.0]
    assert [calls[-1]["rows"], talks[-1]["rows"]] == [len(outcome.rows(name)) for name in QUERIES]
    assert talks[-1]["rows"] > talks[0]["rows"] > 0


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_run_draws_its_progress_on_a_terminal(monkeypatch: pytest.MonkeyPatch, concurrency: int) -> None:
    """One line per query stays; standard output still holds messages only."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    outcome = run(4.0, concurrency=concurrency)
    assert outcome.error is None
    assert {message["type"] for message in outcome.messages} == {"SCHEMA", "RECORD", "STATE"}
    shown = [line for line in terminal.lines if line]
    assert [line.split(" 100%")[0] for line in shown] == [
        f"{name} [####################]" for name in QUERIES
    ]
    assert len(terminal.drawn) > len(shown)


def test_a_run_with_nothing_new_logs_that_it_is_done(log: pytest.LogCaptureFixture) -> None:
    state = run(1.0).state
    log.clear()
    assert run(1.0, state=state).error is None
    assert [(line["query"], line["windows"], line["share"]) for line in progress_of(log)] == [
        (name, 0, 1.0) for name in QUERIES
    ]


def test_a_retry_is_logged_above_the_status_line(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The warning is whole, and the status line continues below it."""
    monkeypatch.setattr("sys.stderr", terminal)
    outcome = run(4.0, faults=Rules(Rule(status(503, "9"), match="/api/", after=5)))
    assert outcome.error is None
    warnings = [line for line in terminal.lines if "Attempt 1 failed" in line]
    assert len(warnings) == 1
    assert warnings[0].startswith("Attempt 1 failed; retrying in 9.0 s")
    assert len([line for line in terminal.lines if "100%" in line]) == 2
