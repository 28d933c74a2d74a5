"""A block: the leaves of a page, column by column.

Most answers are plain: every number that comes has its column. What is plain is read and written a
column at a time, which takes a fraction of the time that leaf by leaf takes. The rows are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_genesys_aggregates.core import schema
from tap_genesys_aggregates.core.rows import Leaf

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.rows import Number


@dataclass(frozen=True, slots=True)
class Block:
    """Leaves as columns of one length.

    Attributes:
        query: Whose leaves they are; its table has the columns in this order.
        starts: Starts of the buckets, each 24 characters of UTC.
        ends: Exclusive ends of the buckets, likewise.
        keys: A column for each key column after ``interval_start``.
        numbers: A column for each number of the table.
    """

    query: Query
    starts: Sequence[str]
    ends: Sequence[str]
    keys: tuple[Sequence[str], ...]
    numbers: tuple[Sequence[Number | None], ...]

    def __len__(self) -> int:
        """How many leaves they are."""
        return len(self.starts)

    def pieces(self, size: int) -> Iterator[Block]:
        """The same in blocks of so many leaves at the most."""
        for begin in range(0, len(self), size):
            part = slice(begin, begin + size)
            yield Block(
                self.query,
                self.starts[part],
                self.ends[part],
                tuple(column[part] for column in self.keys),
                tuple(column[part] for column in self.numbers),
            )

    def leaves(self) -> Iterator[Leaf]:
        """The same leaf by leaf."""
        wires = [each.wire for each in schema.columns(self.query) if each.wire is not None]
        keys = zip(*self.keys, strict=True) if self.keys else iter([()] * len(self))
        numbers = zip(*self.numbers, strict=True)
        for start, end, key, values in zip(self.starts, self.ends, keys, numbers, strict=True):
            cells: dict[str, dict[str, Number | None]] = {}
            for (metric, statistic), value in zip(wires, values, strict=True):
                cells.setdefault(metric, {})[statistic] = value
            yield Leaf(start, end, key, cells)
