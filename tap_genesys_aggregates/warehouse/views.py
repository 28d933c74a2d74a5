"""SQL views for PostgreSQL: what is current, what is missing, what each day adds up to. Pure text.

An upsert does not notice that a rewrite of history removed a row, nor that rows were lost. The ledger
(``extractions``) knows both, and these views read it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_genesys_aggregates.warehouse import current_rows
from tap_genesys_aggregates.warehouse.additivity import additive, left_out
from tap_genesys_aggregates.warehouse.current_rows import CURRENT, GAPS, MISSING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_genesys_aggregates.core.query import Query

LEDGER = "extractions"

_CURRENT = """\
-- {query}: current rows only. A row is stale if its bucket was pulled again later without it.
drop view if exists {by_day};
drop view if exists {current};
create view {current} as
{select_current};
"""

_MISSING = """\
-- {query}: windows of which rows are missing, according to the ledger. Empty when nothing is missing.
drop view if exists {missing};
create view {missing} as
{select_missing};
"""

_GAPS = """\
-- Time between two pulled windows that no window covers. Empty when nothing is missing.
drop view if exists {gaps};
create view {gaps} as
{select_gaps};
"""

_BY_DAY = """\
-- {query}: the sum of each local day, for the columns that may be added up.{left_out}
create view {by_day} as
select (interval_start at time zone 'UTC' at time zone {zone})::date as day{sums}
from {current}
group by 1;
"""

_NO_BY_DAY = """\
-- {query}: no view by day.{left_out}
"""


def quoted(name: str) -> str:
    """A name as a quoted SQL identifier."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def literal(text: str) -> str:
    """A text as a quoted SQL literal."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def views(queries: Iterable[Query], schema_name: str) -> str:
    """The SQL that creates or replaces the views of some queries.

    Args:
        queries: Queries whose tables are in the warehouse.
        schema_name: The schema of the tables.

    Returns:
        SQL for PostgreSQL, in one transaction.
    """
    ledger = _in(schema_name, LEDGER)
    gaps = {
        "gaps": _in(schema_name, f"{LEDGER}_gaps"),
        "select_gaps": current_rows.sql(GAPS, current_rows.Source(ledger)),
    }
    parts = ["begin;\n", _GAPS.format(**gaps)]
    for query in queries:
        source = current_rows.Source(ledger, _in(schema_name, query.name), literal(query.name))
        names = {
            "query": query.name,
            "left_out": f"\n-- Left out: {left_out(query)}." if left_out(query) else "",
            "zone": literal(query.zone.key),
            "select_current": current_rows.sql(CURRENT, source),
            "select_missing": current_rows.sql(MISSING, source),
            **{kind: _in(schema_name, f"{query.name}_{kind}") for kind in ("current", "missing", "by_day")},
            "sums": "".join(f",\n  sum({quoted(name)}) as {quoted(name)}" for name in additive(query)),
        }
        parts.append(_CURRENT.format(**names))
        parts.append(_MISSING.format(**names))
        parts.append((_BY_DAY if additive(query) else _NO_BY_DAY).format(**names))
    return "\n".join([*parts, "commit;\n"])


def _in(schema_name: str, name: str) -> str:
    """A table or view, qualified with its schema."""
    return f"{quoted(schema_name)}.{quoted(name)}"
