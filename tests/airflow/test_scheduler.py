"""The DAG of orchestrate/ as Airflow runs it: with a scheduler and the rest, and tasks in parallel."""

from __future__ import annotations

import contextlib
import re
import socket
import sqlite3
import subprocess
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.airflow.fleet import AIRFLOW, DEAD, REFUSED, TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.airflow.fleet import Fleet

AT_ONCE = 2
POOL = "genesys"

pytestmark = [pytest.mark.airflow, pytest.mark.meltano, pytest.mark.postgres, pytest.mark.slow]


def test_a_scheduler_loads_several_organizations_at_once_but_not_all(fleet: Fleet) -> None:
    """One host is dead, and one connection has a mistake. The schema is missing: all are first loads.

    A second run, in the same test because Airflow takes long to start, has a pool of one slot and a stand-in
    for Meltano.
    """
    with contextlib.ExitStack() as stack:
        urls = fleet.serve(stack)
        fleet.client("initech", DEAD, "initech-hush")
        fleet.client("umbrella", urls["umbrella"], "umbrella-hush", regoin="eu_west_1")
        with _scheduler(fleet) as processes:
            _wait_for_runs(fleet, processes, 1)
            _check_the_run(fleet)
            fleet.stand_in()
            _airflow(fleet, "pools", "set", POOL, "1", "of this test")
            _airflow(fleet, "dags", "trigger", "genesys")
            _wait_for_runs(fleet, processes, 2)
    assert fleet.commands.read_text(encoding="utf-8").count("begin run") == 3
    assert _most_at_once(fleet) == 1
    files = [each for each in fleet.home.rglob("*") if each.is_file()] + _logs(fleet)
    assert len(files) > 10
    assert [each for each in files if b"-hush" in each.read_bytes()] == []


def _check_the_run(fleet: Fleet) -> None:
    assert _rows(fleet, "select state from dag_run") == [("failed",)]
    assert _rows(fleet, "select max_active_tasks from dag") == [(AT_ONCE,)], "not Airflow's default"
    tasks = _rows(fleet, "select rendered_map_index, state, pool from task_instance where task_id = 'load'")
    assert sorted(tasks) == [
        ("acme", "success", POOL),  # at the second try, if the other one has just created the same table
        ("globex", "success", POOL),
        ("initech", "failed", POOL),
        ("umbrella", "failed", POOL),
    ]
    assert fleet.loaded == {"acme", "globex"}
    assert _most_at_once(fleet) == AT_ONCE
    (log,) = fleet.home.glob("logs/**/task_id=summarize/attempt=1.log")
    summary = log.read_text(encoding="utf-8")
    assert "2 of 4 organizations were loaded." in summary
    assert f"initech failed: {REFUSED}" in summary
    assert "umbrella failed: the extra of the Airflow connection 'genesys_umbrella': " in summary
    assert "did you mean 'region'?" in summary
    assert "The KPIs were built." in summary


@contextlib.contextmanager
def _scheduler(fleet: Fleet) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start what Airflow consists of, on this machine only; in the end, nothing of it is left."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environment = {
        **_environment(fleet),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
    }
    _airflow(fleet, "db", "migrate")
    _airflow(fleet, "pools", "set", POOL, "9", "of this test")
    parts = [
        ["api-server", "--host", "127.0.0.1", "--port", port],
        ["dag-processor"],
        ["scheduler", "--skip-serve-logs"],
    ]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for part in parts:
            with (fleet.folder / f"{part[0]}.log").open("wb") as log:
                started.append(
                    subprocess.Popen(
                        [AIRFLOW / "airflow", *part],
                        cwd=fleet.folder,
                        env=environment,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                    )
                )
        yield started
    finally:
        _stop(started)


def _environment(fleet: Fleet) -> dict[str, str]:
    return {
        **fleet.environment(),
        "AIRFLOW__API_AUTH__JWT_SECRET": "of this test alone, and long enough",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "GENESYS_DAG_AT_ONCE": str(AT_ONCE),
        "GENESYS_DAG_POOL": POOL,
        "GENESYS_DAG_SCHEDULE": "@once",
        "NO_PROXY": "127.0.0.1",
    }


def _airflow(fleet: Fleet, *command: str) -> None:
    subprocess.run(
        [AIRFLOW / "airflow", *command],
        env=_environment(fleet),
        check=True,
        capture_output=True,
        timeout=TIMEOUT,
    )


def _stop(started: list[subprocess.Popen[bytes]]) -> None:
    """Stop Airflow, and whatever its tasks have started."""
    parents = [psutil.Process(each.pid) for each in started if each.poll() is None]
    everybody = parents + [child for each in parents for child in each.children(recursive=True)]
    for each in started:
        each.terminate()
    _, left = psutil.wait_procs(everybody, timeout=20)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    for each in started:
        each.wait(10)


def _wait_for_runs(fleet: Fleet, processes: list[subprocess.Popen[bytes]], number: int) -> None:
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline and all(each.poll() is None for each in processes):
        if len(_rows(fleet, "select 1 from dag_run where state in ('success', 'failed')")) == number:
            return
        time.sleep(1)
    ends = [each.read_text(encoding="utf-8", errors="replace")[-3000:] for each in _logs(fleet)]
    pytest.fail(f"Airflow has ended, or not ended the run within {TIMEOUT} seconds\n" + "\n".join(ends))


def _logs(fleet: Fleet) -> list[Path]:
    return list(fleet.folder.glob("*.log"))


def _rows(fleet: Fleet, statement: str) -> list[tuple[object, ...]]:
    database = f"file:{fleet.home / 'airflow.db'}?mode=ro"
    with contextlib.closing(sqlite3.connect(database, uri=True, timeout=30)) as connection:
        return connection.execute(statement).fetchall()


def _most_at_once(fleet: Fleet) -> int:
    """How many organizations were loaded at the same time."""
    now = most = 0
    for line in fleet.commands.read_text(encoding="utf-8").splitlines():
        change = re.match(r"(begin|end) run ", line)
        if change:
            now += 1 if change[1] == "begin" else -1
            most = max(most, now)
    return most
