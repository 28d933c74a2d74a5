"""Adding facts up: one cell for a group, a bucket, a metric and a qualifier."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from genesys_sandbox.contract import TARGET, Kind, kind

if TYPE_CHECKING:
    from collections.abc import Iterable

Group: TypeAlias = "tuple[str | None, ...]"


class Cell:
    """Everything that is ever asked of the values of one cell."""

    __slots__ = ("largest", "number", "smallest", "total")

    def __init__(self, number: int, total: float, smallest: float, largest: float) -> None:
        """So many values, their sum, the least and the greatest."""
        self.number, self.total, self.smallest, self.largest = number, total, smallest, largest

    def add(self, number: int, total: float, smallest: float, largest: float) -> None:
        """Take in more values."""
        self.number += number
        self.total += total
        self.smallest = min(self.smallest, smallest)
        self.largest = max(self.largest, largest)


@dataclass(slots=True)
class Table:
    """The cells of one query, by group, bucket number, metric (or view) and qualifier."""

    groups: dict[Group, dict[int, dict[tuple[str, str], Cell]]] = field(default_factory=dict)

    def add(self, group: Group, bucket: int, name: tuple[str, str], value: float) -> None:
        """Take in one value."""
        cells = self.groups.setdefault(group, {}).setdefault(bucket, {})
        cell = cells.get(name)
        if cell is None:
            cells[name] = Cell(1, value, value, value)
        else:
            cell.add(1, value, value, value)

    def merge(self, group: Group, bucket: int, name: tuple[str, str], cell: Cell) -> None:
        """Take in what was added up elsewhere."""
        cells = self.groups.setdefault(group, {}).setdefault(bucket, {})
        mine = cells.setdefault(name, Cell(0, 0, cell.smallest, cell.largest))
        mine.add(cell.number, cell.total, cell.smallest, cell.largest)

    @property
    def rows(self) -> int:
        """How many groups times buckets hold anything."""
        return sum(map(len, self.groups.values()))


def stats(metric: str, cell: Cell) -> dict[str, float]:
    """The statistics that the platform gives for a metric."""
    what = kind(metric)
    if what is Kind.COUNT:
        return {"count": cell.total}
    if what is Kind.RATIO:
        numbers = {"ratio": cell.total / cell.number, "numerator": cell.total, "denominator": cell.number}
        return {**numbers, "target": TARGET}
    return {"max": cell.largest, "min": cell.smallest, "count": cell.number, "sum": cell.total}


def whole(cells: Iterable[Cell], metric: str, function: str) -> float | None:
    """One statistic of several cells together; None where there are none. Of a count, its total."""
    several = list(cells)
    if not several:
        return None
    if kind(metric) is Kind.COUNT:
        return sum(cell.total for cell in several)
    if function == "max":
        return max(cell.largest for cell in several)
    if function == "min":
        return min(cell.smallest for cell in several)
    return sum(cell.number if function == "count" else cell.total for cell in several)
