"""Rows a second: the tap beside the bare limit, a script, and the SDK's default way.

What counts is processor time, so other programs on the machine cancel out, and what a run with no window
takes is subtracted, so that start-up does not count. Contenders take turns within a round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.bodies import APIS, BUCKETS
from bench.contenders import Stage
from bench.figures import Figure
from bench.processes import run
from bench.serving import server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.bodies import Api
    from bench.contenders import Contender
    from bench.figures import Sense, Sizes

_GOALS: dict[str, tuple[str, tuple[Sense, float]]] = {
    "limit": ("rows a second, beside the bare limit (decode and encode, nothing else)", ("at least", 0.5)),
    "sdk_default": ("rows a second, beside a tap in the SDK's default way", ("at least", 8)),
    "script": ("rows a second, beside a script in the manner of a tutorial", ("at least", 5)),
}


def measure(sizes: Sizes, folder: Path) -> Iterator[Figure]:
    """Measure both contracts.

    Args:
        sizes: How much.
        folder: For files that contenders need.

    Yields:
        A figure for each contract and peer.
    """
    for api in APIS:
        place = folder / api
        place.mkdir()
        with server(api, sizes.groups) as url:
            yield from _figures(api, sizes, _rounds(Stage(api, url, sizes.groups, place), sizes))


def _rounds(stage: Stage, sizes: Sizes) -> list[dict[str, float]]:
    """Seconds of processor time a row, for each contender in each round."""
    contenders: dict[str, tuple[Contender, int]] = {
        "tap": (stage.tap, sizes.fast),
        "limit": (stage.limit, sizes.fast),
        "sdk_default": (stage.sdk_default, sizes.slow),
        "script": (stage.script, sizes.slow),
    }
    for command, _ in contenders.values():  # once for nothing: files are read from the disk, bytecode is made
        run(command(1))
    return [
        {name: _a_row(command, windows, sizes) for name, (command, windows) in contenders.items()}
        for _ in range(sizes.rounds)
    ]


def _a_row(command: Contender, windows: int, sizes: Sizes) -> float:
    """Seconds a row, net of start-up."""
    start_up, whole = run(command(0)).cpu, run(command(windows)).cpu
    # Tiny sizes drown in what the clock does not tell apart.
    return max(whole - start_up, 1e-3) / (windows * sizes.groups * BUCKETS)


def _figures(api: Api, sizes: Sizes, rounds: list[dict[str, float]]) -> Iterator[Figure]:
    for peer, (says, bound) in _GOALS.items():
        ratios = [each[peer] / each["tap"] for each in rounds]
        rows, windows = sizes.groups * BUCKETS, sizes.fast if peer == "limit" else sizes.slow
        how = f"{rows * sizes.fast:,} rows, {rows:,} a window, {sizes.rounds} rounds, processor time"
        how = f"{how} net of start-up"
        if windows != sizes.fast:
            how = f"{how}; the peer {rows * windows:,} rows"
        yield Figure.of(f"`{api}`: {says}", ratios, bound, how)
