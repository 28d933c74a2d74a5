"""Two taps of one client side by side: both end well, and the client's budget is kept."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from genesys_sandbox import ExpectedRows, Options, Sandbox, serve
from genesys_sandbox.in_process import InProcessAdapter
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.end_to_end.process import END, TIMEOUT, Run, start, write_json
from tests.end_to_end.process import settings as settings_for
from tests.many.budget import OneToken, answered, outputs, questions, refused
from tests.pipeline.running import Outcome, bag, config
from tests.simulation.tap_run import SharedTime

if TYPE_CHECKING:
    from pathlib import Path

    import requests

START = datetime(2025, 6, 2, tzinfo=timezone.utc)
NOW = datetime(2025, 6, 30, 12, tzinfo=timezone.utc)
CONCURRENCY = 4


def query(name: str, group: str) -> dict[str, Any]:
    """Hours of a dimension."""
    return {"name": name, "group_by": [group], "metrics": ["nOffered", "tHandle"], "granularity": "PT1H"}


QUERIES = (query("queues_by_hour", "queueId"), query("users_by_hour", "userId"))
ASK: dict[str, Any] = {"concurrency": CONCURRENCY, "max_window": "P1D", "lookback_days": 0}


def shared(now: Any, budget: int) -> Sandbox:
    """A sandbox in which all callers spend one budget a minute."""
    sandbox = Sandbox(Options(volume=0.1, requests_per_minute=budget), now=now)
    sandbox.tokens = OneToken(sandbox.options)
    return sandbox


def test_two_in_one_process() -> None:
    """By a clock that only sleepers move: every row, no minute above the budget, few refused."""
    budget, clock = 30, SharedTime(NOW)
    sandbox = shared(clock.now, budget)
    outcomes: dict[str, Outcome] = {}

    def mount(session: requests.Session) -> None:
        session.mount("https://", InProcessAdapter(sandbox))

    def load(which: dict[str, Any], output: Any) -> None:
        error: BaseException | None = None
        # One thread's wait is an hour's leap for another's answer: no answer may count as slow.
        period = {"start_date": START.isoformat(), "end_date": NOW.isoformat(), "request_timeout": 3600}
        settings = config(**ASK, **period, queries=[which])
        try:
            TapGenesysAggregates(config=settings, clock=clock, mount=mount).sync_all()
        except BaseException as raised:  # noqa: BLE001  # how it ended is asserted below
            error = raised
        lines = output.buffer.getvalue().splitlines()
        outcomes[which["name"]] = Outcome([json.loads(line) for line in lines], error)

    with outputs() as output:
        threads = [threading.Thread(target=load, args=(each, output), daemon=True) for each in QUERIES]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT)
    assert not any(thread.is_alive() for thread in threads), "a deadlock"
    for each in QUERIES:
        outcome = outcomes[each["name"]]
        assert outcome.error is None
        expected = ExpectedRows(sandbox).rows(each, START, NOW)
        assert bag(outcome.rows(each["name"])) == bag(expected)
    minutes = answered(sandbox)
    assert len(minutes) > 1
    assert max(minutes.values()) <= budget
    assert refused(sandbox) <= 2 * CONCURRENCY * len(minutes)
    windows = 2 * (NOW - START + timedelta(days=1)).days
    assert sum(minutes.values()) == windows, "what was answered is not asked again"


class Turning:
    """A real clock whose minute turns a few seconds after it was first looked at."""

    def __init__(self, seconds: float) -> None:
        """Turn so many seconds after the first look."""
        self._behind = timedelta(seconds=60 - seconds)
        self._began: float | None = None
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        """The instant."""
        with self._lock:
            began = self._began = time.monotonic() if self._began is None else self._began
        return NOW + self._behind + timedelta(seconds=time.monotonic() - began)


@pytest.mark.slow
def test_two_processes(tmp_path: Path) -> None:
    """By real clocks and sockets: with the minute's budget used up, both wait for the next and end well."""
    budget = 40
    sandbox = shared(Turning(8), budget)
    runs = {}
    with serve(sandbox) as url, contextlib.ExitStack() as stack:
        taps = {}
        for each in QUERIES:
            mine = settings_for(url, **ASK, queries=[each], start_date=START.isoformat())
            path = write_json(tmp_path, each["name"], mine)
            taps[each["name"]] = stack.enter_context(start("--config", path))
        threads = [
            threading.Thread(
                target=lambda name=name, tap=tap: runs.update({name: tap.communicate(timeout=TIMEOUT)})
            )
            for name, tap in taps.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT)
        ended = {name: Run(tap.wait(1), *runs[name]) for name, tap in taps.items()}
    for each in QUERIES:
        run = ended[each["name"]]
        assert run.status == 0, run.stderr
        assert bag(run.rows(each["name"])) == bag(ExpectedRows(sandbox).rows(each, START, END))
    assert len(answered(sandbox)) > 1, "the budget was not used up"
    assert max(answered(sandbox).values()) <= budget
    assert refused(sandbox) <= 2 * CONCURRENCY
    assert len(questions(sandbox)) >= 2 * (END - START).days
