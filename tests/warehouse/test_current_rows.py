"""The SQL of what is current, in PostgreSQL and DuckDB, equals a comparison of every row with every pull."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tap_genesys_aggregates.warehouse import current_rows
from tap_genesys_aggregates.warehouse.current_rows import CURRENT, GAPS, MISSING, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.postgres]

EXAMPLES = 40
STATES = 25
"""Each example has 25 states, each of another organization, so that one query answers for all."""

START = datetime(2026, 1, 1, tzinfo=timezone.utc).replace(tzinfo=None)
BUCKETS = 12


class Pull(NamedTuple):
    """A line of the ledger; hours since ``START``, and seconds since then."""

    window_start: int
    window_end: int
    extracted_at: int
    row_count: int
    query: str = "calls"


class StoredRow(NamedTuple):
    """A row of the table."""

    group: int
    interval_start: int
    extracted_at: int


@dataclass(frozen=True)
class State:
    """A table and its ledger. The rows of other queries are not the query's business."""

    pulls: list[Pull]
    rows: list[StoredRow]

    def current(self) -> set[StoredRow]:
        return {
            row
            for row in self.rows
            if not any(
                each.query == "calls"
                and each.window_start <= row.interval_start < each.window_end
                and each.extracted_at > row.extracted_at
                for each in self.pulls
            )
        }

    def missing(self) -> set[tuple[int, int, int, int, int]]:
        pulls = [each for each in self.pulls if each.query == "calls"]
        found = set()
        for pull in pulls:
            if any(
                each.extracted_at > pull.extracted_at
                and each.window_start < pull.window_end
                and pull.window_start < each.window_end
                for each in pulls
            ):
                continue
            present = sum(
                pull.window_start <= row.interval_start < pull.window_end
                and row.extracted_at == pull.extracted_at
                for row in self.rows
            )
            if present != pull.row_count:
                found.add((*pull[:4], present))
        return found

    def gaps(self) -> set[tuple[str, int, int]]:
        """Stretches between the first and the last pull of a query that no pull covers."""
        found = set()
        for query in {each.query for each in self.pulls}:
            pulls = [each for each in self.pulls if each.query == query]
            hours = {hour for each in pulls for hour in range(each.window_start, each.window_end)}
            starts = sorted(hour for hour in hours if hour - 1 not in hours)[1:]
            found |= {(query, max(each for each in hours if each < start) + 1, start) for start in starts}
        return found


@st.composite
def histories(draw: st.DrawFn) -> State:
    """What a history of pulls leaves behind: windows of any size in any order, some killed before their end.

    Rows are upserted by key, so a pull overwrites the rows of earlier ones, and what it does not bring stays.
    Few instants and few seconds make ties frequent.
    """
    pulls, stored = {}, {}
    for _ in range(draw(st.integers(0, 9))):
        start = draw(st.integers(0, BUCKETS - 1))
        end = draw(st.integers(start + 1, BUCKETS))
        at = draw(st.integers(0, 9))
        keys = [(group, bucket) for group in (0, 1) for bucket in range(start, end)]
        brought = draw(st.sets(st.sampled_from(keys), max_size=6))
        arrived = len(brought) if draw(st.integers(0, 4)) else draw(st.integers(0, len(brought)))
        for key in sorted(brought)[:arrived]:
            stored[key] = at
        if draw(st.integers(0, 4)):  # else the target was killed before the ledger's line
            query = "calls" if draw(st.integers(0, 5)) else "others"
            pulls[start, end, at, query] = Pull(start, end, at, len(brought), query)
    for key in draw(st.sets(st.sampled_from(sorted(stored)), max_size=2)) if stored else ():
        del stored[key]
    rows = [StoredRow(group, bucket, at) for (group, bucket), at in stored.items()]
    return State(list(pulls.values()), rows)


class Database:
    """A table ``calls`` and its ledger, in either database."""

    def __init__(self, execute: Callable[[str], Any], schema: str, *, organizations: bool) -> None:
        self._execute = execute
        self._source = Source(f"{schema}.extractions", f"{schema}.calls", "'calls'", organizations)
        execute(f"drop schema if exists {schema} cascade")
        execute(f"create schema {schema}")
        execute(
            f"create table {self._source.ledger} (organization text, query text, window_start timestamp,"
            f" window_end timestamp, extracted_at timestamp, {current_rows.ROWS_COLUMN} bigint)"
        )
        execute(
            f"create table {self._source.table}"
            " (organization text, interval_start timestamp, extracted_at timestamp, agents bigint)"
        )

    def load(self, states: list[State]) -> None:
        pulls = [
            f"('{number}', '{each.query}', {hour(each.window_start)}, {hour(each.window_end)},"
            f" {second(each.extracted_at)}, {each.row_count})"
            for number, state in enumerate(states)
            for each in state.pulls
        ]
        rows = [
            f"('{number}', {hour(each.interval_start)}, {second(each.extracted_at)}, {each.group})"
            for number, state in enumerate(states)
            for each in state.rows
        ]
        for name, values in ((self._source.ledger, pulls), (self._source.table, rows)):
            self._execute(f"delete from {name}")  # noqa: S608  # made here
            if values:
                self._execute(f"insert into {name} values {', '.join(values)}")  # noqa: S608  # made here

    def query(self, template: str, columns: str) -> dict[str, list[tuple[Any, ...]]]:
        """The answer to one of the three texts by organization, instants as hours or seconds."""
        text = current_rows.sql(template, self._source)
        organization = "organization" if self._source.organizations else "'0'"
        found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        statement = f"select {organization}, {columns} from ({text}) as found"  # noqa: S608  # made here
        for name, *values in self._execute(statement).fetchall():
            found[name].append(tuple(map(_number, values)))
        return found


def hour(number: int) -> str:
    return f"timestamp '{START + timedelta(hours=number)}'"


def second(number: int) -> str:
    return f"timestamp '{START + timedelta(days=700, seconds=number)}'"


def _number(value: object) -> object:
    if isinstance(value, datetime):
        since = value - START
        return since.seconds if since.days >= 700 else int(since / timedelta(hours=1))
    return value if isinstance(value, str) else int(str(value))


@pytest.fixture(scope="module")
def executors(database_url: str) -> Iterator[list[Callable[[str], Any]]]:
    """They run statements in PostgreSQL and in DuckDB."""
    with psycopg.connect(database_url, autocommit=True) as postgres, duckdb.connect() as memory:
        yield [lambda statement: postgres.execute(statement.encode()), memory.execute]


def check(databases: list[Database], states: list[State]) -> None:
    expected = [(state.current(), state.missing(), state.gaps()) for state in states]
    for database in databases:
        database.load(states)
        current = database.query(CURRENT, "agents, interval_start, extracted_at")
        missing = database.query(
            MISSING, "window_start, window_end, extracted_at, rows_extracted, rows_present"
        )
        gaps = database.query(GAPS, "query, gap_start, gap_end")
        for number, each in enumerate(expected):
            found = (current[str(number)], missing[str(number)], gaps[str(number)])
            assert [sorted(rows) for rows in found] == [sorted(rows) for rows in each]


def test_a_thousand_random_histories_equal_the_naive_rule(executors: list[Callable[[str], Any]]) -> None:
    """Windows that grew, were split or repeated, backfills, killed runs, lost rows, and ties."""
    databases = [Database(execute, "many", organizations=True) for execute in executors]

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(histories(), min_size=STATES, max_size=STATES))
    def equal(states: list[State]) -> None:
        check(databases, states)

    equal()


def test_without_organizations_a_history_equals_the_naive_rule(executors: list[Callable[[str], Any]]) -> None:
    """The text without the column ``organization``."""
    databases = [Database(execute, "one", organizations=False) for execute in executors]

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(histories())
    def equal(state: State) -> None:
        check(databases, [state])

    equal()
