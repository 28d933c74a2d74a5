"""Compares the rows in Postgres, value by value, with the rows that the sandbox expects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.rows import dict_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

_INSTANTS = ("interval_start", "interval_end")


@dataclass(frozen=True, slots=True)
class TableCheck:
    """How a table compares with the rows expected in it.

    Attributes:
        table: Name of the table.
        rows: Number of rows in Postgres.
        expected: Number of rows expected.
        differing: Number of rows that exist on one side only; a row with a wrong value counts twice.
    """

    table: str
    rows: int
    expected: int
    differing: int

    @property
    def passed(self) -> bool:
        """Whether the table has rows, and exactly those expected."""
        return self.differing == 0 and self.rows == self.expected > 0


def verify_table(
    connection: psycopg.Connection[Any], schema: str, table: str, expected: Sequence[dict[str, Any]]
) -> TableCheck:
    """Compare a table with the rows expected in it.

    Args:
        connection: A connection to Postgres, in UTC.
        schema: Schema of the table.
        table: Name of the table.
        expected: The expected rows. Their columns are compared; the table may have more.
    """
    place = sql.Identifier(schema, table)
    counted = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(place)).fetchone()
    wanted = [_comparable(row) for row in expected]
    names = sql.SQL(", ").join(map(sql.Identifier, expected[0])) if expected else sql.SQL("1")
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(sql.SQL("SELECT {} FROM {}").format(names, place))
        found = [_comparable(row) for row in cursor]
    differing = len(set(found).symmetric_difference(wanted))
    return TableCheck(table, counted[0] if counted else 0, len(expected), differing)


def _comparable(row: dict[str, Any]) -> tuple[object, ...]:
    """Return the normalized values of a row, sorted by column name."""
    return tuple(_normalize(name, row[name]) for name in sorted(row))


def _normalize(name: str, value: object) -> object:
    if isinstance(value, datetime):
        # target-postgres stores instants without a time zone; they are in UTC.
        utc = value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)
        return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, int | float | Decimal) and name not in _INSTANTS:
        return float(value)
    return value
