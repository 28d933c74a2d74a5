"""The Spark data source: its cost beside the tap's, Parquet beside Postgres, many organizations at once."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import psutil

from bench.commands import Commands
from bench.figures import Figure
from bench.meltano_load import meltano_loads
from bench.processes import ROOT, environment, pinned, python_command, run
from bench.replay import replay_server
from bench.responses import BUCKETS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.figures import Sizes

SPARK = ROOT / ".demo" / "spark" / "bin" / "python"
"""Python of the environment installed from requirements-spark.lock, which ``./run bench`` creates."""
_AT_ONCE = 8
"""Organizations that are read at once: they wait for answers most of the time."""
_GROUPS = (2, 40)
"""Groups in each day of a small organization, and of a larger one."""
_DAYS = 30
_LOOK_EVERY = 0.05
"""Seconds between two looks at the CPU time of processes."""


def measure(sizes: Sizes, folder: Path) -> Iterator[Figure]:
    """Measure the data source with one organization, then with many.

    Args:
        sizes: How much to measure.
        folder: A folder for files.

    Yields:
        The figures.
    """
    place = folder / "spark"
    place.mkdir()
    with replay_server("results", sizes.groups) as url:
        reads = _Reads(Commands("results", url, sizes.groups, place))
        yield _cpu(reads, sizes)
        yield _parquet(reads, sizes)
    for groups in _GROUPS:
        with replay_server("results", groups, latency=sizes.latency) as url:
            yield _organizations(_Reads(Commands("results", url, groups, place)), sizes)


@dataclass(frozen=True)
class _Reads:
    """Reads through Spark.

    Attributes:
        commands: The server, and the tap's settings.
    """

    commands: Commands

    def command(self, windows: int, target: str, *, organizations: int = 1, at_once: int = 1) -> list[str]:
        """The command that reads some days of each organization."""
        settings = {**self.commands.settings(windows), "max_window": "P31D"}
        if organizations == 1:  # as the tap that it is compared with
            settings |= {"max_window": "P1D", "concurrency": 1}
        path = self.commands.folder / f"spark-{windows}-{organizations}.json"
        path.write_text(json.dumps(settings), encoding="utf-8")
        return python_command("bench.peers.spark_read", path, organizations, at_once, target, at=SPARK)

    def parquet(self, windows: int) -> list[str]:
        """The command that writes some days to Parquet."""
        return self.command(windows, str(self.commands.folder / "parquet"))


def _cpu(reads: _Reads, sizes: Sizes) -> Figure:
    """Compare the CPU time of a row with the tap's, all processes of Spark included."""
    windows = sizes.small * sizes.times
    ratios, rows = [], (windows - 1) * sizes.groups * BUCKETS
    for _ in range(sizes.long_rounds):
        costs = {}
        for name, command in (
            ("tap", reads.commands.tap),
            ("spark", partial(reads.command, target="noop")),
        ):
            costs[name] = max(_cpu_time(command(windows)) - _cpu_time(command(1)), 1e-3)
        ratios.append(costs["spark"] / costs["tap"])
    method = f"{rows:,} rows to `noop`, net of a run of one window, {sizes.long_rounds} rounds, all processes"
    title = "Spark: CPU time of a row, relative to the tap"
    return Figure.from_ratios(title, ratios, ("at most", 1.5), method)


def _parquet(reads: _Reads, sizes: Sizes) -> Figure:
    """Compare the rate of writing Parquet with that of ``meltano run`` into Postgres."""
    rows = (sizes.loaded - 1) * sizes.groups * BUCKETS
    spark = max(run(reads.parquet(sizes.loaded)).wall - run(reads.parquet(1)).wall, 1e-3)
    with meltano_loads(reads.commands) as loads:
        meltano = max(loads.tap(sizes.loaded) - loads.tap(1), 1e-3)
    method = (
        f"{rows:,} rows of one organization, one core, net of a run of one window, one round, "
        f"wall-clock time; {rows / spark:,.0f} against {rows / meltano:,.0f} rows per second"
    )
    title = "Spark: rows per second into Parquet, relative to `meltano run` into Postgres"
    return Figure.from_ratios(title, [meltano / spark], ("at least", 3), method)


def _organizations(reads: _Reads, sizes: Sizes) -> Figure:
    """Compare many organizations at once with the tap's runs one after the other, on all cores."""
    count = sizes.organizations
    command = reads.command(_DAYS, "noop", organizations=count, at_once=_AT_ONCE)
    at_once = run(command, on_one_core=False).wall
    tap = reads.commands.tap(_DAYS, max_window="P31D", concurrency=4)
    in_turns = sum(run(tap, on_one_core=False).wall for _ in range(count))
    rows = _DAYS * reads.commands.groups * BUCKETS
    method = (
        f"{_DAYS} days of each, {sizes.latency * 1000:g} ms per response, {_AT_ONCE} at once on all cores, "
        f"one round, startup included; {at_once:.0f} against {in_turns:.0f} seconds"
    )
    title = (
        f"Spark: time for {count} organizations of {rows:,} rows, relative to runs of the tap "
        "one after the other"
    )
    return Figure.from_ratios(title, [at_once / in_turns], ("at most", 0.5), method)


def _cpu_time(command: list[str]) -> float:
    """Run a command on the first core, and return the CPU time of all its processes, in seconds.

    They are looked at while they run: the daemon of Spark lets the kernel forget what its workers cost.
    """
    seconds: dict[int, float] = {}
    with pinned(0):
        child = psutil.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT, env=environment()
        )
    while child.poll() is None:
        with suppress(psutil.NoSuchProcess):
            for each in (child, *child.children(recursive=True)):
                times = each.cpu_times()
                seconds[each.pid] = times.user + times.system
        time.sleep(_LOOK_EVERY)
    if child.returncode:
        raise RuntimeError(f"{command} failed with exit status {child.returncode}")
    return sum(seconds.values())
