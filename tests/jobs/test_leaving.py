"""No job outlives its run: what is under way is cancelled, however the run ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from tap_genesys_aggregates.errors import DeniedError
from tap_genesys_aggregates.sandbox import Fault, Options, Rule, Rules, Sandbox, serve
from tap_genesys_aggregates.sandbox.faults import put, status
from tests.jobs.scene import DAYS, JOBS, QUERY, WEEK, Watch, asked, cancelled, centre, submitted
from tests.pipeline.running import config, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_genesys_aggregates.sandbox import Answer, Request
    from tap_genesys_aggregates.sandbox.faults import Edit

LOOKS = f"GET {JOBS}/"
STUCK = Rule(put(("state",), "PENDING"), match=LOOKS, times=None)
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


class Office:
    """A plan of faults that knows which job is which window's."""

    def __init__(self, verdict: Callable[[str], Fault | None]) -> None:
        """Let a function say what becomes of a look at the job of a window, by the window's text."""
        self._verdict = verdict
        self.windows: dict[str, str] = {}

    def __call__(self, number: int, request: Request) -> Fault | None:
        """What goes wrong with a request."""
        del number
        if request.method == "POST" and request.path == JOBS:
            return Fault("note", edit=self._note)
        job = request.path.removeprefix(f"{JOBS}/").removesuffix("/results")
        return self._verdict(self.windows[job]) if request.method == "GET" else None

    def _note(self, request: Request, answer: Answer) -> Answer:
        self.windows[json.loads(answer.body)["jobId"]] = request.payload["interval"]  # type: ignore[index]
        return answer


def test_an_error_in_one_thread_cancels_the_jobs_of_all() -> None:
    """Of the jobs side by side one is denied: the run stops with that, and each is cancelled, once."""
    sandbox = centre()

    def verdict(window: str) -> Fault:
        denied = window.startswith("2026-03-02") and len(office.windows) >= 4
        return status(403) if denied else STUCK.fault

    sandbox.faults = office = Office(verdict)
    outcome = run(sandbox, config(**SIDE_BY_SIDE), time=Still())
    assert isinstance(outcome.error, DeniedError)
    assert "window 2026-03-02T00:00:00.000Z/" in str(outcome.error)
    assert sorted(cancelled(sandbox)) == sorted(office.windows)
    assert len(office.windows) >= 4


def only_the_first(fault: Fault | None) -> Office:
    """Every job but that of the first day is never done; that one meets a fault."""
    return Office(lambda window: fault if window.startswith("2026-03-02") else STUCK.fault)


def ahead(office: Office) -> list[str]:
    """The jobs of all windows but the first."""
    return sorted(job for job, window in office.windows.items() if not window.startswith("2026-03-02"))


@pytest.mark.parametrize("more", [{}, {"stream_maps": {"calls": {"twice": "n_offered_count"}}}])
def test_a_row_that_has_no_column_cancels_what_is_ahead(more: dict[str, Any]) -> None:
    """An error in the thread that writes, by either way of writing, cancels the jobs of the windows ahead."""
    sandbox = centre()
    stray = put(("results", 0, "data", 0, "metrics", 0, "metric"), "nStray")
    sandbox.faults = office = only_the_first(replace(stray, edit=only_pages(stray)))
    outcome = run(sandbox, config(**SIDE_BY_SIDE, **more), time=Still())
    assert "'nStray', which was not asked for" in str(outcome.error)
    assert sorted(cancelled(sandbox)) == ahead(office)


def only_pages(fault: Fault) -> Edit:
    """An edit of pages of results that leaves looks alone."""
    return lambda request, answer: (
        fault.spoil(request, answer) if request.path.endswith("/results") else answer
    )


def test_a_signal_while_writing_cancels_what_is_ahead() -> None:
    """What ends the run while a window's rows go out cancels the jobs of the windows ahead."""
    sandbox, ending = centre(), SystemExit(143)
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


def test_a_tap_may_run_twice() -> None:
    """The end of one run is not the end of the next with the same tap."""
    sandbox = centre(jobs_fail=3)
    assert run(sandbox, DAYS).error is not None
    assert run(sandbox, DAYS).error is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_a_run_that_is_killed_cancels_its_jobs_and_exits_143(tmp_path: Path) -> None:
    """SIGTERM while jobs are under way: each is cancelled, and the exit code says that the run was killed."""
    all_looked_at, looks = threading.Event(), set[str]()
    sandbox = Sandbox(Options(volume=0.1))

    def verdict(window: str) -> Fault:
        looks.add(window)
        if len(looks) == 3:
            all_looked_at.set()
        return STUCK.fault

    sandbox.faults = office = Office(verdict)
    settings = config(queries=[{**QUERY, "window": "P1D"}], concurrency=3, end_date="2026-03-09T00:00:00Z")
    with serve(sandbox) as url:
        (tmp_path / "config.json").write_text(json.dumps({**settings, "base_url": url}))
        command = "from tap_genesys_aggregates.tap import TapGenesysAggregates; TapGenesysAggregates.cli()"
        with subprocess.Popen(
            [sys.executable, "-c", command, "--config", str(tmp_path / "config.json")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as tap:
            assert all_looked_at.wait(60)
            tap.send_signal(signal.SIGTERM)
            _, log = tap.communicate(timeout=60)
    assert tap.returncode == 143
    assert b"Traceback" not in log
    assert sorted(cancelled(sandbox)) == sorted(office.windows)
    assert len(office.windows) == 3
