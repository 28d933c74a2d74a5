"""However a run ends: what it wrote is whole, and the next run loses nothing."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from genesys_sandbox import ExpectedRows, Options, Sandbox, serve
from genesys_sandbox.faults import Fault, status
from tap_genesys_aggregates.config.queries import presets

from .conftest import NOW
from .process import END, PATIENCE, START, Run, begun, by_key, questions, run, settings, written

if TYPE_CHECKING:
    from pathlib import Path

    from genesys_sandbox import Request

STREAM = "conversation_aggregates"
KEYS = ("interval_start", "routing_queue_id")
# One window after another, a day each, so that a run has a middle.
STEPS = {"concurrency": 1, "window": "P1D", "max_window": "P1D"}


def _complete(sandbox: Sandbox, *runs: Run) -> bool:
    """Whether runs together hold every row of the witness, and none that is not the witness's."""
    rows = [row for each in runs for row in each.rows(STREAM)]
    expected = ExpectedRows(sandbox).rows(presets()[STREAM], START, END)
    return by_key(rows, KEYS) == by_key(expected, KEYS) != {}


@pytest.mark.parametrize(
    ("signum", "code"),
    [
        pytest.param(signal.SIGTERM, 143, id="SIGTERM"),
        pytest.param(signal.SIGINT, 130, id="SIGINT", marks=pytest.mark.slow),
    ],
)
def test_a_run_that_is_told_to_end(tmp_path: Path, signum: int, code: int) -> None:
    """It ends at once and not as a success, its last line is whole, and a next run completes it."""
    sandbox = Sandbox(Options(latency=0.2), now=lambda: NOW)
    with serve(sandbox) as url:
        config = written(tmp_path, "config", settings(url, "group_tree", **STEPS))
        with begun("--config", config) as tap:
            assert tap.stdout is not None
            assert tap.stderr is not None
            lines = []
            for line in tap.stdout:
                lines.append(line)
                if json.loads(line)["type"] == "STATE" and sum("STATE" in each for each in lines) > 1:
                    break
            tap.send_signal(signum)
            output, said = "".join([*lines, *tap.stdout]), tap.stderr.read()
            stopped = Run(tap.wait(PATIENCE), output, said)
        assert stopped.status == code, said
        assert stopped.output.endswith("\n")
        assert not _complete(sandbox, stopped)
        resumed = run("--config", config, "--state", written(tmp_path, "state", stopped.state))
    assert resumed.status == 0, resumed.said
    assert _complete(sandbox, stopped, resumed)


@pytest.mark.slow
def test_a_run_that_fails(tmp_path: Path) -> None:
    """When the host refuses midway, the run says so and ends with 1; a next run begins where it stopped."""
    refused = status(403)
    allowed = 6

    def plan(number: int, request: Request) -> Fault | None:
        return refused if number > allowed and request.path != "/oauth/token" else None

    sandbox = Sandbox(now=lambda: NOW, faults=plan)
    with serve(sandbox) as url:
        config = written(tmp_path, "config", settings(url, "group_tree", **STEPS))
        failed = run("--config", config)
        asked = len(questions(sandbox))
        sandbox.faults = None
        resumed = run("--config", config, "--state", written(tmp_path, "state", failed.state))
    assert failed.status == 1
    assert "403" in failed.said
    assert "Traceback" not in failed.said
    assert failed.rows(STREAM)
    assert not _complete(sandbox, failed)
    assert resumed.status == 0, resumed.said
    assert _complete(sandbox, failed, resumed)
    assert len(questions(sandbox)) - asked < (END - START).days


@pytest.mark.slow
def test_a_host_that_is_not_there(tmp_path: Path) -> None:
    """Nothing listens: after its tries the run ends with 1 and names the host."""
    with serve(Sandbox(now=lambda: NOW)) as url:
        pass
    outcome = run("--config", written(tmp_path, "config", settings(url, max_retries=0)))
    assert outcome.status == 1
    assert url.removeprefix("http://") in outcome.said
    assert "Traceback" not in outcome.said


@pytest.mark.slow
def test_a_target_that_goes_away(sandbox: Sandbox, url: str, tmp_path: Path) -> None:
    """When nobody reads any more, the run ends, and not as a success."""
    with begun("--config", written(tmp_path, "config", settings(url, "group_tree"))) as tap:
        assert tap.stdout is not None
        assert tap.stdout.readline()
        tap.stdout.close()
        assert tap.wait(PATIENCE) != 0
    assert sandbox.log
