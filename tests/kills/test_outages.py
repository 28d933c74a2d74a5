"""Outages during a run: PostgreSQL stops, the disk is full, or the host goes away."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import threading
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil
import pytest
import requests
from typing_extensions import override

from demo.postgres import embedded
from genesys_sandbox import ExpectedRows, Options, Sandbox, serve
from genesys_sandbox.in_process import InProcessAdapter
from tap_genesys_aggregates.core.errors import TapError
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.end_to_end.process import (
    END,
    START,
    TAP,
    TIMEOUT,
    Run,
    by_key,
    data_requests,
    is_complete,
    run,
    settings,
    start,
    write_json,
)
from tests.kills.loads import set_up
from tests.kills.pipelines import Pipe, clean_environment, wait_until
from tests.pipeline.running import ManualClock, Outcome, Warehouse, config, multiset, stdout_by_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from requests import PreparedRequest, Response

    from demo.postgres import Postgres
    from tests.kills.loads import Setup

REAL_PIPELINE = (pytest.mark.slow, pytest.mark.postgres, pytest.mark.meltano)
NOW = datetime(2025, 6, 30, 12, tzinfo=timezone.utc)
DAY_BY_DAY = {"concurrency": 2, "window": "P1D", "max_window": "P1D", "lookback_days": 0}
QUERY = {"name": "calls", "metrics": ["nOffered"], "group_by": ["queueId"], "granularity": "PT1H"}
ABANDONED_KEYS = ("interval_start", "routing_queue_id", "media_type")
TAP_COLUMNS = {"extracted_at", "is_final"}
ALWAYS_FULL = Path("/dev/full")
FILE_SIZE_KIBIBYTES = 32
"""The size limit of a file: less than a load writes."""


def real_pipeline(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that needs Meltano's plugins and PostgreSQL."""
    for mark in REAL_PIPELINE:
        test = mark(test)
    return test


def shut_down(server: psutil.Process) -> None:
    """Shut PostgreSQL down as ``pg_ctl stop`` does: sessions are closed, then it ends."""
    server.send_signal(signal.SIGINT)


def kill_all(server: psutil.Process) -> None:
    """Kill all its processes, as when a machine loses power."""
    for each in [server, *server.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()


@real_pipeline
@pytest.mark.parametrize("stop", [shut_down, kill_all])
def test_a_load_survives_a_database_outage(
    target_postgres: Path, tmp_path: Path, stop: Callable[[psutil.Process], None]
) -> None:
    """The run fails; once the database is back, the next run completes the load."""
    folder = tmp_path / "postgres" / "data"
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(embedded(folder))
        with set_up("results", server, "stopped") as setup:
            pipe = Pipe(setup, tmp_path, target_postgres)
            with pipe.run() as running:
                wait_until(lambda: setup.requests() >= 9 and setup.rows() > 0)
                process = psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))
                stop(process)
                assert wait_until(running.ended)
                assert running.status() != 0, "the tap succeeded although its target had ended"
            process.wait(30)
            stack.close()  # also ends the process that keeps PostgreSQL running
            stack.enter_context(embedded(folder))
            assert 0 < setup.rows() < sum(map(len, setup.expected().values()))
            with pipe.run() as running:
                assert wait_until(running.ended)
                assert running.status() == 0, pipe.log.read_text()
            assert setup.failures() == []


@contextlib.contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[Path]:
    """Mount a file system of this size, if this machine allows it; otherwise skip the test."""
    folder.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    options = f"size={mebibytes}m,mode=777"
    command = [mount or "false", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if not umount or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a file system; the test with limited file sizes runs everywhere")
    try:
        yield folder
    finally:
        subprocess.run([umount, "--lazy", str(folder)], check=True)


def fill_disk(file: Path) -> None:
    with file.open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(1 << 16))


def abandoned_rows(folder: Path) -> list[dict[str, Any]]:
    """The rows in the file of the stream ``abandoned``, without the columns that the tap adds.

    A last line that was cut off by the full disk is removed first: the target would append to it.
    """
    file = folder / "abandoned.jsonl"
    content = file.read_bytes()
    file.write_bytes(content[: content.rfind(b"\n") + 1])
    rows = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return [{name: value for name, value in row.items() if name not in TAP_COLUMNS} for row in rows]


def assert_fails_then_completes(pipe: Pipe, setup: Setup, folder: Path) -> None:
    """The run fails at the size limit; without the limit, the next run writes all expected rows."""
    with pipe.run() as running:
        assert wait_until(running.ended)
        assert running.status() != 0, "the tap succeeded although its target had ended"
    assert not pipe.state.exists()
    expected = setup.expected()["abandoned"]
    assert 0 < len(abandoned_rows(folder)) < len(expected)
    pipe.wrapper = ()
    with pipe.run() as running:
        assert wait_until(running.ended)
        assert running.status() == 0, pipe.log.read_text(encoding="utf-8")
    assert by_key(abandoned_rows(folder), ABANDONED_KEYS) == by_key(expected, ABANDONED_KEYS)


@real_pipeline
def test_a_load_survives_a_limit_on_file_sizes(
    postgres: Postgres, target_jsonl: Path, tmp_path: Path
) -> None:
    """The kernel stops target-jsonl at a size: the run fails, and the next one completes the files."""
    folder = tmp_path / "output"
    config = write_json(tmp_path, "target", {"destination_path": str(folder), "do_timestamp_file": False})
    # Python would cut short the bytecode that it writes, too, and every later start of the target would fail.
    limit_files = f'ulimit -f {2 * FILE_SIZE_KIBIBYTES}; exec env PYTHONDONTWRITEBYTECODE=1 "$@"'
    limit = ("sh", "-c", limit_files, "sh")
    with set_up("group_tree", postgres, "grown") as setup:
        pipe = Pipe(setup, tmp_path, target_jsonl, ("--config", config), limit)
        assert_fails_then_completes(pipe, setup, folder)


@real_pipeline
def test_a_load_survives_a_full_disk_of_the_database(target_postgres: Path, tmp_path: Path) -> None:
    """A small disk under PostgreSQL fills up: the run fails; with space again, the next one completes."""
    with (
        small_disk(tmp_path / "disk", 200) as disk,
        embedded(disk / "data") as server,
        set_up("results", server, "full") as setup,
    ):
        pipe, filler = Pipe(setup, tmp_path, target_postgres), disk / "filler"
        with pipe.run() as running:
            wait_until(lambda: setup.rows() > 0)
            with pytest.raises(OSError, match="No space left"):
                fill_disk(filler)
            assert wait_until(running.ended)
            assert running.status() != 0, "the tap succeeded although its target had ended"
        assert "No space left" in pipe.log.read_text(encoding="utf-8")
        filler.unlink()
        assert setup.rows() < sum(map(len, setup.expected().values()))
        with pipe.run() as running:
            assert wait_until(running.ended)
            assert running.status() == 0, pipe.log.read_text(encoding="utf-8")
        assert setup.failures() == []


@real_pipeline
@pytest.mark.skipif(not ALWAYS_FULL.exists(), reason="this system has no /dev/full")
def test_a_tap_without_space_for_its_output_fails(postgres: Postgres, tmp_path: Path) -> None:
    """The run ends with an error if its own output cannot be written."""
    with set_up("group_tree", postgres, "device") as setup, ALWAYS_FULL.open("wb") as full:
        command = [str(TAP), "--config", write_json(tmp_path, "config", setup.config)]
        result = subprocess.run(
            command,
            stdout=full,
            stderr=subprocess.PIPE,
            env=clean_environment(),
            timeout=TIMEOUT,
            check=False,
        )
    assert result.returncode != 0
    assert b"No space left" in result.stderr


class Host:
    """A served sandbox that can go away and come back, on the same port."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox, self._served = sandbox, contextlib.ExitStack()
        self.url = self._served.enter_context(serve(sandbox))

    def stop(self) -> None:
        """Close all connections, and stop listening."""
        self._served.close()

    def restart(self) -> None:
        """Listen again."""
        self._served.enter_context(serve(self._sandbox, urlsplit(self.url).port or 0))


@contextlib.contextmanager
def running_tap(config_path: str) -> Iterator[list[Run]]:
    """A tap that runs in the background; at the end of the block it has ended, and the list has its run."""
    ended: list[Run] = []
    with start("--config", config_path) as tap:

        def read() -> None:
            output, stderr = tap.communicate(timeout=TIMEOUT)
            ended.append(Run(tap.returncode, output, stderr))

        reader = threading.Thread(target=read)
        reader.start()
        yield ended
        reader.join(TIMEOUT)


@pytest.mark.slow
def test_a_run_survives_an_outage_of_three_seconds(tmp_path: Path) -> None:
    """If nothing listens for three seconds, the run retries, and writes every row."""
    sandbox = Sandbox(Options(latency=0.1), now=lambda: NOW)
    host = Host(sandbox)
    config_path = write_json(tmp_path, "config", settings(host.url, "group_tree", **DAY_BY_DAY))
    with running_tap(config_path) as ended:
        assert wait_until(lambda: len(data_requests(sandbox)) >= 4)
        host.stop()
        requests_before = len(data_requests(sandbox))
        time.sleep(3)
        assert ended == []
        host.restart()
    host.stop()
    (survivor,) = ended
    assert survivor.status == 0, survivor.stderr
    assert "sent no complete response" in survivor.stderr
    assert requests_before < len(data_requests(sandbox))
    assert is_complete(sandbox, survivor)


@pytest.mark.slow
def test_an_outage_longer_than_all_retries_ends_the_run(tmp_path: Path) -> None:
    """The run ends with 1 and names the host; the next run starts where it stopped, and adds the rest."""
    sandbox = Sandbox(Options(latency=0.1), now=lambda: NOW)
    host = Host(sandbox)
    config = write_json(tmp_path, "config", settings(host.url, "group_tree", **DAY_BY_DAY, max_retries=1))
    with running_tap(config) as ended:
        assert wait_until(lambda: len(data_requests(sandbox)) >= 6)
        host.stop()
    (failed,) = ended
    assert failed.status == 1
    assert urlsplit(host.url).netloc in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not is_complete(sandbox, failed)
    requests_before = len(data_requests(sandbox))
    host.restart()
    resumed = run("--config", config, "--state", write_json(tmp_path, "state", failed.state))
    host.stop()
    assert resumed.status == 0, resumed.stderr
    assert is_complete(sandbox, failed, resumed)
    assert len(data_requests(sandbox)) - requests_before < requests_before + (END - START).days


class OutageAdapter(InProcessAdapter):
    """A connection to a sandbox that goes away with the fifth request, for some simulated seconds."""

    def __init__(self, sandbox: Sandbox, clock: ManualClock, seconds: float) -> None:
        super().__init__(sandbox)
        self._clock, self._seconds = clock, seconds
        self._sent, self._back_at = 0, 0.0

    @override
    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        self._sent += 1
        if self._sent == 5:
            self._back_at = self._clock.monotonic() + self._seconds
        if self._clock.monotonic() < self._back_at:
            raise requests.ConnectionError(request=request)
        return super().send(request, *args, **kwargs)


def run_with_outage(
    sandbox: Sandbox, seconds: float, state: dict[str, Any] | None = None, **changes: Any
) -> Outcome:
    """Run the tap with an outage of some seconds from the fifth request on, in simulated time."""
    clock, error = ManualClock(sandbox.now()), None
    period = {"start_date": START.isoformat(), "end_date": END.isoformat(), "lookback_days": 0}
    adapter = OutageAdapter(sandbox, clock, seconds)
    with stdout_by_thread() as output:
        try:
            TapGenesysAggregates(
                config=config(**period, queries=[QUERY], **changes),
                state=state,
                clock=clock,
                mount=lambda session: session.mount("https://", adapter),
            ).sync_all()
        except TapError as raised:
            error = raised
        return Outcome([json.loads(line) for line in output.buffer.getvalue().splitlines()], error)


def test_seven_retries_outlast_a_minute() -> None:
    """With ``max_retries: 7``, whatever the jitter, an outage of a minute loses nothing."""
    sandbox = Sandbox(Options(volume=0.1), now=lambda: NOW)
    outcome = run_with_outage(sandbox, 60, max_retries=7)
    assert outcome.error is None
    assert multiset(outcome.rows("calls")) == multiset(ExpectedRows(sandbox).rows(QUERY, START, END))
    assert max(entry["retries"] for entry in outcome.rows("extractions")) > 5


def test_the_default_retries_last_half_a_minute() -> None:
    """A longer outage ends the run; its state stays valid, and the next run completes the load."""
    sandbox, warehouse = Sandbox(Options(volume=0.1), now=lambda: NOW), Warehouse()
    failed = run_with_outage(sandbox, 60)
    assert failed.error is not None
    warehouse.load(failed.messages)
    ends = [entry["window_end"] for entry in failed.rows("extractions")]
    assert ends
    assert warehouse.state["bookmarks"]["calls"]["replication_key_value"] == ends[-1]
    resumed = run_with_outage(sandbox, 0, warehouse.state)
    assert resumed.error is None
    assert min(row["interval_start"] for row in resumed.rows("calls")) >= ends[-1]
    warehouse.load(resumed.messages)
    assert multiset(warehouse.rows("calls")) == multiset(ExpectedRows(sandbox).rows(QUERY, START, END))
