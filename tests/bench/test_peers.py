"""Peers do the work that the tap does, in environments of their own; real processes."""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import psutil
import pytest

from bench import loading
from bench.asking import APIS
from bench.bodies import BUCKETS
from bench.contenders import Stage
from bench.figures import TINY
from bench.made import DifferentError
from bench.processes import ROOT, python
from bench.profiling import profiles
from bench.rates import contenders, count
from bench.serving import server
from demo import postgres

if TYPE_CHECKING:
    from pathlib import Path

    from bench.asking import Api

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("api", APIS)
def test_contenders_make_the_same_rows(api: Api, tmp_path: Path) -> None:
    """Each gives as many rows and columns as the tap, with the same numbers; a day less is refused."""
    with server(api, TINY.groups) as url:
        stage = Stage(api, url, TINY.groups, tmp_path)
        entries = contenders(stage, TINY)
        made = count(entries, TINY, tmp_path)
        assert {"limit", "sdk_default", "script", "dlt_files", "airbyte", "airbyte_stream"} < set(made)
        (rows,) = set(made.values())
        assert rows.rows == TINY.fast * TINY.groups * BUCKETS
        assert rows.columns == {16 if api == "results" else 11}
        assert rows.total > 0
        short = replace(entries["script"], command=lambda windows: stage.script(windows - 1))
        with pytest.raises(DifferentError, match=r"script made Made\(rows=96, .*, not Made\(rows=192"):
            count({"tap": entries["tap"], "script": short}, TINY, tmp_path)


def test_a_profile_is_shares_of_the_taps_own_time(tmp_path: Path) -> None:
    """They add up to the whole, and no function has less with what it calls than without."""
    for profile in profiles(replace(TINY, groups=40, fast=20), tmp_path):
        assert sum(profile.own.values()) == pytest.approx(1)
        assert all(profile.whole[name] >= share for name, share in profile.own.items())
        assert any("streams.py:" in name for name in profile.whole)


def test_a_bench_that_is_stopped_leaves_nothing_behind() -> None:
    """Neither the replay server nor what is being measured; and it does not look like success."""
    bench = psutil.Popen(python("bench", "--tiny", "politeness"), cwd=ROOT, stdout=subprocess.DEVNULL)
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
def test_a_load_counts_its_rows_in_postgres(tmp_path: Path) -> None:
    """The SDK's default tap loads a window through Meltano; where more were answered, that is refused."""
    meltano = loading.ready()
    with postgres.embedded(tmp_path / "data") as warehouse, server("results", 2) as url:
        loads = loading.Loads(Stage("results", url, 3, tmp_path), meltano, warehouse)
        with pytest.raises(DifferentError, match="tap-sdk-default loaded 96 rows, not 144"):
            loads.peer(1)
