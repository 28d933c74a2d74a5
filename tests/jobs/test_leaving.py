"""No job outlives its run: what is under way is cancelled, however the run ends."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from genesys_sandbox import Fault, Rule, Rules
from genesys_sandbox.faults import put, status
from genesys_sandbox.in_process import InProcessAdapter
from tap_genesys_aggregates.http.errors import DeniedError, RefusedError
from tap_genesys_aggregates.streams import AggregateStream
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.jobs.scene import (
    LOOKS,
    NOW,
    QUERY,
    STUCK,
    WEEK,
    Office,
    Watch,
    asked,
    cancelled,
    centre,
    submitted,
)
from tests.pipeline.running import config, run

if TYPE_CHECKING:
    from genesys_sandbox import Request, Sandbox
    from genesys_sandbox.faults import Edit

BEGIN = datetime(2026, 3, 2, tzinfo=timezone.utc)
SIDE_BY_SIDE: dict[str, Any] = {
    "queries": [{**QUERY, "window": "P1D"}],
    "concurrency": 4,
    "requests_per_minute": 100_000,
}


class Still(Watch):
    """A clock on which waiting takes no time at all, so that what waits looks again and again."""

    @override
    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._happens(len(self.slept))


def test_an_error_in_one_thread_cancels_the_jobs_of_all() -> None:
    """Of the jobs side by side one is denied: the run stops with that, and each is cancelled, once."""
    sandbox = centre(requests_per_minute=100_000)

    def verdict(window: str) -> Fault:
        denied = window.startswith("2026-03-02") and len(office.windows) >= 4
        return status(403) if denied else STUCK

    sandbox.faults = office = Office(verdict)
    outcome = run(sandbox, config(**SIDE_BY_SIDE), time=Still())
    assert isinstance(outcome.error, DeniedError)
    assert "window 2026-03-02T00:00:00.000Z/" in str(outcome.error)
    assert sorted(cancelled(sandbox)) == sorted(office.windows)
    assert len(office.windows) >= 4


def only_the_first(fault: Fault | None) -> Office:
    """Every job but that of the first day is never done; that one meets a fault."""
    return Office(lambda window: fault if window.startswith("2026-03-02") else STUCK)


def ahead(office: Office) -> list[str]:
    """The jobs of all windows but the first."""
    return sorted(job for job, window in office.windows.items() if not window.startswith("2026-03-02"))


@pytest.mark.parametrize("more", [{}, {"stream_maps": {"calls": {"twice": "n_offered_count"}}}])
def test_a_row_that_has_no_column_cancels_what_is_ahead(more: dict[str, Any]) -> None:
    """An error in the thread that writes, by either way of writing, cancels the jobs of the windows ahead."""
    sandbox = centre(requests_per_minute=100_000)
    stray = put(("results", 0, "data", 0, "metrics", 0, "metric"), "nStray")
    sandbox.faults = office = only_the_first(replace(stray, edit=only_pages(stray)))
    outcome = run(sandbox, config(**SIDE_BY_SIDE, **more), time=Still())
    assert "'nStray', which was not asked for" in str(outcome.error)
    assert sorted(cancelled(sandbox)) == ahead(office)


def only_pages(fault: Fault) -> Edit:
    """An edit of pages of results that leaves looks alone."""
    return lambda request, answer: (
        fault.apply(request, answer) if request.path.endswith("/results") else answer
    )


def test_a_signal_while_writing_cancels_what_is_ahead() -> None:
    """What ends the run while a window's rows go out cancels the jobs of the windows ahead."""
    sandbox, ending = centre(requests_per_minute=100_000), SystemExit(143)
    sandbox.faults = office = only_the_first(None)
    calls: list[None] = []

    class Striking(Still):
        """Strikes when rows are written: by then, the run has looked at its clock once, and once a window."""

        @override
        def now(self) -> datetime:
            if threading.current_thread() is threading.main_thread():
                calls.append(None)
                if len(calls) > 1 + len(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")):
                    raise ending
            return super().now()

    outcome = run(sandbox, config(**SIDE_BY_SIDE), time=Striking())
    assert outcome.error is ending
    assert sorted(cancelled(sandbox)) == ahead(office)


@pytest.mark.parametrize("ending", [SystemExit(143), KeyboardInterrupt()])
def test_a_signal_while_waiting_cancels_the_job(ending: BaseException) -> None:
    """What ends the run while its only thread waits for a job still ends it so, and the job is cancelled."""
    sandbox = centre()

    def strike(number: int) -> None:
        if number == 2:
            raise ending

    outcome = run(sandbox, WEEK, time=Watch(strike))
    assert outcome.error is ending
    assert len(cancelled(sandbox)) == len(submitted(sandbox)) == 1


@pytest.mark.parametrize("code", [403, 404, 500])
def test_a_job_that_cannot_be_cancelled_hides_nothing(code: int) -> None:
    """Where DELETE fails, the run's own error stands."""
    sandbox = centre()
    sandbox.faults = Rules(
        Rule(status(code), match="DELETE", times=None), Rule(status(403), match=LOOKS, times=None)
    )
    outcome = run(sandbox, WEEK)
    assert isinstance(outcome.error, DeniedError)
    assert asked(sandbox, "DELETE")
    assert len(submitted(sandbox)) == 1


def test_a_server_that_does_not_answer_holds_up_no_exit() -> None:
    """Where DELETE hangs, the run ends after a moment all the same, with its own error."""
    sandbox, over = centre(), threading.Event()

    def plan(number: int, request: Request) -> Fault | None:
        del number
        if request.method == "DELETE":
            over.wait(60)
        return status(403) if LOOKS in f"{request.method} {request.target}" else None

    sandbox.faults = plan
    began = datetime.now(timezone.utc)
    outcome = run(sandbox, WEEK)
    seconds = (datetime.now(timezone.utc) - began).total_seconds()
    over.set()
    assert isinstance(outcome.error, DeniedError)
    assert seconds < 10


def test_threads_of_a_run_that_has_ended_look_no_more() -> None:
    """A job that could not be cancelled is left to itself: no thread goes on looking at it."""
    sandbox, before = centre(), set(threading.enumerate())
    office = only_the_first(status(403))
    sandbox.faults = lambda number, request: (
        status(403) if request.method == "DELETE" else office(number, request)
    )
    outcome = run(sandbox, config(**SIDE_BY_SIDE), time=Still())
    assert isinstance(outcome.error, DeniedError)
    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:
        thread.join(20)
    assert not any(thread.is_alive() for thread in left)


def stream_of(sandbox: Sandbox) -> AggregateStream:
    """The stream of a tap that asks a sandbox, four jobs side by side."""
    tap = TapGenesysAggregates(
        config=config(**SIDE_BY_SIDE),
        clock=Still(),
        mount=lambda session: session.mount("https://", InProcessAdapter(sandbox)),
    )
    stream = tap.streams["calls"]
    assert isinstance(stream, AggregateStream)
    return stream


def test_reading_without_writing_leaves_no_job_either() -> None:
    """A period that is read without being written cancels its jobs when that is broken off."""
    sandbox = centre()
    sandbox.faults = office = only_the_first(status(403))
    with pytest.raises(DeniedError):
        list(stream_of(sandbox).extractor.rows(BEGIN, NOW))
    assert sorted(cancelled(sandbox)) == sorted(office.windows)


def test_the_end_of_one_reading_is_not_the_end_of_the_next() -> None:
    """After a reading whose jobs were lost, the same stream reads again."""
    sandbox = centre()
    sandbox.faults = Rules(Rule(put(("state",), "FAILED"), match=LOOKS, times=None))
    stream = stream_of(sandbox)
    with pytest.raises(RefusedError):
        list(stream.extractor.rows(BEGIN, NOW))
    sandbox.faults = None
    assert list(stream.extractor.rows(BEGIN, NOW))
