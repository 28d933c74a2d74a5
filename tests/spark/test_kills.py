"""Processes that are killed in the middle of a task, on a cluster of two executors on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.pipeline.running import multiset
from tests.spark.organizations import organizations, reader, rows, rows_of_taps
from tests.spark.sessions import session

if TYPE_CHECKING:
    from collections.abc import Callable

    from genesys_sandbox import Request
    from genesys_sandbox.faults import Fault

START, WINDOWS = "2026-02-11", 30
CONCURRENCY = 4
KILLED_AT = 6
"""The query during which the process is killed: some windows are loaded, and this one is on its way."""

pytestmark = pytest.mark.slow


@dataclass
class Process:
    """A process of this machine."""

    pid: int
    parent: int
    command: str


def processes() -> list[Process]:
    command = ["ps", "-ewwo", "pid=,ppid=,args="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    parts = (line.split(None, 2) for line in listed.splitlines())
    return [Process(int(pid), int(parent), command) for pid, parent, command in parts]


def python_daemons() -> list[Process]:
    """What starts the Python workers of executors; the driver's own are left out."""
    found = processes()
    executors = {each.pid for each in found if "CoarseGrainedExecutorBackend" in each.command}
    return [each for each in found if each.parent in executors and "pyspark.daemon" in each.command]


def executor() -> int:
    """The executor that runs the only task: the other one has started no Python."""
    (daemon,) = python_daemons()
    return daemon.parent


def python_worker() -> int:
    (daemon,) = python_daemons()
    (worker,) = (each.pid for each in processes() if each.parent == daemon.pid)
    return worker


@dataclass
class KillDuringQuery:
    """Kills a process while its query is being answered, once."""

    victim: Callable[[], int]
    queries: list[str] = field(default_factory=list)
    killed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, _number: int, request: Request) -> Fault | None:
        if b'"interval"' in request.body:
            with self.lock:
                self.queries.append(json.loads(request.body)["interval"])
                if len(self.queries) == KILLED_AT:
                    self.killed = self.victim()
                    os.kill(self.killed, signal.SIGKILL)
        return None


@pytest.mark.parametrize(
    ("victim", "most_again"),
    [
        pytest.param(python_worker, KILLED_AT + CONCURRENCY, id="a Python worker"),
        # Its Python worker notices when it hands over rows, by then it may have read everything.
        pytest.param(executor, WINDOWS, id="an executor"),
    ],
)
def test_rows_are_the_same_if_a_process_is_killed_in_the_middle_of_a_task(
    victim: Callable[[], int], most_again: int
) -> None:
    """The task starts again from its first window. Nothing is asked for a third time."""
    settings = {"start_date": START, "max_window": "P1D"}
    with session("local-cluster[2,1,1024]", spark_executor_memory="1g") as spark, organizations() as served:
        acme = served[0]
        acme.sandbox.faults = kill = KillDuringQuery(victim)
        found = rows(reader(spark, [acme], concurrency=str(CONCURRENCY), **settings).load("calls"))
        assert kill.killed
        assert kill.killed not in {each.pid for each in processes()}
        asked = Counter(kill.queries)
        assert len(asked) == WINDOWS
        assert asked[kill.queries[0]] == 2, "the task had been running, and began again"
        assert max(asked.values()) == 2
        assert KILLED_AT - CONCURRENCY <= asked.total() - WINDOWS <= most_again
        acme.sandbox.faults = None
        assert multiset(found) == multiset(rows_of_taps([acme], **settings))
