"""SQL views for PostgreSQL: what is current, what is missing, what each day adds up to. Pure text.

An upsert does not notice that a rewrite of history removed a row, nor that rows were lost. The ledger
(``extractions``) knows both, and these views read it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_genesys_aggregates.core.query import VIEW_KINDS
from tap_genesys_aggregates.warehouse import current_rows
from tap_genesys_aggregates.warehouse.additivity import additive, left_out
from tap_genesys_aggregates.warehouse.current_rows import CURRENT, GAPS, MISSING, ROWS_COLUMN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_genesys_aggregates.core.query import Query

LEDGER = "extractions"

FORMER_ROWS_COLUMN = "rows"
"""What ``ROWS_COLUMN`` was called before 0.1.0. Views of that time read it and follow when it is renamed."""

# A load after the update adds the new column beside the old one, and neither is then complete.
_LEDGER_CHECK = """\
do {tag}
declare
  names text[] := array(
    select attname from pg_attribute where attrelid = to_regclass({ledger}) and not attisdropped
  );
begin
if {former} = any(names) then
  raise exception using message = {message}, hint = 'Rename it, then run this again: '
    || case when {column} = any(names) then {merge} else '' end || {rename};
end if;
end
{tag};
"""

_GAPS = """\
-- Time between two pulled windows that no window covers. Empty when nothing is missing.
create or replace view {gaps} as
{select_gaps};
"""

_CURRENT = """\
-- {query}: current rows only. A row is stale if its bucket was pulled again later without it.
create or replace view {current} as
{select_current};
"""

_MISSING = """\
-- {query}: windows of which rows are missing, according to the ledger. Empty when nothing is missing.
create or replace view {missing} as
{select_missing};
"""

_BY_DAY = """\
-- {query}: the sum of each local day, for the columns that may be added up.{left_out}
create or replace view {by_day} as
select (interval_start at time zone 'UTC' at time zone {zone})::date as day{sums}
from {current}
group by 1;
"""

_NO_BY_DAY = """\
-- {query}: no view by day.{left_out}
drop view if exists {by_day};
"""

# A view is replaced in place, so that views and grants that depend on it stay. That fails if a column was
# removed or renamed: then the second attempt finds no view. What others have built on it keeps it from being
# dropped, and PostgreSQL says what that is.
_BLOCK = """\
do {tag}
begin
if {absent} is null then
  raise notice '%', {notice};
  return;
end if;
for attempt in 1..2 loop
begin

{statements}
exit;
exception when invalid_table_definition then
  if attempt = 2 then raise; end if;
  drop view if exists {views};
end;
end loop;
end
{tag};
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
    ledger, gaps = _in(schema_name, LEDGER), _in(schema_name, f"{LEDGER}_gaps")
    select_gaps = current_rows.sql(GAPS, current_rows.Source(ledger))
    statement = _GAPS.format(gaps=gaps, select_gaps=select_gaps)
    parts = ["begin;\n", _ledger_check(ledger), _block(LEDGER, (ledger,), (gaps,), statement)]
    for query in queries:
        table = _in(schema_name, query.name)
        source = current_rows.Source(ledger, table, literal(query.name))
        names = {kind: _in(schema_name, f"{query.name}_{kind}") for kind in VIEW_KINDS}
        values = {
            "query": query.name,
            "left_out": f"\n-- Left out: {left_out(query)}." if left_out(query) else "",
            "zone": literal(query.zone.key),
            "select_current": current_rows.sql(CURRENT, source),
            "select_missing": current_rows.sql(MISSING, source),
            **names,
            "sums": "".join(f",\n  sum({quoted(name)}) as {quoted(name)}" for name in additive(query)),
        }
        by_day = _BY_DAY if additive(query) else _NO_BY_DAY
        statements = "\n".join(each.format(**values) for each in (_CURRENT, _MISSING, by_day))
        parts.append(_block(query.name, (table, ledger), tuple(names.values()), statements))
    return "\n".join([*parts, "commit;\n"])


def _ledger_check(ledger: str) -> str:
    """A block that refuses a ledger with the column that an older version of the tap filled."""
    former, column = quoted(FORMER_ROWS_COLUMN), ROWS_COLUMN
    merge = (
        f"update {ledger} set {former} = {column} where {former} is null; "  # noqa: S608  # all quoted above
        f"alter table {ledger} drop column {column}; "
    )
    values = {
        "ledger": ledger,
        "former": FORMER_ROWS_COLUMN,
        "column": column,
        "message": f"{ledger} has the column {former} of an older version of the tap; it is now {column}",
        "merge": merge,
        "rename": f"alter table {ledger} rename column {former} to {column};",
    }
    check = _LEDGER_CHECK.format(tag="{tag}", **{name: literal(text) for name, text in values.items()})
    return check.replace("{tag}", _tag(check))


def _tag(text: str) -> str:
    """Dollar quotes that do not occur in a text; they could, in the name of a schema."""
    tag = "$views$"
    while tag in text:
        tag = f"{tag[:-1]}_$"
    return tag


def _block(name: str, tables: tuple[str, ...], names: tuple[str, ...], statements: str) -> str:
    """A block that creates views, unless one of the tables that they read does not exist yet."""
    notice = (
        f"{name}: skipped, because {' or '.join(tables)} does not exist yet; load it, then run this again"
    )
    return _BLOCK.format(
        tag=_tag(statements),
        absent=" || ".join(f"to_regclass({literal(table)})::text" for table in tables),
        notice=literal(notice),
        statements=statements,
        views=", ".join(names),
    )


def _in(schema_name: str, name: str) -> str:
    """A table or view, qualified with its schema."""
    return f"{quoted(schema_name)}.{quoted(name)}"
