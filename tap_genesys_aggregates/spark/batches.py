"""Arrow batches: the rows of a table, column by column, in the types that Spark has for them."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.errors import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_genesys_aggregates.core.rows import Block, Row, Stamp
    from tap_genesys_aggregates.core.schema import Column, Kind

_INSTANT = pa.timestamp("us", tz="UTC")
_TYPES: dict[Kind, pa.DataType] = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date-time": _INSTANT,
}


class BatchMaker:
    """Makes Arrow batches of the rows of one table.

    An array is made of each column of a block at once, without an object for a row.
    """

    def __init__(self, name: str, table: Sequence[Column]) -> None:
        """Prepare the schema.

        Args:
            name: The table's name, for messages.
            table: Its columns.
        """
        self._name = name
        self.schema = pa.schema(
            [pa.field(each.name, _TYPES[each.kind], nullable=not each.key) for each in table]
        )

    def of_block(self, block: Block, stamp: Stamp) -> pa.RecordBatch:
        """The rows of a block. They equal those that the tap makes of it.

        Args:
            block: The block.
            stamp: The stamp of its window.

        Raises:
            UnreadableError: Spark has no type for a number.
        """
        count, owner = len(block), block.query.organization
        ends = pa.array(block.ends, pa.string())
        columns = chain((block.starts,), block.keys, (ends,), block.numbers)
        fields = iter(self.schema)
        arrays = [pa.repeat(pa.scalar(owner, next(fields).type), count)] if owner else []
        arrays += [self._array(field, values) for values, field in zip(columns, fields, strict=False)]
        arrays.append(pa.repeat(pa.scalar(instants.parse(stamp.extracted_at), _INSTANT), count))
        arrays.append(pc.less_equal(ends, pa.scalar(stamp.final_before)))
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def of_rows(self, rows: Sequence[Row]) -> pa.RecordBatch:
        """Rows that were made one by one: of odd answers, of the ledger, and of lookups.

        Args:
            rows: Rows with a value for each column.

        Raises:
            UnreadableError: Spark has no type for a number.
        """
        arrays = [self._array(field, [row[field.name] for row in rows]) for field in self.schema]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _array(self, field: pa.Field, values: Sequence[object] | pa.Array) -> pa.Array:
        """One column. No number is wrapped or rounded to make it fit."""
        if field.type == _INSTANT:
            return pa.array(values, pa.string()).cast(_INSTANT)
        try:
            return pa.array(values, field.type)
        except (pa.ArrowInvalid, OverflowError):
            value = next(each for each in values if not _fits(each, field.type))
        what = f"query {self._name!r}: {field.name} is {str(value)[:60]}, which a {field.type} does not hold"
        raise UnreadableError(what, "Leave the metric out of this query, or load it with the tap itself")


def _fits(value: object, kind: pa.DataType) -> bool:
    """Whether an Arrow type holds a value exactly."""
    try:
        pa.scalar(value, kind)
    except (pa.ArrowInvalid, OverflowError):
        return False
    return True
