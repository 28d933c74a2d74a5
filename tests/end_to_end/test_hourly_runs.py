"""A day of hourly runs in one process, over real sockets: no memory, thread or socket leaks."""

from __future__ import annotations

import gc
import json
import threading
import tracemalloc
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import psutil
import pytest

from genesys_sandbox import ExpectedRows, Options, Sandbox, serve
from tests.end_to_end.test_two_taps import QUERIES
from tests.kills.pipelines import wait_until
from tests.pipeline.running import Outcome, config, multiset, run
from tests.simulation.tap_run import SharedTime, captured_log

pytestmark = pytest.mark.slow

START = datetime(2026, 3, 2, tzinfo=timezone.utc)
FIRST_RUN = START + timedelta(days=4, minutes=10)
LOOKBACK = timedelta(days=2)
WARMED_UP, LAST = 6, 24
STATE_BYTES = 4
"""By how many bytes the size of the state may differ."""

MEMORY_BYTES, OBJECTS = 8 << 10, 120
"""What caches may keep for each run and stream; the rows of a run take far more."""

_NOT_OF_THE_TAP = [
    tracemalloc.Filter(inclusive=False, filename_pattern=each)
    for each in ("*/genesys_sandbox/*", "*/tracemalloc.py", "*/threading.py", "*/socketserver.py")
]


@dataclass(frozen=True)
class Footprint:
    """What the process uses after a run.

    Attributes:
        state: Bytes of the state as JSON.
        memory: Bytes that Python has allocated, without those of the sandbox.
        objects: Objects of the garbage collector, without tuples and lists, most of which are the sandbox's.
        threads: Threads that are alive.
        sockets: Sockets that are open.
    """

    state: int
    memory: int
    objects: int
    threads: int
    sockets: int


def footprint(state: dict[str, Any]) -> Footprint:
    """Measure, once the threads that end by themselves have ended."""
    wait_until(lambda: not any("prefetch" in each.name for each in threading.enumerate()), 5)
    gc.collect()
    snapshot = tracemalloc.take_snapshot().filter_traces(_NOT_OF_THE_TAP)
    return Footprint(
        len(json.dumps(state)),
        sum(each.size for each in snapshot.statistics("filename")),
        sum(not isinstance(each, list | tuple) for each in gc.get_objects()),
        threading.active_count(),
        len(psutil.Process().net_connections()),
    )


def run_hourly(
    sandbox: Sandbox, clock: SharedTime, settings: dict[str, Any]
) -> tuple[Footprint, Footprint, Outcome]:
    """Run every hour of a day.

    Returns:
        The footprint after the warm-up and after the last run, and the outcome of one run more.
    """
    found: dict[int, Footprint] = {}
    state: dict[str, Any] = {}
    with captured_log() as lines:
        for number in range(1, LAST + 1):
            clock.instant = FIRST_RUN + timedelta(hours=number)
            state = run(sandbox, settings, state=state, time=clock).state
            assert state
            sandbox.log.clear()
            lines.clear()
            if number in {WARMED_UP, LAST}:
                found[number] = footprint(state)
        return found[WARMED_UP], found[LAST], run(sandbox, settings, state=state, time=clock)


@pytest.mark.parametrize(("streams", "concurrency"), [(1, 1), (2, 4)])
def test_after_a_day_of_hourly_runs_the_process_uses_no_more_than_after_six(
    streams: int, concurrency: int
) -> None:
    clock, queries = SharedTime(FIRST_RUN), list(QUERIES[:streams])
    sandbox = Sandbox(Options(volume=0.1, rewrites=True), now=clock.now)
    tracemalloc.start(1)
    try:
        with serve(sandbox) as url:
            changes = {"lookback_days": LOOKBACK.days, "concurrency": concurrency, "queries": queries}
            settings = config(base_url=url, start_date=START.isoformat(), **changes)
            warm, last, once_more = run_hourly(sandbox, clock, settings)
    finally:
        tracemalloc.stop()
    assert last.state <= warm.state + STATE_BYTES
    runs = (LAST - WARMED_UP) * streams
    assert (last.memory - warm.memory) / runs <= MEMORY_BYTES
    assert (last.objects - warm.objects) / runs <= OBJECTS
    assert last.threads <= warm.threads
    assert last.sockets <= warm.sockets
    stop = clock.instant.replace(minute=0)
    start = (clock.instant - LOOKBACK).replace(hour=0, minute=0)
    for query in queries:
        expected = ExpectedRows(sandbox).rows(query, start, stop)
        assert multiset(once_more.rows(query["name"])) == multiset(expected)
