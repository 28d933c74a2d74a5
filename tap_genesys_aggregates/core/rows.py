"""Rows: the one place where the leaves of both APIs' responses become rows of a query's table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from itertools import compress, repeat
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from tap_genesys_aggregates.core import instants, schema
from tap_genesys_aggregates.core.errors import UnforeseenError, UnreadableError, with_new_key
from tap_genesys_aggregates.core.statistics import STATISTICS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from tap_genesys_aggregates.core.query import Query

LARGEST_INTEGER = 2**63 - 1
"""The largest integer that a warehouse column holds (SQL's ``bigint``)."""

Number = int | float
Statistics: TypeAlias = "Mapping[str, Number | None]"
Row = dict[str, str | int | float | bool | None]
PlainRow = msgspec.Struct
"""A row as a Struct with a field per column: the same JSON as a dict, encoded in a fraction of the time."""


class Leaf(msgspec.Struct, frozen=True, gc=False):
    """The values of one row, as a response has them.

    Attributes:
        start: Start of the bucket: 24 characters, UTC.
        end: Exclusive end of the bucket: 24 characters, UTC.
        key: The rest of the key, in the order of the key columns after ``interval_start``.
        cells: Metric or view → statistic → number, by the API's names.
    """

    start: str
    end: str
    key: tuple[str, ...]
    cells: Mapping[str, Statistics | None]


@dataclass(frozen=True, slots=True)
class Block:
    """Leaves of a response, column by column.

    All columns have the same length.

    Attributes:
        query: The query; its table has the columns in this order.
        starts: Starts of the buckets: 24 characters each, UTC.
        ends: Exclusive ends of the buckets: 24 characters each, UTC.
        keys: One column for each key column after ``interval_start``.
        numbers: One column for each numeric column of the table.
    """

    query: Query
    starts: Sequence[str]
    ends: Sequence[str]
    keys: tuple[Sequence[str], ...]
    numbers: tuple[Sequence[Number | None], ...]

    def __len__(self) -> int:
        """The number of leaves."""
        return len(self.starts)

    def pieces(self, size: int) -> Iterator[Block]:
        """The same leaves in blocks of at most ``size``."""
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
        """The same leaves, one by one."""
        wires = [each.wire for each in schema.columns(self.query) if each.wire is not None]
        keys = zip(*self.keys, strict=True) if self.keys else iter([()] * len(self))
        numbers = zip(*self.numbers, strict=True)
        for start, end, key, values in zip(self.starts, self.ends, keys, numbers, strict=True):
            cells: dict[str, dict[str, Number | None]] = {}
            for (metric, statistic), value in zip(wires, values, strict=True):
                cells.setdefault(metric, {})[statistic] = value
            yield Leaf(start, end, key, cells)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What all rows of a window share: when it was requested, and what had settled by then."""

    extracted_at: str
    final_before: str

    @classmethod
    def of(cls, query: Query, now: datetime) -> Stamp:
        """The stamp of a window that is requested now."""
        return cls(instants.text(now), instants.text(now - query.lookback))


def is_number(value: object) -> bool:
    """Whether a value of a response is a number, or null."""
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def json_text(value: object) -> str:
    """A value of a response as JSON text: the same text for the same value, whatever the order of its fields.

    Raises:
        UnreadableError: It is nested too deeply.
    """
    try:
        return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    except RecursionError:
        raise UnreadableError("the response contains a value that is nested too deeply") from None


def merged_statistics(one: Statistics | None, other: Statistics | None) -> dict[str, Number | None] | None:
    """The statistics of a metric that came in two pieces; None if the pieces contradict each other."""
    found = dict(one or {})
    for name, value in (other or {}).items():
        known = found.get(name)
        if known is not None and value is not None and known != value:
            return None
        found[name] = known if value is None else value
    return found


class UniqueKeys:
    """The keys of a window's rows. A key that comes twice is an error: loading both rows would lose one."""

    __slots__ = ("_keys", "_query", "_seen")

    def __init__(self, query: Query) -> None:
        """Start with no keys.

        Args:
            query: The query whose rows these are.
        """
        self._query = query
        self._keys = schema.response_keys(query)
        self._seen: set[tuple[str, ...]] = set()

    @property
    def rows(self) -> int:
        """The number of rows so far."""
        return len(self._seen)

    def add(self, keys: Iterable[tuple[str, ...]], count: int) -> bool:
        """Add the keys of some leaves, each with the start of its bucket first.

        Args:
            keys: The keys.
            count: How many there are.

        Returns:
            False if a key occurs twice or has come before; then none was added.
        """
        new = {*keys}
        if len(new) != count or not self._seen.isdisjoint(new):
            return False
        self._seen = self._seen | new if self._seen else new
        return True

    def merge(self, leaves: Iterable[Leaf]) -> list[Leaf]:
        """Add leaves of one response, and merge those that have the same key.

        A group may come in two pieces, with different metrics in each.

        Args:
            leaves: The leaves.

        Returns:
            One leaf for each key, in the order in which the keys came.

        Raises:
            UnforeseenError: A key came with an earlier response, or two pieces contradict each other.
        """
        found: dict[tuple[str, ...], Leaf] = {}
        for leaf in leaves:
            key = (leaf.start, *leaf.key)
            if key in self._seen:
                raise self._twice(key, "")
            found[key] = self._merged(key, found[key], leaf) if key in found else leaf
        self._seen |= found.keys()
        return [*found.values()]

    def _merged(self, key: tuple[str, ...], one: Leaf, other: Leaf) -> Leaf:
        """One leaf made of two pieces."""
        if one.end != other.end:
            raise self._twice(key, "")
        cells = dict(one.cells)
        for name, statistics in other.cells.items():
            cells[name] = merged_statistics(cells.get(name), statistics)
            if cells[name] is None:
                raise self._twice(key, name)
        return Leaf(one.start, one.end, one.key, cells)

    def _twice(self, key: tuple[str, ...], metric: str) -> UnforeseenError:
        """The error for two rows with the same key; ``metric`` is one that has two different numbers."""
        pairs = ", ".join(f"{name}={value[:60]!r}" for name, value in zip(self._keys, key, strict=True))
        numbers = f" and different numbers for {metric[:60]!r}" if metric else ""
        what = f"query {self._query.name!r}: two rows came with the same key{numbers} ({pairs[:400]})"
        change = "add the dimension that distinguishes them to group_by of this query"
        leave_out = f"Leave {metric[:60]!r} out of metrics of this query; or " if metric else "You can "
        return UnforeseenError(what, with_new_key(leave_out + change, self._query.name))


@lru_cache(maxsize=1024)
def _struct(columns: tuple[str, ...]) -> type[PlainRow]:
    """A Struct with a field for each column. Fields are numbered: a column may be called ``class``."""
    fields = [f"c{number}" for number in range(len(columns))]
    names = dict(zip(fields, columns, strict=True))
    return msgspec.defstruct("PlainRow", [(field, Any) for field in fields], rename=names, gc=False)


class RowMaker:
    """Makes the rows of one query.

    The columns of a metric are looked up once for each combination of statistics that it comes with, not
    once per row.
    """

    __slots__ = (
        "_blank",
        "_columns",
        "_dropped",
        "_integers",
        "_kept",
        "_lead",
        "_left_out",
        "_long",
        "_names",
        "_owner",
        "_plain",
        "_query",
    )

    def __init__(self, query: Query, left_out: Iterable[str] = ()) -> None:
        """Prepare the columns.

        Args:
            query: The query whose rows these will be.
            left_out: Columns that the rows do not have; none of the key.
        """
        table = schema.columns(query)
        self._left_out = tuple(left_out)
        self._kept = [each.name not in self._left_out for each in table]
        self._dropped = schema.dropped_statistics(query)
        self._query = query
        self._long = query.shape == "long"
        self._lead = (*schema.response_keys(query), "interval_end", "extracted_at", "is_final")
        self._blank: Row = {each.name: None for each in table}
        self._owner = (query.organization,) if query.organization else ()
        if self._owner:
            self._blank[schema.ORGANIZATION.name] = query.organization
        self._plain = _struct(tuple(compress([each.name for each in table], self._kept)))
        self._integers = tuple(each.name for each in table if each.kind == "integer")
        self._names: dict[str, dict[str, str]] = {}
        for each in table:
            if each.wire is not None:
                self._names.setdefault(each.wire[0], {})[each.wire[1]] = each.name
        if self._long:
            names = {each.name: each.column for each in STATISTICS.values()}
            self._names = dict.fromkeys((*query.metrics, *(view.name for view in query.views)), names)
        self._columns: dict[tuple[str, ...], tuple[str, ...]] = {}

    def row(self, leaf: Leaf, stamp: Stamp) -> Row:
        """Make the row of a leaf.

        Args:
            leaf: The leaf.
            stamp: The stamp of its window.

        Returns:
            A value for each column that is not left out; None for a number that the response does not have.

        Raises:
            UnforeseenError: The leaf contains something that has no column.
            UnreadableError: A count is not a whole number, or larger than ``LARGEST_INTEGER``.
        """
        row = self._blank.copy()
        final = leaf.end <= stamp.final_before
        row.update(zip(self._lead, (leaf.start, *leaf.key, leaf.end, stamp.extracted_at, final), strict=True))
        for name, statistics in leaf.cells.items():
            numbers = statistics or {}
            if self._long and not numbers.keys() <= STATISTICS.keys():
                row[schema.OTHER_STATISTICS], numbers = _split(numbers)
            columns = self._columns.get((name, *numbers))
            if columns is None:
                numbers = self._with_columns(name, numbers)
                columns = self._columns.get((name, *numbers)) or self._compile(name, *numbers)
            row.update(zip(columns, numbers.values(), strict=True))
        for column in self._integers:
            if row[column] is not None:
                row[column] = self._whole(column, row[column])
        for column in self._left_out:
            del row[column]
        return row

    def check_metrics(self, leaf: Leaf) -> None:
        """Refuse a leaf with a metric that was not asked for, for readers that make no row of it.

        Raises:
            UnforeseenError: It has one.
        """
        for name in leaf.cells:
            if name not in self._names:
                raise self._no_metric(name)

    def rows(self, block: Block, stamp: Stamp) -> list[PlainRow]:
        """Make the rows of a block. They equal those of its leaves.

        Args:
            block: The block.
            stamp: The stamp of its window.

        Returns:
            One Struct per row, with a field for each column that is not left out.
        """
        final = {end: end <= stamp.final_before for end in {*block.ends}}
        numbers = (*map(repeat, self._owner), block.starts, *block.keys, block.ends, *block.numbers)
        finals = map(final.__getitem__, block.ends)
        columns = compress((*numbers, repeat(stamp.extracted_at), finals), self._kept)
        return [*map(self._plain, *columns)]

    def _with_columns(self, name: str, statistics: Statistics) -> Statistics:
        """Statistics without those that have no column and are null, or not wanted."""
        known, dropped = self._names.get(name) or {}, self._dropped.get(name, ())
        return {
            kind: each
            for kind, each in statistics.items()
            if kind in known or (each is not None and kind not in dropped)
        }

    def _compile(self, name: str, *kinds: str) -> tuple[str, ...]:
        """Look up and cache the columns of a metric that comes with these statistics."""
        names = self._names.get(name)
        if names is None:
            raise self._no_metric(name)
        for kind in kinds:
            if kind not in names:
                raise self._no_statistic(name, kind)
        shape = (name, *kinds)
        self._columns[shape] = tuple(names[kind] for kind in kinds)
        return self._columns[shape]

    def _whole(self, column: str, value: object) -> int:
        """A count as an integer; the API may write ``3.0``."""
        if isinstance(value, int | float) and -LARGEST_INTEGER <= value <= LARGEST_INTEGER and value % 1 == 0:
            return int(value)
        name = self._query.name
        what = f"query {name!r}: column {column} is a count, but the response has {str(value)[:60]}"
        raise UnreadableError(
            what, with_new_key("Set shape: long on this query, whose counts may have fractions,", name)
        )

    def _no_metric(self, name: str) -> UnforeseenError:
        what = (
            f"query {self._query.name!r}: the response contains metric {name[:80]!r}, which was not asked for"
        )
        return UnforeseenError(what, f"Add {name[:80]!r} to metrics of this query")

    def _no_statistic(self, name: str, statistic: str) -> UnforeseenError:
        shown = f"{name[:80]} came with statistic {statistic[:80]!r}"
        what = f"query {self._query.name!r}: {shown}, which has no column"
        known = [*self._names[name], statistic[:80]]
        advice = f"Set statistics: {{{name[:80]!r}: {known}}} on this query, which adds a column for it"
        return UnforeseenError(what, advice)


def _split(statistics: Statistics) -> tuple[str | None, Statistics]:
    """Statistics without a column, as JSON text, and those with one."""
    others = {name: each for name, each in statistics.items() if name not in STATISTICS and each is not None}
    return json_text(others) if others else None, {
        name: each for name, each in statistics.items() if name in STATISTICS
    }
