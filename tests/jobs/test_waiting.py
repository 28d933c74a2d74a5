"""Waiting for a job: ever longer, and not for ever."""

from __future__ import annotations

import logging

import pytest

from genesys_sandbox import Rule, Rules
from genesys_sandbox.faults import put, status
from tap_genesys_aggregates.extract.async_jobs import FIRST_PAUSE, JOB_TIMEOUT, LONGEST_PAUSE
from tests.jobs.scene import JOBS, LOOKS, QUERY, STUCK, WEEK, Watch, asked, bag_of, cancelled, centre, truth
from tests.pipeline.running import config, run


def test_pauses_grow() -> None:
    """Each pause is twice the one before, from half a second to twenty, and no look comes without one."""
    sandbox, watch = centre(), Watch()
    sandbox.faults = Rules(Rule(STUCK, match=LOOKS, times=9))
    assert run(sandbox, WEEK, time=watch).error is None
    assert watch.slept == [0.5, 1, 2, 4, 8, 16, 20, 20, 20, 20]
    assert (FIRST_PAUSE, LONGEST_PAUSE) == (0.5, 20)
    assert len(asked(sandbox, "GET")) == len(watch.slept) + 1


def test_a_job_is_not_waited_for_for_ever() -> None:
    """After an hour the job is cancelled and the run stops: with the query, the window, and what to do."""
    sandbox, watch = centre(), Watch()
    sandbox.faults = Rules(Rule(STUCK, match=LOOKS, times=None))
    outcome = run(sandbox, WEEK, time=watch)
    said = str(outcome.error)
    assert said.startswith("query 'calls', window 2026-03-02T00:00:00.000Z/2026-03-09T00:00:00.000Z: job ")
    assert "is still PENDING after 60 minutes" in said
    assert "Set a shorter window" in said
    assert JOB_TIMEOUT - LONGEST_PAUSE < sum(watch.slept) <= JOB_TIMEOUT
    assert cancelled(sandbox) == [asked(sandbox, "GET")[0].path.removeprefix(f"{JOBS}/")]


def test_the_hour_is_for_all_jobs_of_a_window() -> None:
    """Jobs that are lost late, one after the other, do not add up to hours."""
    sandbox, watch = centre(), Watch()
    sandbox.faults = Rules(
        Rule(put(("state",), "EXPIRED"), match=LOOKS, after=150),
        Rule(STUCK, match=LOOKS, times=None),
    )
    assert "after 60 minutes" in str(run(sandbox, WEEK, time=watch).error)
    assert len(asked(sandbox, "POST")) == 2
    assert sum(watch.slept) <= JOB_TIMEOUT


def test_each_window_has_an_hour_of_its_own() -> None:
    """The time that one window took is not missing from the next."""
    sandbox, watch = centre(), Watch()
    sandbox.faults = Rules(*(Rule(STUCK, match=LOOKS, after=152 * window, times=150) for window in range(3)))
    assert run(sandbox, config(queries=[{**QUERY, "window": "P3D"}]), time=watch).error is None
    assert sum(watch.slept) > 2 * JOB_TIMEOUT


def test_an_unknown_state_is_waited_through(caplog: pytest.LogCaptureFixture) -> None:
    """A state that this version does not know counts as waiting, is told once, and its rows come."""
    sandbox = centre()
    sandbox.faults = Rules(Rule(put(("state",), "Resting\nhere"), match=LOOKS, times=4))
    with caplog.at_level(logging.WARNING, logger="tap-genesys-aggregates"):
        outcome = run(sandbox, WEEK)
    assert outcome.error is None
    assert outcome.rows("calls")
    told = [record.getMessage() for record in caplog.records if "RESTING HERE" in record.getMessage()]
    assert len(told) == 1


def test_states_are_known_in_any_case() -> None:
    """``fulfilled`` is done: the official client does not care for case either."""
    sandbox = centre()
    sandbox.faults = Rules(
        Rule(put(("state",), "queued"), match=LOOKS), Rule(put(("state",), "fulfilled"), match=LOOKS, after=2)
    )
    outcome = run(sandbox, WEEK)
    assert outcome.error is None
    assert outcome.rows("calls")
    assert len(asked(sandbox, "GET")) == 4


@pytest.mark.parametrize("fault", [status(429, "3"), status(503), status(401)])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_what_is_transient_is_tried_again(method: str, fault: object) -> None:
    """A busy server, a limit or a token refused is met as everywhere: the same job goes on."""
    sandbox, watch = centre(), Watch()
    sandbox.faults = Rules(Rule(fault, match=f"{method} {JOBS}"))  # type: ignore[arg-type]
    outcome = run(sandbox, WEEK, time=watch)
    assert outcome.error is None
    assert bag_of(outcome) == truth()
    assert len([entry for entry in asked(sandbox, "POST") if entry.status == 202]) == 1
