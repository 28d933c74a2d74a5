"""The one place that knows which jobs are under way."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest

from tap_genesys_aggregates.core.errors import TapError
from tap_genesys_aggregates.extract.open_jobs import OpenJobs


def test_what_is_just_being_handed_in_is_cancelled_too() -> None:
    """A job whose id arrives a moment after the run has ended is not forgotten."""
    under_way, begun, arrive, over = OpenJobs(), threading.Event(), threading.Event(), threading.Event()
    gone: list[str] = []

    def submit() -> str:
        begun.set()
        arrive.wait(60)
        return "late"

    def errand() -> None:
        with under_way.job(submit, gone.append):
            over.wait(60)

    thread = threading.Thread(target=errand)
    thread.start()
    begun.wait(60)
    threading.Timer(0.1, arrive.set).start()
    under_way.close()
    assert gone == ["late"]
    over.set()
    thread.join()


def test_nothing_is_handed_in_once_the_run_has_ended() -> None:
    """A thread that finds its job cancelled by the end of the run does not hand it in anew."""
    under_way = OpenJobs()
    under_way.close()
    with pytest.raises(TapError, match="has ended"), under_way.job(lambda: "new", lambda _: None):
        pass


def test_what_a_thread_is_cancelling_is_waited_for() -> None:
    """The end of a run waits for the cancellations of its threads too, which may have begun just before."""
    under_way, begun, proceed = OpenJobs(), threading.Event(), threading.Event()
    gone: list[str] = []

    def cancel(place: str) -> None:
        begun.set()
        proceed.wait(60)
        gone.append(place)

    def errand() -> None:
        with suppress(ValueError), under_way.job(lambda: "one", cancel):
            raise ValueError

    thread = threading.Thread(target=errand)
    thread.start()
    begun.wait(60)
    threading.Timer(0.1, proceed.set).start()
    under_way.close()
    assert gone == ["one"]
    thread.join()


def test_a_cancellation_that_fails_is_noted(caplog: pytest.LogCaptureFixture) -> None:
    """That a job cannot be cancelled is noted with its place, and raises nothing."""

    def cancel(place: str) -> None:
        raise TapError("the server is away", place)

    under_way = OpenJobs()
    with (
        caplog.at_level("INFO"),
        pytest.raises(ValueError, match="its own"),
        under_way.job(lambda: "one", cancel),
    ):
        raise ValueError("its own")
    assert "Job one could not be cancelled" in caplog.text
