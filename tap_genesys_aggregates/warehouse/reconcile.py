"""Compares what the API says about each day with what the warehouse adds up to. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.periods import Period
from tap_genesys_aggregates.warehouse.additivity import additive

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.rows import Row

TOLERANCE = Decimal("1e-9")
"""Of the larger of two sums with fractions: floats round, and their sum depends on the order."""
_DAY = Period("P1D", days=1)

Sums = dict[tuple[str, str], Decimal]
"""Day (ISO date in the query's zone) and column → sum."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One sum on which the API and the warehouse disagree."""

    day: str
    column: str
    api: Decimal
    warehouse: Decimal

    @override
    def __str__(self) -> str:
        off = self.warehouse - self.api
        return f"{self.day} {self.column}: API {self.api}, warehouse {self.warehouse}, off by {off}"


def by_day(query: Query) -> Query:
    """The same query in buckets of a day; buckets that do not fit into a day stay as they are."""
    return replace(query, granularity=_DAY) if query.grid.restarts_daily else query


def sums(query: Query, rows: Iterable[Row]) -> Sums:
    """Add up the additive columns of rows by local day.

    Args:
        query: The query of the rows.
        rows: Rows of the tap.

    Returns:
        The sums. A column that was null all day has none.
    """
    names = additive(query)
    found: Sums = {}
    for row in rows:
        day = instants.parse(str(row["interval_start"])).astimezone(query.zone).date().isoformat()
        for name in names:
            value = row[name]
            if value is not None:
                key = (day, name)
                found[key] = found.get(key, Decimal(0)) + Decimal(str(value))
    return found


def differences(
    api: Mapping[tuple[str, str], Decimal], warehouse: Mapping[tuple[str, str], Decimal]
) -> Iterator[Difference]:
    """The differing sums by day and column; a sum that one side lacks counts as 0.

    Whole numbers must be equal, others may differ by ``TOLERANCE``.

    Args:
        api: What the API says.
        warehouse: What the warehouse adds up to.

    Yields:
        The differences, in order.
    """
    for day, column in sorted({*api, *warehouse}):
        expected, held = api.get((day, column), Decimal(0)), warehouse.get((day, column), Decimal(0))
        if not _agree(expected, held):
            yield Difference(day, column, expected, held)


def _agree(expected: Decimal, held: Decimal) -> bool:
    """Whether two sums are the same number, but for the rounding of fractions."""
    if expected == held:
        return True
    if all(value == value.to_integral_value() for value in (expected, held)):
        return False
    return abs(expected - held) <= TOLERANCE * max(abs(expected), abs(held))
