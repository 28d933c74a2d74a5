"""Leaves become rows: in one place, for both contracts, with the columns compiled once a query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping  # noqa: TC003  # msgspec reads the annotations
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from tap_genesys_aggregates.core import instants, schema
from tap_genesys_aggregates.core.refusal import UnforeseenError, UnreadableError
from tap_genesys_aggregates.core.statistics import STATISTICS

if TYPE_CHECKING:
    from datetime import datetime

    from tap_genesys_aggregates.core.query import Query

Number = int | float
Row = dict[str, str | int | float | bool | None]


class Leaf(msgspec.Struct, frozen=True):
    """What one row is made of, as the answer has it.

    Attributes:
        start: Start of the bucket, as 24 characters of UTC.
        end: Exclusive end of the bucket, likewise.
        key: The rest of the key, in the order of the key columns after ``interval_start``.
        cells: Metric or view, and its statistics by the API's names.
    """

    start: str
    end: str
    key: tuple[str, ...]
    cells: Iterable[tuple[str, Mapping[str, Number | None] | None]]


@dataclass(frozen=True, slots=True)
class Stamp:
    """What is one for all rows of a window: when it was asked for, and what was settled then."""

    extracted_at: str
    final_before: str

    @classmethod
    def of(cls, query: Query, now: datetime) -> Stamp:
        """The stamp of a window that is asked for now."""
        return cls(instants.text(now), instants.text(now - query.lookback))


class Distinct:
    """Refuses a second row with the key of an earlier one: loading both would lose one."""

    __slots__ = ("_keys", "_query", "_seen")

    def __init__(self, query: Query) -> None:
        """Begin a window of a query."""
        self._query = query
        self._keys = schema.keys(query)
        self._seen: set[tuple[str, ...]] = set()

    @property
    def rows(self) -> int:
        """How many rows the window has so far."""
        return len(self._seen)

    def check(self, leaf: Leaf) -> None:
        """Take note of a leaf.

        Args:
            leaf: The next leaf of the window.

        Raises:
            UnforeseenError: One before it had the same key.
        """
        key = (leaf.start, *leaf.key)
        if key not in self._seen:
            self._seen.add(key)
            return
        pairs = ", ".join(f"{name}={value[:60]!r}" for name, value in zip(self._keys, key, strict=True))
        what = f"query {self._query.name!r}: two rows came with the same key ({pairs})"
        raise UnforeseenError(what[:600], "Add the dimension that tells them apart to group_by of this query")


class RowMaker:
    """Makes the rows of one query."""

    __slots__ = ("_blank", "_cells", "_integers", "_keys", "_long", "_query")

    def __init__(self, query: Query) -> None:
        """Compile the columns.

        Args:
            query: The query whose rows these will be.
        """
        table = schema.columns(query)
        self._query = query
        self._long = query.shape == "long"
        self._keys = schema.keys(query)[1:]
        self._blank: Row = {each.name: None for each in table}
        self._integers = frozenset(each.name for each in table if each.kind == "integer")
        self._cells: dict[str, dict[str, str]] = {}
        for each in table:
            if each.wire is not None:
                self._cells.setdefault(each.wire[0], {})[each.wire[1]] = each.name
        if self._long:
            names = {each.name: each.column for each in STATISTICS.values()}
            self._cells = dict.fromkeys((*query.metrics, *(view.name for view in query.views)), names)

    def row(self, leaf: Leaf, stamp: Stamp) -> Row:
        """The row of a leaf.

        Args:
            leaf: What the answer says.
            stamp: When the window was asked for.

        Returns:
            A value for each column; a number that the answer does not have is None.

        Raises:
            UnforeseenError: The leaf holds something that has no column.
            UnreadableError: A count is not a whole number.
        """
        row = self._blank.copy()
        row["interval_start"] = leaf.start
        row.update(zip(self._keys, leaf.key, strict=True))
        row["interval_end"] = leaf.end
        for name, statistics in leaf.cells:
            columns = self._cells.get(name)
            if columns is None:
                raise self._no_metric(name)
            for statistic, value in (statistics or {}).items():
                column = columns.get(statistic)
                if column is None:
                    raise self._no_statistic(name, statistic)
                row[column] = value if type(value) is not float else self._checked(column, value)
        row["extracted_at"] = stamp.extracted_at
        row["is_final"] = leaf.end <= stamp.final_before
        return row

    def _checked(self, column: str, value: float) -> Number:
        """A float as its column wants it: whole in a column of counts."""
        if column not in self._integers:
            return value
        if value.is_integer():
            return int(value)
        what = f"query {self._query.name!r}: column {column} counts, but the answer says {value}"
        raise UnreadableError(what)

    def _no_metric(self, name: str) -> UnforeseenError:
        what = f"query {self._query.name!r}: the answer holds metric {name!r}, which was not asked for"
        return UnforeseenError(what, f"Add {name!r} to metrics of this query")

    def _no_statistic(self, name: str, statistic: str) -> UnforeseenError:
        what = f"query {self._query.name!r}: {name} came with statistic {statistic!r}, which has no column"
        if self._long or self._query.api == "group_tree":
            return UnforeseenError(what, "This version of the tap does not know it: please report it")
        return UnforeseenError(what, "Set shape: long on this query, which has a column for every statistic")
