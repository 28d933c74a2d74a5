"""The SQL of what is current, missing and not covered, for every database. Pure text, written once.

The views of PostgreSQL (``views.py``) and the macros of the dbt package (``./run docs`` writes them to
``transform/macros/current_rows.sql``) are made from these texts.

The rule: a row is current unless a later pull covered its bucket. Comparing every row with every pull took
136 seconds for a year of hourly runs. Here the instants at which windows start or end are numbered, and each
window is cut into blocks, as in a segment tree: the width of a block is a power of two, and its number is a
multiple of its width. A window has at most two blocks of each width, and a bucket is in one block of each
width, so the work grows with *n* log *n*, whatever the windows look like. Blocks and windows have one number,
also among those of several organizations, so that joins have one equality: PostgreSQL chose a nested loop for
two (11 seconds instead of 0.2 for the missing windows of 15 organizations in 100 days). Recursion, series and
integer division are avoided, because their syntax differs between databases.
"""

from __future__ import annotations

from dataclasses import dataclass

ROWS_COLUMN = "row_count"
"""The ledger's column with the number of rows of a window."""

_BLOCKS = """\
with pulls as (  -- the last pull of each window; windows are numbered
  select
    {by}window_start, window_end, max(extracted_at) as extracted_at,
    row_number() over (order by {by}window_start, window_end) as number
  from {ledger}
  where query = {query}
  group by {by}window_start, window_end
),
marks as (  -- the instants at which a window starts or ends, numbered
  select {by}number, mark, dense_rank() over (order by {by}mark) as place
  from (
    select {by}number, window_start as mark from pulls
    union all
    select {by}number, window_end as mark from pulls
  ) as edges
),
widths as (  -- 1, 2, 4, ... up to the number of marks
  select small.width * large.width as width
  from (
    select 1 as width union all select 2 union all select 4 union all select 8
  ) as small
  cross join (
    select 1 as width union all select 16 union all select 256 union all select 4096
    union all select 65536 union all select 1048576
  ) as large
  where small.width * large.width <= (select max(place) from marks)
),
spans as (  -- each window, from its first mark to before its last
  select number, extracted_at, first_place, end_place
  from pulls
  join (
    select number, min(place) as first_place, max(place) as end_place from marks group by number
  ) as ends using (number)
),
bounds as (  -- the part of each window that whole blocks of a width can fill
  select
    number, extracted_at, width,
    first_place + mod(width - mod(first_place, width), width) as low,
    end_place - mod(end_place, width) as high
  from spans
  cross join widths
  where width <= end_place - first_place
),
blocks as (  -- the widest blocks that make up each window; a block's number is twice the place of its middle
  select number, extracted_at, 2 * low + width as block
  from bounds
  where low < high and mod(low, 2 * width) = width
  union all
  select number, extracted_at, 2 * high - width as block
  from bounds
  where low < high and mod(high, 2 * width) = width
),
covered as (  -- when each block was last pulled as a whole
  select block, max(extracted_at) as pulled_at
  from blocks
  group by block
),
"""

CURRENT = (
    _BLOCKS  # noqa: S608  # the placeholders are names, quoted by the caller
    + """\
places as (  -- the last mark before each bucket
  select {by}instant, is_bucket, max(place) over ({partition}order by instant) as place
  from (
    select {by}interval_start as instant, cast(null as bigint) as place, 1 as is_bucket
    from {table}
    group by {by}interval_start
    union all
    select {by}mark as instant, place, 0 as is_bucket
    from marks
  ) as merged
),
last_pulls as (  -- when each bucket was last pulled
  select {by}instant as interval_start, max(pulled_at) as pulled_at
  from (
    select {by}instant, 2 * (place - mod(place, width)) + width as block
    from places
    cross join widths
    where is_bucket > 0  -- not "= 1", which PostgreSQL takes for rare
  ) as buckets
  join covered using (block)
  group by {by}instant
)
select r.*
from {table} as r
left join last_pulls using ({by}interval_start)
where last_pulls.pulled_at is null or r.extracted_at >= last_pulls.pulled_at
"""
)
"""The current rows of a table. Rows that no pull covers are current too."""

MISSING = (
    _BLOCKS  # noqa: S608  # the placeholders are names, quoted by the caller
    + """\
beginnings as (  -- the blocks that each window starts in
  select number, 2 * (first_place - mod(first_place, width)) + width as block, extracted_at
  from spans
  cross join widths
),
started as (  -- when a window that starts in a block was last pulled
  select block, max(extracted_at) as pulled_at
  from beginnings
  group by block
),
repulls as (  -- when each window, or a window that overlaps it, was last pulled
  select number, max(pulled_at) as pulled_at
  from (
    select number, pulled_at
    from blocks
    join started using (block)
    union all
    select number, pulled_at
    from beginnings
    join covered using (block)
  ) as later
  group by number
),
latest as (  -- windows that no later pull overlaps
  select {by}number, window_start, window_end, extracted_at
  from pulls
  join repulls using (number)
  where repulls.pulled_at <= pulls.extracted_at
),
buckets as (
  select {by}interval_start, extracted_at, count(*) as rows_in_bucket
  from {table}
  group by {by}interval_start, extracted_at
),
present as (
  select number, sum(rows_in_bucket) as rows_present
  from latest
  join buckets using ({by}extracted_at)
  where interval_start >= window_start and interval_start < window_end
  group by number
),
pulled as (
  select {by}window_start, window_end, extracted_at, {rows} as rows_extracted
  from {ledger}
  where query = {query}
)
select
  {by}window_start, window_end, extracted_at, rows_extracted,
  cast(coalesce(rows_present, 0) as bigint) as rows_present
from pulled
join latest using ({by}window_start, window_end, extracted_at)
left join present using (number)
where rows_extracted is null or coalesce(rows_present, 0) <> rows_extracted
"""
)
"""Windows that no later pull overlaps and that do not have as many rows as the ledger says."""

GAPS = """\
select {by}query, covered_until as gap_start, window_start as gap_end
from (
  select {by}query, window_start, max(window_end) over (
    partition by {by}query
    order by window_start, window_end
    rows between unbounded preceding and 1 preceding
  ) as covered_until
  from {ledger}
) as pulled
where window_start > covered_until
"""
"""Time between two pulled windows of a query that no window covers."""


_DBT_HEAD = """\
{#- Generated by ./run docs from tap_genesys_aggregates/warehouse/current_rows.py. Do not edit.
    The same text makes the views that tap-genesys-aggregates-warehouse prints. -#}
"""


@dataclass(frozen=True, slots=True)
class Source:
    """The tables to read.

    Attributes:
        ledger: The name of the ledger, quoted.
        table: The name of the query's table, quoted.
        query: The name of the query as a literal.
        organizations: Whether both tables have the column ``organization``.
    """

    ledger: str
    table: str = ""
    query: str = ""
    organizations: bool = False


def sql(template: str, source: Source) -> str:
    """One of the three texts for a table: a SELECT without a semicolon.

    Args:
        template: ``CURRENT``, ``MISSING``, or ``GAPS``, which needs only the ledger.
        source: The tables to read.
    """
    values = {
        "ledger": source.ledger,
        "table": source.table,
        "query": source.query,
        "rows": ROWS_COLUMN,
        "by": "organization, " if source.organizations else "",
        "partition": "partition by organization " if source.organizations else "",
    }
    return template.rstrip().format_map(values)


def dbt_macros() -> str:
    """The three texts as macros of dbt, which take the same arguments."""
    values = {
        "ledger": "{{ ledger }}",
        "table": "{{ table }}",
        "query": "{{ query }}",
        "rows": "{{ rows }}",
        "by": "{% if organizations %}organization, {% endif %}",
        "partition": "{% if organizations %}partition by organization {% endif %}",
    }
    parts = [_DBT_HEAD]
    for name, template in (("current_rows", CURRENT), ("missing_windows", MISSING), ("gaps", GAPS)):
        taken = ["ledger", "organizations=false"]
        if template is not GAPS:
            taken[1:1] = ["table", "query"]
        if template is MISSING:
            taken.append(f"rows='{ROWS_COLUMN}'")
        text = template.format_map(values)
        parts.append(f"{{% macro {name}({', '.join(taken)}) %}}\n{text}{{% endmacro %}}\n")
    return "\n".join(parts)
