"""However a run ends, it cancels the asynchronous jobs that it started."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from genesys_sandbox import Fault, Options, Rule, Rules, Sandbox, serve
from genesys_sandbox.faults import put, status
from genesys_sandbox.in_process import InProcessAdapter
from tap_genesys_aggregates.core.errors import TapError
from tap_genesys_aggregates.extract.open_jobs import OpenJobs
from tap_genesys_aggregates.http.errors import DeniedError, RefusedError
from tap_genesys_aggregates.streams import AggregateStream
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.end_to_end import process
from tests.extract.jobs import (
    JOB_GETS,
    NOW,
    ONE_WEEK,
    PENDING,
    QUERY,
    START,
    FaultsByWindow,
    FrozenClock,
    RecordingClock,
    canceled,
    requests_to,
    sandbox_now,
    submitted,
)
from tests.pipeline.running import config, run

if TYPE_CHECKING:
    from pathlib import Path

    from genesys_sandbox import Request
    from genesys_sandbox.faults import Edit

CONCURRENT: dict[str, Any] = {
    "queries": [{**QUERY, "window": "P1D"}],
    "concurrency": 4,
    "requests_per_minute": 100_000,
}
"""Seven windows of a day, four at a time."""
FIRST_DAY = "2026-03-02"


def pending_after_first_day(fault: Fault | None) -> FaultsByWindow:
    """Leave every job pending except that of the first day, which gets this fault."""
    return FaultsByWindow(lambda window: fault if window.startswith(FIRST_DAY) else PENDING)


def after_first_day(faults: FaultsByWindow) -> list[str]:
    """The ids of the jobs of all windows but the first."""
    return sorted(job for job, window in faults.windows.items() if not window.startswith(FIRST_DAY))


# Runs that end with an error


def test_an_error_in_one_thread_cancels_the_jobs_of_all_threads() -> None:
    """The run ends with that error, and each job is canceled once."""
    sandbox = sandbox_now(requests_per_minute=100_000)

    def fault_of(window: str) -> Fault:
        denied = window.startswith(FIRST_DAY) and len(faults.windows) >= 4
        return status(403) if denied else PENDING

    sandbox.faults = faults = FaultsByWindow(fault_of)
    outcome = run(sandbox, config(**CONCURRENT), time=FrozenClock())
    assert isinstance(outcome.error, DeniedError)
    assert "window 2026-03-02T00:00:00.000Z/" in str(outcome.error)
    assert sorted(canceled(sandbox)) == sorted(faults.windows)
    assert len(faults.windows) >= 4


def in_results(fault: Fault) -> Edit:
    """The edit of a fault, for pages of results only."""
    return lambda request, answer: (
        fault.apply(request, answer) if request.path.endswith("/results") else answer
    )


@pytest.mark.parametrize("more", [{}, {"stream_maps": {"calls": {"twice": "n_offered_count"}}}])
def test_an_error_while_rows_are_written_cancels_the_jobs_ahead(more: dict[str, Any]) -> None:
    """Whether the tap writes the rows or, with a stream map, the SDK."""
    sandbox = sandbox_now(requests_per_minute=100_000)
    stray = put(("results", 0, "data", 0, "metrics", 0, "metric"), "nStray")
    sandbox.faults = faults = pending_after_first_day(replace(stray, edit=in_results(stray)))
    outcome = run(sandbox, config(**CONCURRENT, **more), time=FrozenClock())
    assert "'nStray', which was not asked for" in str(outcome.error)
    assert sorted(canceled(sandbox)) == after_first_day(faults)


# Runs that are ended from outside


def test_a_signal_while_rows_are_written_cancels_the_jobs_ahead() -> None:
    sandbox, ending = sandbox_now(requests_per_minute=100_000), SystemExit(143)
    sandbox.faults = faults = pending_after_first_day(None)
    calls: list[None] = []

    class EndingClock(FrozenClock):
        """Ends the run while it writes rows: before that, it reads the clock once and once a window."""

        @override
        def now(self) -> datetime:
            if threading.current_thread() is threading.main_thread():
                calls.append(None)
                if len(calls) > 1 + len(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")):
                    raise ending
            return super().now()

    outcome = run(sandbox, config(**CONCURRENT), time=EndingClock())
    assert outcome.error is ending
    assert sorted(canceled(sandbox)) == after_first_day(faults)


@pytest.mark.parametrize("ending", [SystemExit(143), KeyboardInterrupt()])
def test_a_signal_while_the_only_thread_waits_cancels_the_job(ending: BaseException) -> None:
    sandbox = sandbox_now()

    def end(number: int) -> None:
        if number == 2:
            raise ending

    outcome = run(sandbox, ONE_WEEK, time=RecordingClock(end))
    assert outcome.error is ending
    assert len(canceled(sandbox)) == len(submitted(sandbox)) == 1


# In a real process, over sockets


def config_file(folder: Path, url: str) -> str:
    """A config file: seven windows of a day, three at a time."""
    days = {"queries": [{**QUERY, "window": "P1D"}], "end_date": "2026-03-09T00:00:00Z", "concurrency": 3}
    return process.write_json(folder, "config", config(base_url=url, **days))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_a_run_that_is_killed_cancels_its_jobs_and_exits_143(tmp_path: Path) -> None:
    sandbox = Sandbox(Options(volume=0.1))
    all_polled, polled = threading.Event(), set[str]()

    def fault_of(window: str) -> Fault:
        polled.add(window)
        if len(polled) == 3:
            all_polled.set()
        return PENDING

    sandbox.faults = faults = FaultsByWindow(fault_of)
    with serve(sandbox) as url, process.start("--config", config_file(tmp_path, url)) as tap:
        assert all_polled.wait(60)
        tap.send_signal(signal.SIGTERM)
        _, log = tap.communicate(timeout=60)
    assert tap.returncode == 143
    assert "Traceback" not in log
    assert sorted(canceled(sandbox)) == sorted(faults.windows)
    assert len(faults.windows) == 3


@pytest.mark.slow
def test_a_run_whose_jobs_fail_exits_1_and_its_last_line_says_why(tmp_path: Path) -> None:
    sandbox = Sandbox(Options(volume=0.1))
    sandbox.faults = Rules(Rule(put(("state",), "FAILED"), match=JOB_GETS, times=None))
    with serve(sandbox) as url:
        ended = process.run("--config", config_file(tmp_path, url))
    assert ended.status == 1
    assert "query 'calls', window 2026-03-02T00:00:00.000Z/" in ended.stderr
    assert "3 jobs returned no results" in ended.stderr.splitlines()[-1]
    assert len(submitted(sandbox)) >= 3


# Jobs that cannot be canceled


@pytest.mark.parametrize("code", [403, 404, 500])
def test_a_cancellation_that_fails_does_not_hide_the_error_of_the_run(code: int) -> None:
    sandbox = sandbox_now()
    sandbox.faults = Rules(
        Rule(status(code), match="DELETE", times=None), Rule(status(403), match=JOB_GETS, times=None)
    )
    outcome = run(sandbox, ONE_WEEK)
    assert isinstance(outcome.error, DeniedError)
    assert requests_to(sandbox, "DELETE")
    assert len(submitted(sandbox)) == 1


@pytest.mark.slow
def test_a_cancellation_that_hangs_does_not_hold_up_the_exit() -> None:
    sandbox, over = sandbox_now(), threading.Event()

    def plan(number: int, request: Request) -> Fault | None:
        del number
        if request.method == "DELETE":
            over.wait(60)
        return status(403) if JOB_GETS in f"{request.method} {request.target}" else None

    sandbox.faults = plan
    began = datetime.now(timezone.utc)
    outcome = run(sandbox, ONE_WEEK)
    seconds = (datetime.now(timezone.utc) - began).total_seconds()
    over.set()
    assert isinstance(outcome.error, DeniedError)
    assert seconds < 10


def test_no_thread_polls_a_job_after_the_run_has_ended() -> None:
    """Not even a job that could not be canceled."""
    sandbox, before = sandbox_now(), set(threading.enumerate())
    faults = pending_after_first_day(status(403))
    sandbox.faults = lambda number, request: (
        status(403) if request.method == "DELETE" else faults(number, request)
    )
    outcome = run(sandbox, config(**CONCURRENT), time=FrozenClock())
    assert isinstance(outcome.error, DeniedError)
    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:
        thread.join(20)
    assert not any(thread.is_alive() for thread in left)


# Reading without writing


def stream_of(sandbox: Sandbox) -> AggregateStream:
    """The stream of a tap that pulls four jobs at a time from a sandbox."""
    tap = TapGenesysAggregates(
        config=config(**CONCURRENT),
        clock=FrozenClock(),
        mount=lambda session: session.mount("https://", InProcessAdapter(sandbox)),
    )
    stream = tap.streams["calls"]
    assert isinstance(stream, AggregateStream)
    return stream


def test_an_error_while_a_period_is_read_without_a_run_cancels_its_jobs() -> None:
    sandbox = sandbox_now()
    sandbox.faults = faults = pending_after_first_day(status(403))
    with pytest.raises(DeniedError):
        list(stream_of(sandbox).extractor.rows(START, NOW))
    assert sorted(canceled(sandbox)) == sorted(faults.windows)


def test_after_an_error_the_same_extractor_can_read_again() -> None:
    sandbox = sandbox_now()
    sandbox.faults = Rules(Rule(put(("state",), "FAILED"), match=JOB_GETS, times=None))
    stream = stream_of(sandbox)
    with pytest.raises(RefusedError):
        list(stream.extractor.rows(START, NOW))
    sandbox.faults = None
    assert list(stream.extractor.rows(START, NOW))


# OpenJobs


def test_a_job_whose_id_arrives_after_the_end_is_canceled_too() -> None:
    jobs, started, answered, over = OpenJobs(), threading.Event(), threading.Event(), threading.Event()
    deleted: list[str] = []

    def submit() -> str:
        started.set()
        answered.wait(60)
        return "late"

    def pull() -> None:
        with jobs.job(submit, deleted.append):
            over.wait(60)

    thread = threading.Thread(target=pull)
    thread.start()
    started.wait(60)
    threading.Timer(0.1, answered.set).start()
    jobs.close()
    assert deleted == ["late"]
    over.set()
    thread.join()


def test_no_job_is_submitted_after_the_end() -> None:
    jobs = OpenJobs()
    jobs.close()
    with pytest.raises(TapError, match="has ended"), jobs.job(lambda: "new", lambda _: None):
        pass


def test_the_end_waits_for_a_cancellation_that_a_thread_has_already_begun() -> None:
    jobs, started, proceed = OpenJobs(), threading.Event(), threading.Event()
    deleted: list[str] = []

    def cancel(place: str) -> None:
        started.set()
        proceed.wait(60)
        deleted.append(place)

    def fail() -> None:
        with suppress(ValueError), jobs.job(lambda: "one", cancel):
            raise ValueError

    thread = threading.Thread(target=fail)
    thread.start()
    started.wait(60)
    threading.Timer(0.1, proceed.set).start()
    jobs.close()
    assert deleted == ["one"]
    thread.join()


def test_a_cancellation_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def cancel(place: str) -> None:
        raise TapError("the server is away", place)

    jobs = OpenJobs()
    with (
        caplog.at_level("INFO"),
        pytest.raises(ValueError, match="its own"),
        jobs.job(lambda: "one", cancel),
    ):
        raise ValueError("its own")
    assert "Job one could not be cancelled" in caplog.text
