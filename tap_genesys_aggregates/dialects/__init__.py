"""The wire formats of the two APIs. No I/O, no clock, no SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_genesys_aggregates.dialects.group_tree import GroupTreeDialect
from tap_genesys_aggregates.dialects.results import ResultsDialect

if TYPE_CHECKING:
    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.dialects.protocol import Dialect


def dialect_of(query: Query) -> Dialect:
    """The dialect of a query's API, compiled for the query."""
    return ResultsDialect(query) if query.api == "results" else GroupTreeDialect(query)
