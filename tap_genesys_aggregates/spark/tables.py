"""The tables that can be loaded: every query, the ledger of all of them, and the lookups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_genesys_aggregates import ledger
from tap_genesys_aggregates.config.reader import suggestion
from tap_genesys_aggregates.core import schema
from tap_genesys_aggregates.core.errors import SettingError
from tap_genesys_aggregates.dialects.lookup_lists import lookups

if TYPE_CHECKING:
    from tap_genesys_aggregates.config.settings import Settings
    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.schema import Column


def queries_of(settings: Settings, table: str) -> tuple[Query, ...]:
    """The queries that have to be read for a table; none for a lookup."""
    if table == ledger.NAME:
        return settings.queries
    return tuple(query for query in settings.queries if query.name == table)


def columns_of(settings: Settings, table: str) -> tuple[Column, ...]:
    """The columns of a table, as the tap has them.

    Args:
        settings: The settings of an organization.
        table: The name of a query, of a lookup, or ``extractions``.

    Raises:
        SettingError: There is no such table.
    """
    lists = lookups() if settings.api == "results" else {}
    if table == ledger.NAME:
        return schema.with_organization(settings.organization, ledger.COLUMNS)
    if table in lists:
        return schema.with_organization(settings.organization, lists[table].table)
    for query in queries_of(settings, table):
        return schema.columns(query)
    names = [query.name for query in settings.queries]
    known = f"the queries ({', '.join(names)[:400]}), {ledger.NAME}{' and the lookups' if lists else ''}"
    meant = suggestion(table, [*names, ledger.NAME, *lists])
    raise SettingError(f"{table[:80]!r} is none of the tables to load: {known}{meant}")
