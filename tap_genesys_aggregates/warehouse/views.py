"""SQL views for PostgreSQL: what is current, what is missing, what each day adds up to. Pure text.

An upsert does not notice that a rewrite of history removed a row, nor that rows were lost. The ledger
(``extractions``) knows both, and these views read it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_genesys_aggregates.warehouse.additivity import additive, left_out

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_genesys_aggregates.core.query import Query

LEDGER = "extractions"

_CURRENT = """\
-- {query}: current rows only. A row is stale if its bucket was pulled again later without it.
drop view if exists {by_day};
drop view if exists {current};
create view {current} as
select r.*
from {table} as r
where not exists (
  select 1
  from {ledger} as e
  where e.query = {literal}
    and e.window_start <= r.interval_start
    and r.interval_start < e.window_end
    and e.extracted_at > r.extracted_at
);
"""

_MISSING = """\
-- {query}: windows of which rows are missing, according to the ledger. Empty when nothing is missing.
drop view if exists {missing};
create view {missing} as
select
  e.window_start, e.window_end, e.extracted_at,
  e.rows as rows_extracted, count(r.extracted_at) as rows_present
from {ledger} as e
left join {table} as r
  on r.interval_start >= e.window_start
  and r.interval_start < e.window_end
  and r.extracted_at = e.extracted_at
where e.query = {literal}
  and not exists (
    select 1
    from {ledger} as later
    where later.query = e.query
      and later.extracted_at > e.extracted_at
      and later.window_start < e.window_end
      and e.window_start < later.window_end
  )
group by e.window_start, e.window_end, e.extracted_at, e.rows
having count(r.extracted_at) <> e.rows;
"""

_GAPS = """\
-- Time between two pulled windows that no window covers. Empty when nothing is missing.
drop view if exists {gaps};
create view {gaps} as
select query, covered_until as gap_start, window_start as gap_end
from (
  select query, window_start, max(window_end) over (
    partition by query order by window_start, window_end rows between unbounded preceding and 1 preceding
  ) as covered_until
  from {ledger}
) as pulled
where window_start > covered_until;
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
    parts = [
        "begin;\n",
        _GAPS.format(gaps=_in(schema_name, f"{LEDGER}_gaps"), ledger=_in(schema_name, LEDGER)),
    ]
    for query in queries:
        names = {
            "query": query.name,
            "left_out": f"\n-- Left out: {left_out(query)}." if left_out(query) else "",
            "literal": literal(query.name),
            "zone": literal(query.zone.key),
            "ledger": _in(schema_name, LEDGER),
            "table": _in(schema_name, query.name),
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
