"""Compares what the API says about each day with what the warehouse adds up to. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.periods import DAY, Period
from tap_genesys_aggregates.warehouse.views import additive

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.rows import Row

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
    """The same query in buckets of a day; longer buckets stay as they are."""
    if query.granularity.min_seconds >= DAY:
        return query
    return replace(query, granularity=Period("P1D", days=1))


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

    Args:
        api: What the API says.
        warehouse: What the warehouse adds up to.

    Yields:
        The differences, in order.
    """
    for day, column in sorted({*api, *warehouse}):
        expected, held = api.get((day, column), Decimal(0)), warehouse.get((day, column), Decimal(0))
        if expected != held:
            yield Difference(day, column, expected, held)
