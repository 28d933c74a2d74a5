"""The peers do the same work as the tap. These tests run real processes in the peers' environment."""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import psutil
import pytest

from bench import meltano_load
from bench.commands import Commands
from bench.figures import TINY
from bench.output import DifferentRowsError
from bench.processes import ROOT, python_command
from bench.profiling import profiles
from bench.query import APIS
from bench.rates import benchmarks, verify_outputs
from bench.replay import replay_server
from bench.responses import BUCKETS
from demo import postgres

if TYPE_CHECKING:
    from pathlib import Path

    from bench.query import Api

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("api", APIS)
def test_all_peers_write_the_same_rows(api: Api, tmp_path: Path) -> None:
    """As many rows and columns as the tap, with the same numbers; an output without one day is refused."""
    with replay_server(api, TINY.groups) as url:
        commands = Commands(api, url, TINY.groups, tmp_path)
        entries = benchmarks(commands, TINY)
        outputs = verify_outputs(entries, TINY, tmp_path)
        assert {"limit", "sdk_default", "script", "dlt_files", "airbyte", "airbyte_stream"} < set(outputs)
        (rows,) = set(outputs.values())
        assert rows.rows == TINY.fast * TINY.groups * BUCKETS
        assert rows.columns == {16 if api == "results" else 11}
        assert rows.total > 0
        short = replace(entries["script"], command=lambda windows: commands.script(windows - 1))
        with pytest.raises(
            DifferentRowsError, match=r"script wrote OutputSummary\(rows=96, .*, not OutputSummary\(rows=192"
        ):
            verify_outputs({"tap": entries["tap"], "script": short}, TINY, tmp_path)


def test_a_profile_accounts_for_all_of_the_taps_time(tmp_path: Path) -> None:
    """The shares add up to 1, and no function takes less time with its calls than without."""
    for profile in profiles(replace(TINY, groups=40, fast=20), tmp_path):
        assert sum(profile.own.values()) == pytest.approx(1)
        assert all(profile.whole[name] >= share for name, share in profile.own.items())
        assert any("streams.py:" in name for name in profile.whole)


def test_a_stopped_benchmark_leaves_no_process_behind() -> None:
    """Neither the replay server nor the measured command keeps running, and the exit status is 143."""
    bench = psutil.Popen(python_command("bench", "--tiny", "requests"), cwd=ROOT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(started := bench.children(recursive=True)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    bench.terminate()
    assert bench.wait(30) == 143
    gone, alive = psutil.wait_procs(started, timeout=30)
    assert (len(gone), alive) == (len(started), [])


@pytest.mark.postgres
@pytest.mark.meltano
def test_a_load_with_missing_rows_is_refused(tmp_path: Path) -> None:
    """Rows are counted in Postgres after the SDK-default tap has loaded a window through Meltano."""
    meltano = meltano_load.prepare_project()
    with postgres.embedded(tmp_path / "data") as warehouse, replay_server("results", 2) as url:
        loads = meltano_load.MeltanoLoads(Commands("results", url, 3, tmp_path), meltano, warehouse)
        with pytest.raises(DifferentRowsError, match="tap-sdk-default loaded 96 rows, not 144"):
            loads.peer(1)
