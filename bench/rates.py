"""Rows per second of the tap, relative to the bare limit and to other ways to do the same.

CPU time is what counts, so other programs on the machine have little effect. The CPU time of a run with no
window is subtracted, so startup does not count. The commands take turns within each round. Before the first
round, each runs once to have its output verified.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

from bench.commands import Commands
from bench.figures import Figure
from bench.output import OutputSummary
from bench.processes import run
from bench.query import APIS
from bench.replay import replay_server
from bench.responses import BUCKETS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.commands import Command
    from bench.figures import Comparison, Sizes
    from bench.query import Api


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A command and the sizes at which it is measured.

    Attributes:
        command: The command.
        windows: Windows that it turns into rows.
        baseline: Windows of the run that is subtracted. It is 1 for commands that skip part of their startup
            when there is no window at all.
    """

    command: Command
    windows: int
    baseline: int = 0

    def seconds_per_row(self, rows: int) -> float:
        """Run the command and return its CPU time per row, net of startup.

        Args:
            rows: Rows per window.
        """
        startup, whole = run(self.command(self.baseline)).cpu, run(self.command(self.windows)).cpu
        # With tiny sizes, the difference is below the resolution of the clock.
        return max(whole - startup, 1e-3) / ((self.windows - self.baseline) * rows)


_GOALS: dict[str, tuple[str, tuple[Comparison, float]]] = {
    "limit": ("the bare limit (decode and encode, nothing else)", ("at least", 0.5)),
    "sdk_default": ("a tap built the SDK's default way", ("at least", 8)),
    "script": ("a tutorial-style script", ("at least", 5)),
    "dlt_files": ("dlt's `rest_api` source, loading into files", ("at least", 8)),
    "airbyte": ("a declarative Airbyte CDK source", ("at least", 8)),
    "airbyte_stream": ("an Airbyte CDK source in Python, without state", ("at least", 8)),
}


def measure(sizes: Sizes, folder: Path) -> Iterator[Figure]:
    """Measure both APIs.

    Args:
        sizes: How much to measure.
        folder: A folder for files.

    Yields:
        A figure for each API and peer.

    Raises:
        DifferentRowsError: A peer wrote other rows than the tap.
    """
    for api in APIS:
        place = folder / api
        place.mkdir()
        with replay_server(api, sizes.groups) as url:
            commands = Commands(api, url, sizes.groups, place)
            entries = benchmarks(commands, sizes)
            verify_outputs(entries, sizes, place)
            rounds = [
                {name: entry.seconds_per_row(sizes.groups * BUCKETS) for name, entry in entries.items()}
                for _ in range(sizes.rounds)
            ]
            deselected = Benchmark(commands.tap_with_a_column_deselected, sizes.fast)
            shares = [_share(entries["tap"], deselected, sizes) for _ in range(sizes.rounds)]
        yield from _figures(api, sizes, entries, rounds)
        title = f"`{api}`: rows per second with a column deselected, relative to all columns"
        method = (
            f"{sizes.groups * BUCKETS * sizes.fast:,} rows, {sizes.rounds} rounds, CPU time net of startup"
        )
        yield Figure.from_ratios(title, shares, ("at least", 0.8), method)


def _share(whole: Benchmark, other: Benchmark, sizes: Sizes) -> float:
    """Rows per second of another benchmark, relative to a whole one."""
    rows = sizes.groups * BUCKETS
    return whole.seconds_per_row(rows) / other.seconds_per_row(rows)


def benchmarks(commands: Commands, sizes: Sizes) -> dict[str, Benchmark]:
    """Return the benchmarks of the tap and its peers, the tap first.

    Args:
        commands: The commands to measure.
        sizes: How many windows they turn into rows.
    """
    return {
        "tap": Benchmark(commands.tap, sizes.fast),
        "limit": Benchmark(commands.limit, sizes.fast),
        "sdk_default": Benchmark(commands.sdk_default, sizes.slow),
        "script": Benchmark(commands.script, sizes.slow),
        "dlt_files": Benchmark(commands.dlt_files, sizes.slow, baseline=1),
        "airbyte": Benchmark(commands.airbyte, sizes.slow, baseline=1),
        "airbyte_stream": Benchmark(commands.airbyte_stream, sizes.slow, baseline=1),
    }


def verify_outputs(entries: dict[str, Benchmark], sizes: Sizes, folder: Path) -> dict[str, OutputSummary]:
    """Run each command once and check that it writes the same rows as the tap.

    Args:
        entries: The benchmarks, the tap's among them.
        sizes: How much the server returns.
        folder: A folder for the outputs.

    Returns:
        The output of each command.

    Raises:
        DifferentRowsError: A peer wrote other rows than the tap, or the tap fewer than the server returned.
    """
    expected: dict[int, OutputSummary] = {}
    for windows in {entry.windows for entry in entries.values()}:
        expected[windows] = _output(entries["tap"].command, windows, folder)
        rows = windows * sizes.groups * BUCKETS
        expected[windows].require_equal(replace(expected[windows], rows=rows), "the tap")
    outputs = {name: _output(entry.command, entry.windows, folder) for name, entry in entries.items()}
    for name, output in outputs.items():
        output.require_equal(expected[entries[name].windows], name)
    return outputs


def _output(command: Command, windows: int, folder: Path) -> OutputSummary:
    """Run a command and read its standard output, or the files that dlt wrote."""
    output, files = folder / "rows.out", folder / "dlt" / "files" / "bench" / "rows"
    shutil.rmtree(files, ignore_errors=True)
    run(command(windows), output)
    return OutputSummary.read(files.glob("*.jsonl") if files.exists() else [output])


def _figures(
    api: Api, sizes: Sizes, entries: dict[str, Benchmark], rounds: list[dict[str, float]]
) -> Iterator[Figure]:
    rows = sizes.groups * BUCKETS
    for peer, (description, bound) in _GOALS.items():
        entry, ratios = entries[peer], [seconds[peer] / seconds["tap"] for seconds in rounds]
        ours, theirs, limit = (
            1 / median(seconds[name] for seconds in rounds) for name in ("tap", peer, "limit")
        )
        method = f"{rows * sizes.fast:,} rows, {rows:,} per window, {sizes.rounds} rounds, CPU time"
        method = f"{method} net of startup"
        if entry.windows != sizes.fast or entry.baseline:
            method = f"{method}; the peer {rows * entry.windows:,} rows"
        if entry.baseline:
            method = f"{method}, less a run of {rows * entry.baseline:,}"
        method = f"{method}; {ours:,.0f} rows per second against {theirs:,.0f}"
        if peer != "limit":
            method = f"{method}; the goal is {bound[1] * theirs / limit:.2f} of the bare limit"
        title = f"`{api}`: rows per second, relative to {description}"
        yield Figure.from_ratios(title, ratios, bound, method)
