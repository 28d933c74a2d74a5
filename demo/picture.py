"""What the demo shows: tables, and a heat map that reads in 80 columns, with colour or without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from demo.proof import Proof

_SHADES = ("  ", "░░", "▒▒", "▓▓", "██")
_COLOURS = ("", "blue", "cyan", "yellow", "red")
_HOURS = 24
_PRECISELY = 100


def proofs(found: Iterable[Proof]) -> Table:
    """Tables of Postgres beside their witness."""
    table = _table("table", "rows in Postgres", "rows expected", "numbers")
    for proof in found:
        good, bad = Text("all equal", "green"), Text(f"{proof.different} rows differ", "bold red")
        table.add_row(proof.table, f"{proof.rows:,}", f"{proof.expected:,}", good if proof.holds else bad)
    return table


def rows(heads: Sequence[str], found: Iterable[Sequence[object]]) -> Table:
    """A few rows; numbers to the right."""
    table = _table(*heads)
    for row in found:
        table.add_row(*map(_cell, row))
    return table


def heat(by_queue: Mapping[str, Mapping[int, float]]) -> Table:
    """Queue by hour: the darker, the more. The busiest hour of a queue is written out beside it.

    Args:
        by_queue: Queue's name → hour of the day, 0 to 23 → how many.
    """
    most = max((number for hours in by_queue.values() for number in hours.values()), default=0)
    table = Table(box=None, padding=0, pad_edge=False, collapse_padding=True)
    table.add_column("", no_wrap=True)
    table.add_column(Text("".join(f"{hour:<4}" for hour in range(0, _HOURS, 2))), no_wrap=True)
    table.add_column("busiest", justify="right", no_wrap=True)
    for queue, hours in by_queue.items():
        strip = Text()
        for hour in range(_HOURS):
            depth = _depth(hours.get(hour, 0), most)
            strip.append(_SHADES[depth], _COLOURS[depth])
        peak = max(hours, key=lambda hour: hours[hour], default=0)
        table.add_row(f"{queue}  ", strip, f" {_short(hours.get(peak, 0))} at {peak:02}")
    return table


def legend(by_queue: Mapping[str, Mapping[int, float]]) -> Text:
    """What the shades stand for."""
    most = max((number for hours in by_queue.values() for number in hours.values()), default=0)
    text = Text("None  ")
    steps = len(_SHADES) - 1
    for depth in range(1, len(_SHADES)):
        text.append(_SHADES[depth], _COLOURS[depth])
        text.append(f" to {_short(most * depth / steps)}   ")
    return text


def _short(number: float) -> str:
    return f"{number:.1f}" if number < _PRECISELY else f"{number:,.0f}"


def _depth(number: float, most: float) -> int:
    """Which shade: the first for nothing at all, then as many equal steps as there are shades left."""
    if number <= 0:
        return 0
    steps = len(_SHADES) - 1
    return max(1, min(steps, -int(-number * steps // most)))


def _table(*heads: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for number, head in enumerate(heads):
        table.add_column(head, justify="right" if number else "left", no_wrap=True)
    return table


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
