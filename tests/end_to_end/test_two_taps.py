"""Two taps that run at the same time with one OAuth client stay within its rate limit and bring every row."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from genesys_sandbox import ExpectedRows, Options, Sandbox, serve
from genesys_sandbox.access import Tokens
from genesys_sandbox.in_process import InProcessAdapter
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.end_to_end.process import END, TIMEOUT, Run, data_requests, start, write_json
from tests.end_to_end.process import settings as settings_for
from tests.pipeline.running import Outcome, config, multiset, stdout_by_thread
from tests.simulation.tap_run import SharedTime

if TYPE_CHECKING:
    from pathlib import Path

    import requests

    from genesys_sandbox import Request, Response

START = datetime(2025, 6, 2, tzinfo=timezone.utc)
NOW = datetime(2025, 6, 30, 12, tzinfo=timezone.utc)
CONCURRENCY = 4
SETTINGS: dict[str, Any] = {"concurrency": CONCURRENCY, "max_window": "P1D", "lookback_days": 0}
QUERIES: tuple[dict[str, Any], ...] = tuple(
    {"name": name, "group_by": [group], "metrics": ["nOffered", "tHandle"], "granularity": "PT1H"}
    for name, group in (("queues_by_hour", "queueId"), ("users_by_hour", "userId"))
)


class OneToken(Tokens):
    """Gives every caller the same token, so that the sandbox counts their requests together."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._first: Response | None = None
        self._first_lock = threading.Lock()

    @override
    def issue(self, request: Request, now: datetime) -> Response:
        with self._first_lock:
            if self._first is None:
                self._first = super().issue(request, now)
            return self._first


def sandbox_with_limit(now: Any, requests_per_minute: int) -> Sandbox:
    """A sandbox in which all callers share one rate limit."""
    sandbox = Sandbox(Options(volume=0.1, requests_per_minute=requests_per_minute), now=now)
    sandbox.tokens = OneToken(sandbox.options)
    return sandbox


def answered_by_minute(sandbox: Sandbox) -> Counter[str]:
    """The number of requests that were answered in each minute of the sandbox's clock."""
    return Counter(f"{entry.at:%d %H:%M}" for entry in data_requests(sandbox) if entry.status == 200)


def rate_limited(sandbox: Sandbox) -> int:
    """The number of requests that were answered with 429."""
    return sum(entry.status == 429 for entry in data_requests(sandbox))


def test_two_taps_in_one_process_bring_every_row_within_the_limit() -> None:
    """Time passes only when a tap sleeps."""
    limit, clock = 30, SharedTime(NOW)
    sandbox = sandbox_with_limit(clock.now, limit)
    outcomes: dict[str, Outcome] = {}

    def mount(session: requests.Session) -> None:
        session.mount("https://", InProcessAdapter(sandbox))

    def load(query: dict[str, Any], stdout: Any) -> None:
        error: BaseException | None = None
        # The wait of one thread is a jump in time for a request of the other, which must not count as slow.
        period = {"start_date": START.isoformat(), "end_date": NOW.isoformat(), "request_timeout": 3600}
        settings = config(**SETTINGS, **period, queries=[query])
        try:
            TapGenesysAggregates(config=settings, clock=clock, mount=mount).sync_all()
        except BaseException as raised:  # noqa: BLE001  # how it ended is asserted below
            error = raised
        lines = stdout.buffer.getvalue().splitlines()
        outcomes[query["name"]] = Outcome([json.loads(line) for line in lines], error)

    with stdout_by_thread() as stdout:
        threads = [threading.Thread(target=load, args=(query, stdout), daemon=True) for query in QUERIES]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT)
    assert not any(thread.is_alive() for thread in threads), "a deadlock"
    for query in QUERIES:
        outcome = outcomes[query["name"]]
        assert outcome.error is None
        expected = ExpectedRows(sandbox).rows(query, START, NOW)
        assert multiset(outcome.rows(query["name"])) == multiset(expected)
    minutes = answered_by_minute(sandbox)
    assert len(minutes) > 1
    assert max(minutes.values()) <= limit
    assert rate_limited(sandbox) <= 2 * CONCURRENCY * len(minutes)
    windows = 2 * (NOW - START + timedelta(days=1)).days
    assert sum(minutes.values()) == windows, "a window that was answered was requested again"


class LateInTheMinute:
    """A real clock whose next minute begins a few seconds after it was first read."""

    def __init__(self, seconds: float) -> None:
        self._offset = timedelta(seconds=60 - seconds)
        self._began: float | None = None
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        """The time on the clock."""
        with self._lock:
            began = self._began = time.monotonic() if self._began is None else self._began
        return NOW + self._offset + timedelta(seconds=time.monotonic() - began)


@pytest.mark.slow
def test_two_processes_that_use_up_the_limit_wait_for_the_next_minute(tmp_path: Path) -> None:
    limit = 40
    sandbox = sandbox_with_limit(LateInTheMinute(8), limit)
    output = {}
    with serve(sandbox) as url, contextlib.ExitStack() as stack:
        taps = {}
        for query in QUERIES:
            settings = settings_for(url, **SETTINGS, queries=[query], start_date=START.isoformat())
            path = write_json(tmp_path, query["name"], settings)
            taps[query["name"]] = stack.enter_context(start("--config", path))
        threads = [
            threading.Thread(
                target=lambda name=name, tap=tap: output.update({name: tap.communicate(timeout=TIMEOUT)})
            )
            for name, tap in taps.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT)
        runs = {name: Run(tap.wait(1), *output[name]) for name, tap in taps.items()}
    for query in QUERIES:
        run = runs[query["name"]]
        assert run.status == 0, run.stderr
        assert multiset(run.rows(query["name"])) == multiset(ExpectedRows(sandbox).rows(query, START, END))
    assert len(answered_by_minute(sandbox)) > 1, "the limit was not used up"
    assert max(answered_by_minute(sandbox).values()) <= limit
    assert rate_limited(sandbox) <= 2 * CONCURRENCY
    assert len(data_requests(sandbox)) >= 2 * (END - START).days
