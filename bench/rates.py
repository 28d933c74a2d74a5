"""Rows a second: the tap beside the bare limit, and beside other ways to do the same.

What counts is processor time, so other programs on the machine cancel out, and what a run with no window
takes is subtracted, so that start-up does not count. Contenders take turns within a round. Before the first
round each of them runs once to have its rows counted.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

from bench.asking import APIS
from bench.bodies import BUCKETS
from bench.contenders import Stage
from bench.figures import Figure
from bench.made import Made
from bench.processes import run
from bench.serving import server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.asking import Api
    from bench.contenders import Contender
    from bench.figures import Sense, Sizes


@dataclass(frozen=True, slots=True)
class Entry:
    """A contender's part in the rounds.

    Attributes:
        command: The contender.
        windows: How many windows it turns into rows.
        without: Windows of the run that is subtracted: 1 for those who do less than start up with none.
    """

    command: Contender
    windows: int
    without: int = 0

    def a_row(self, rows: int) -> float:
        """Seconds of processor time a row, net of start-up.

        Args:
            rows: Rows of a window.
        """
        start_up, whole = run(self.command(self.without)).cpu, run(self.command(self.windows)).cpu
        # Tiny sizes drown in what the clock does not tell apart.
        return max(whole - start_up, 1e-3) / ((self.windows - self.without) * rows)


_GOALS: dict[str, tuple[str, tuple[Sense, float]]] = {
    "limit": ("the bare limit (decode and encode, nothing else)", ("at least", 0.5)),
    "sdk_default": ("a tap in the SDK's default way", ("at least", 8)),
    "script": ("a script in the manner of a tutorial", ("at least", 5)),
    "dlt_files": ("dlt's `rest_api` source into files", ("at least", 8)),
    "airbyte": ("a declarative source of Airbyte's CDK", ("at least", 8)),
    "airbyte_stream": ("a source of Airbyte's CDK in Python, without state", ("at least", 8)),
}


def measure(sizes: Sizes, folder: Path) -> Iterator[Figure]:
    """Measure both contracts.

    Args:
        sizes: How much.
        folder: For files that contenders need.

    Yields:
        A figure for each contract and peer.

    Raises:
        DifferentError: A contender made other rows than the tap.
    """
    for api in APIS:
        place = folder / api
        place.mkdir()
        with server(api, sizes.groups) as url:
            entries = contenders(Stage(api, url, sizes.groups, place), sizes)
            count(entries, sizes, place)
            rounds = [
                {name: entry.a_row(sizes.groups * BUCKETS) for name, entry in entries.items()}
                for _ in range(sizes.rounds)
            ]
        yield from _figures(api, sizes, entries, rounds)


def contenders(stage: Stage, sizes: Sizes) -> dict[str, Entry]:
    """Who takes part, the tap first.

    Args:
        stage: Where they meet.
        sizes: How many windows they turn into rows.
    """
    return {
        "tap": Entry(stage.tap, sizes.fast),
        "limit": Entry(stage.limit, sizes.fast),
        "sdk_default": Entry(stage.sdk_default, sizes.slow),
        "script": Entry(stage.script, sizes.slow),
        "dlt_files": Entry(stage.dlt_files, sizes.slow, without=1),
        "airbyte": Entry(stage.airbyte, sizes.slow, without=1),
        "airbyte_stream": Entry(stage.airbyte_stream, sizes.slow, without=1),
    }


def count(entries: dict[str, Entry], sizes: Sizes, folder: Path) -> dict[str, Made]:
    """Run each contender once and read its rows.

    Args:
        entries: Who takes part, the tap among them.
        sizes: How much the server answers.
        folder: For their output.

    Returns:
        What each of them made.

    Raises:
        DifferentError: A contender made other rows than the tap, or the tap fewer than were answered.
    """
    ours: dict[int, Made] = {}
    for windows in {entry.windows for entry in entries.values()}:
        ours[windows] = _made(entries["tap"].command, windows, folder)
        rows = windows * sizes.groups * BUCKETS
        ours[windows].must_be(replace(ours[windows], rows=rows), "the tap")
    made = {name: _made(entry.command, entry.windows, folder) for name, entry in entries.items()}
    for name, each in made.items():
        each.must_be(ours[entries[name].windows], name)
    return made


def _made(command: Contender, windows: int, folder: Path) -> Made:
    """What a contender writes to its standard output, or what dlt leaves in files."""
    output, files = folder / "rows.out", folder / "dlt" / "files" / "bench" / "rows"
    shutil.rmtree(files, ignore_errors=True)
    run(command(windows), output)
    return Made.of(files.glob("*.jsonl") if files.exists() else [output])


def _figures(
    api: Api, sizes: Sizes, entries: dict[str, Entry], rounds: list[dict[str, float]]
) -> Iterator[Figure]:
    rows = sizes.groups * BUCKETS
    for peer, (whose, bound) in _GOALS.items():
        entry, ratios = entries[peer], [each[peer] / each["tap"] for each in rounds]
        ours, theirs, most = (1 / median(each[name] for each in rounds) for name in ("tap", peer, "limit"))
        how = f"{rows * sizes.fast:,} rows, {rows:,} a window, {sizes.rounds} rounds, processor time"
        how = f"{how} net of start-up"
        if entry.windows != sizes.fast or entry.without:
            how = f"{how}; the peer {rows * entry.windows:,} rows"
        if entry.without:
            how = f"{how} less a run of {rows * entry.without:,}"
        how = f"{how}; {ours:,.0f} rows a second beside {theirs:,.0f}"
        if peer != "limit":
            how = f"{how}, and the goal is {bound[1] * theirs / most:.2f} of the bare limit"
        yield Figure.of(f"`{api}`: rows a second, beside {whose}", ratios, bound, how)
