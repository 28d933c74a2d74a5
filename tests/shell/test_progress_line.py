"""The status line on a terminal: how often it is drawn, and what else stands there."""

from __future__ import annotations

import io
import logging
import threading
from typing import TYPE_CHECKING

import pytest

from tap_genesys_aggregates.extract.progress import DRAWN_EVERY, Progress, StatusLine
from tests.shell.making import Time
from tests.shell.watching import DAY, LOGGER, START, Terminal, days, watch

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The log, at the level that a run has."""
    caplog.set_level(logging.INFO, LOGGER)
    return caplog


def test_a_terminal_is_drawn_on_five_times_a_second_at_most(log: pytest.LogCaptureFixture) -> None:
    """A thousand windows in ten seconds are some fifty drawings; nothing is logged."""
    terminal = Terminal()
    watch(terminal, 1000, 0.01)
    assert 10 / DRAWN_EVERY * 0.9 <= len(terminal.drawn) <= 10 / DRAWN_EVERY + 2
    assert log.records == []


def test_a_terminal_shows_one_line() -> None:
    """It is drawn over, and its end stays, with a line break after it."""
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


def test_a_line_is_cut_off_at_the_edge() -> None:
    """It never breaks into two, which could not be drawn over; what width is not known is eighty."""
    terminal = Terminal()
    line = StatusLine(terminal)
    line.draw("x" * 200)
    line.draw("y")
    line.close()
    assert [len(each) for each in terminal.drawn] == [79, 79]
    assert terminal.lines == ["y", ""]


def test_nothing_is_drawn_for_who_wants_no_news(log: pytest.LogCaptureFixture) -> None:
    """A log level above INFO is quiet on a terminal too."""
    log.set_level(logging.WARNING, LOGGER)
    terminal = Terminal()
    watch(terminal, 4, 30.0)
    assert terminal.getvalue() == ""


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal to which the root's log goes, as the SDK has it."""
    made, root = Terminal(), logging.getLogger()
    handler = logging.StreamHandler(made)
    root.addHandler(handler)
    yield made
    assert handler.stream is made
    root.removeHandler(handler)


def test_log_lines_stand_above_the_line(terminal: Terminal) -> None:
    """What is logged takes the line's place, whole and from its beginning; the next drawing follows."""
    line, logger = StatusLine(terminal), logging.getLogger(LOGGER)
    line.draw("a line that is longer than what is logged")
    logger.warning("Attempt 1 failed")
    logger.warning("Attempt 2 failed")
    line.draw("calls 50%")
    line.draw("calls 9%")
    line.close()
    assert terminal.lines == ["Attempt 1 failed", "Attempt 2 failed", "calls 9%", ""]
    logger.warning("after it")
    assert terminal.lines == ["Attempt 1 failed", "Attempt 2 failed", "calls 9%", "after it", ""]


def test_many_threads_may_log(terminal: Terminal) -> None:
    """No log line is torn or mixed with the status line, whoever writes it."""
    line, logger = StatusLine(terminal), logging.getLogger(LOGGER)
    line.draw("drawn")

    def say(who: int) -> None:
        for _ in range(200):
            logger.warning("said by %d", who)

    threads = [threading.Thread(target=say, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        line.draw("drawn")
    for thread in threads:
        thread.join()
    line.close()
    told = [each for each in terminal.lines if each not in {"", "drawn"}]
    assert sorted(told) == sorted(f"said by {who}" for who in range(4) for _ in range(200))


def test_an_error_leaves_the_terminal_as_it_was(terminal: Terminal) -> None:
    """A run that stops in between ends the line; the log has its stream back."""
    time = Time()
    pulled = Progress(time.monotonic, terminal).over("calls", START, START + 9 * DAY, days(time, 9, 1.0))
    next(pulled)
    next(pulled)
    pulled.close()  # type: ignore[attr-defined]  # as when the run's frames are let go
    logging.getLogger(LOGGER).error("it stopped")
    assert terminal.lines[1:] == ["it stopped", ""]
    assert terminal.lines[0].startswith("calls [##..................] 11%")


def test_a_terminal_that_is_gone_ends_no_run() -> None:
    """It was closed meanwhile: rows still come."""
    terminal = Terminal()
    terminal.close()
    line = StatusLine(terminal)
    line.draw("calls 50%")
    line.close()
    time = Time()
    gone = Terminal()
    pulled = Progress(time.monotonic, gone).over("calls", START, START + 3 * DAY, days(time, 3, 1.0))
    gone.close()
    assert len(list(pulled)) == 3


def test_nothing_is_written_to_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    """It is for messages."""
    watch(Terminal(), 5, 30.0)
    watch(io.StringIO(), 5, 30.0)
    assert capfd.readouterr().out == ""
