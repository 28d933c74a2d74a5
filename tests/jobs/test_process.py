"""The tap as a process of its own, over sockets: how it ends where its jobs do not end well."""

from __future__ import annotations

import signal
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from genesys_sandbox import Options, Rule, Rules, Sandbox, serve
from genesys_sandbox.faults import put
from tests.end_to_end.process import begun, run, written
from tests.jobs.scene import LOOKS, QUERY, STUCK, Office, cancelled, submitted
from tests.pipeline.running import config

if TYPE_CHECKING:
    from pathlib import Path

    from genesys_sandbox import Fault


def settings(folder: Path, url: str) -> str:
    """A config file: seven windows of a day, three at a time."""
    days = {"queries": [{**QUERY, "window": "P1D"}], "end_date": "2026-03-09T00:00:00Z", "concurrency": 3}
    return written(folder, "config", config(base_url=url, **days))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_a_run_that_is_killed_cancels_its_jobs_and_exits_143(tmp_path: Path) -> None:
    """SIGTERM while jobs are under way: each is cancelled, and the exit code says that the run was killed."""
    sandbox = Sandbox(Options(volume=0.1))
    all_looked_at, looks = threading.Event(), set[str]()

    def verdict(window: str) -> Fault:
        looks.add(window)
        if len(looks) == 3:
            all_looked_at.set()
        return STUCK

    sandbox.faults = office = Office(verdict)
    with serve(sandbox) as url, begun("--config", settings(tmp_path, url)) as tap:
        assert all_looked_at.wait(60)
        tap.send_signal(signal.SIGTERM)
        _, log = tap.communicate(timeout=60)
    assert tap.returncode == 143
    assert "Traceback" not in log
    assert sorted(cancelled(sandbox)) == sorted(office.windows)
    assert len(office.windows) == 3


def test_a_run_whose_jobs_are_lost_exits_1(tmp_path: Path) -> None:
    """Jobs that fail again and again end the process with 1, and a last line that says so."""
    sandbox = Sandbox(Options(volume=0.1))
    sandbox.faults = Rules(Rule(put(("state",), "FAILED"), match=LOOKS, times=None))
    with serve(sandbox) as url:
        ended = run("--config", settings(tmp_path, url))
    assert ended.status == 1
    assert "query 'calls', window 2026-03-02T00:00:00.000Z/" in ended.said
    assert "3 jobs returned no results" in ended.said.splitlines()[-1]
    assert len(submitted(sandbox)) >= 3
