"""Whether what is in Postgres is what the sandbox's witness says must be there, number by number."""

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
class Proof:
    """One table beside its witness.

    Attributes:
        table: Its name.
        rows: How many rows Postgres counts.
        expected: How many rows the witness has.
        different: How many rows are missing, are too many, or hold another number.
    """

    table: str
    rows: int
    expected: int
    different: int

    @property
    def holds(self) -> bool:
        """Whether there is something, and nothing differs."""
        return self.different == 0 and self.rows == self.expected > 0


def prove(
    connection: psycopg.Connection[Any], schema: str, table: str, expected: Sequence[dict[str, Any]]
) -> Proof:
    """Compare a table with the rows that must be in it.

    Args:
        connection: To Postgres, in UTC.
        schema: The schema of the table.
        table: The table.
        expected: The rows, as the witness gives them; every column that they have is compared.
    """
    place = sql.Identifier(schema, table)
    counted = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(place)).fetchone()
    wanted = [_row(row) for row in expected]
    names = sql.SQL(", ").join(map(sql.Identifier, expected[0])) if expected else sql.SQL("1")
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(sql.SQL("SELECT {} FROM {}").format(names, place))
        found = [_row(row) for row in cursor]
    different = len(set(found).symmetric_difference(wanted))
    return Proof(table, counted[0] if counted else 0, len(expected), different)


def _row(row: dict[str, Any]) -> tuple[object, ...]:
    """A row's values, in one form, in the order of their columns' names."""
    return tuple(_value(name, row[name]) for name in sorted(row))


def _value(name: str, value: object) -> object:
    if isinstance(value, datetime):
        # target-postgres stores instants without their zone, which is UTC.
        utc = value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)
        return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, int | float | Decimal) and name not in _INSTANTS:
        return float(value)
    return value
