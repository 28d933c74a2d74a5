"""A day of hourly runs in one process, over real sockets: nothing grows and nothing is left behind."""

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
from tests.kills.pipelines import wait_until
from tests.many.test_side_by_side import QUERIES
from tests.pipeline.running import Outcome, bag, config, run
from tests.simulation.tap_run import SharedTime, captured_log

pytestmark = pytest.mark.slow

START = datetime(2026, 3, 2, tzinfo=timezone.utc)
BEGIN = START + timedelta(days=4, minutes=10)
LOOKBACK = timedelta(days=2)
WARM, LAST = 6, 24
STATE = 4
"""Bytes that the state may differ by."""

MEMORY, OBJECTS = 8 << 10, 120
"""Bytes and objects that caches may keep for each run and stream; the rows of a run are far more."""

_NOT_OURS = [
    tracemalloc.Filter(inclusive=False, filename_pattern=each)
    for each in ("*/sandbox/*", "*/tracemalloc.py", "*/threading.py", "*/socketserver.py")
]


@dataclass(frozen=True)
class After:
    """What there is after a run: bytes, numbers.

    Attributes:
        state: Its state as JSON.
        memory: What Python has allocated, the sandbox's facts left out.
        objects: What the garbage collector knows, plain tuples and lists of facts left out.
        threads: Threads that live.
        sockets: Sockets that are open.
    """

    state: int
    memory: int
    objects: int
    threads: int
    sockets: int


def looked(state: dict[str, Any]) -> After:
    """Look around, once what ends by itself has ended."""
    wait_until(lambda: not any("prefetch" in each.name for each in threading.enumerate()), 5)
    gc.collect()
    snapshot = tracemalloc.take_snapshot().filter_traces(_NOT_OURS)
    return After(
        len(json.dumps(state)),
        sum(each.size for each in snapshot.statistics("filename")),
        sum(not isinstance(each, list | tuple) for each in gc.get_objects()),
        threading.active_count(),
        len(psutil.Process().net_connections()),
    )


def hours(sandbox: Sandbox, clock: SharedTime, settings: dict[str, Any]) -> tuple[After, After, Outcome]:
    """Run every hour of a day; what there was after the warm-up and after the last run, and one run more."""
    found: dict[int, After] = {}
    state: dict[str, Any] = {}
    with captured_log() as lines:
        for number in range(1, LAST + 1):
            clock.instant = BEGIN + timedelta(hours=number)
            state = run(sandbox, settings, state=state, time=clock).state
            assert state
            sandbox.log.clear()
            lines.clear()
            if number in {WARM, LAST}:
                found[number] = looked(state)
        return found[WARM], found[LAST], run(sandbox, settings, state=state, time=clock)


@pytest.mark.parametrize(("streams", "concurrency"), [(1, 1), (2, 4)])
def test_a_day_of_hourly_runs(streams: int, concurrency: int) -> None:
    """After the last run there is as much state, memory, threads and sockets as after the sixth."""
    clock, queries = SharedTime(BEGIN), list(QUERIES[:streams])
    sandbox = Sandbox(Options(volume=0.1, rewrites=True), now=clock.now)
    tracemalloc.start(1)
    try:
        with serve(sandbox) as url:
            changes = {"lookback_days": LOOKBACK.days, "concurrency": concurrency, "queries": queries}
            settings = config(base_url=url, start_date=START.isoformat(), **changes)
            warm, last, once_more = hours(sandbox, clock, settings)
    finally:
        tracemalloc.stop()
    assert last.state <= warm.state + STATE
    runs = (LAST - WARM) * streams
    assert (last.memory - warm.memory) / runs <= MEMORY
    assert (last.objects - warm.objects) / runs <= OBJECTS
    assert last.threads <= warm.threads
    assert last.sockets <= warm.sockets
    end = clock.instant.replace(minute=0)
    begin = (clock.instant - LOOKBACK).replace(hour=0, minute=0)
    for each in queries:
        assert bag(once_more.rows(each["name"])) == bag(ExpectedRows(sandbox).rows(each, begin, end))
