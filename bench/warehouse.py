"""The views and the dbt package on a year of half hours in PostgreSQL, pulled many times a day."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from bench.figures import Figure
from bench.processes import ROOT
from demo import postgres, urls
from tap_genesys_aggregates.config.settings import Settings
from tap_genesys_aggregates.core import schema
from tap_genesys_aggregates.ledger import COLUMNS, NAME
from tap_genesys_aggregates.warehouse.current_rows import ROWS_COLUMN
from tap_genesys_aggregates.warehouse.views import views

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.figures import Sizes
    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.schema import Column

DBT = ROOT / ".demo" / "dbt" / "bin" / "dbt"
"""The ``dbt`` command, installed in an environment of its own."""

_SCHEMA = "bench"
_LOOKBACK = 7
_DAYS_OF_A_FLEET = 100
_ORGANIZATION = "organization {}"
_TYPES = {
    "date-time": "timestamp",
    "integer": "bigint",
    "number": "numeric",
    "boolean": "boolean",
    "string": "text",
}


@dataclass(frozen=True)
class Year:
    """Some days of half hours, pulled several times a day with a lookback of a week.

    Attributes:
        days: Number of days.
        queues: Each has a row in every half hour.
        pulls: Pulls in a day. Each adds a line to the ledger for each of the last seven days.
        organizations: Each has all that in the same tables; 0 for tables that do not name any.
    """

    days: int
    queues: int
    pulls: int
    organizations: int = 0

    @property
    def query(self) -> Query:
        """The query whose table it is."""
        access = {"client_id": "-", "client_secret": "-", "start_date": "2025-01-01", "api": "results"}
        owner = {"organization": _ORGANIZATION.format(1)} if self.organizations else {}
        (query,) = Settings.read({**access, **owner, "queries": [{"preset": "queue_performance"}]}).queries
        return query


def measure(sizes: Sizes, folder: Path) -> Iterator[Figure]:
    """Measure the views, then ``dbt build`` from scratch and after another pull.

    Args:
        sizes: How much to load.
        folder: A folder for the data of Postgres.

    Yields:
        The figures, in seconds.
    """
    with postgres.embedded(folder / "warehouse") as server:
        warehouse = _Warehouse(server.url)
        for scale, goal in ((1, 1), (10, 10)):
            year = Year(sizes.days, sizes.queues * scale, 24 if scale == 1 else 54)
            yield from warehouse.views(year, goal, sizes.rounds)
        yield from warehouse.views(Year(_DAYS_OF_A_FLEET, 1, 1, sizes.fleet), 20, sizes.rounds)
        yield from warehouse.dbt(Year(sizes.days, sizes.queues * 57 // 20, 24))


class _Warehouse:
    """The tables of one query in a schema of their own."""

    def __init__(self, url: str) -> None:
        self._url = url

    def views(self, year: Year, goal: float, rounds: int) -> Iterator[Figure]:
        """How long it takes to read everything from a view."""
        rows, lines = self._load(year)
        self._execute(views([year.query], _SCHEMA))
        several = f"{year.organizations} organizations, " if year.organizations else ""
        for view in ("current", "missing"):
            statement = f"select count(*), max(extracted_at) from {_SCHEMA}.{year.query.name}_{view}"  # noqa: S608  # fixed names
            seconds = [self._timed(statement) for _ in range(rounds)]
            method = f"{several}{rows:,} rows, {lines:,} lines in the ledger, {rounds} rounds"
            yield Figure.from_ratios(f"view `<query>_{view}`, seconds", seconds, ("at most", goal), method)

    def dbt(self, year: Year) -> Iterator[Figure]:
        """How long ``dbt build`` takes for the queues' marts, from scratch and after one more pull."""
        rows, lines = self._load(year)
        self._execute("drop schema if exists genesys_marts cascade")
        method = f"{rows:,} rows, {lines:,} lines in the ledger, wall-clock time of the command, one round"
        yield _seconds("`dbt build` of the queues' marts with their tests", self._build(), 30, method)
        changed = (
            "update {0}.{1} set extracted_at = extracted_at + interval '1 day' where interval_start >= {2}"
        )
        last = f"(select max(interval_start) - interval '{_LOOKBACK} days' from {_SCHEMA}.{year.query.name})"  # noqa: S608  # fixed names
        self._execute(changed.format(_SCHEMA, year.query.name, last))
        title = f"the same after another pull of the last {_LOOKBACK} days"
        yield _seconds(title, self._build(), 10, method)

    def _build(self) -> float:
        only = "{genesys_schema: bench, using_agent_performance: false, using_agent_status: false}"
        place = [
            "--target-path",
            str(ROOT / ".demo" / "dbt-target"),
            "--log-path",
            str(ROOT / ".demo" / "dbt-logs"),
        ]
        began = time.monotonic()
        subprocess.run(  # noqa: S603  # a fixed command
            [DBT, "--quiet", "build", "--vars", only, *place],
            cwd=ROOT / "transform",
            env={**os.environ, **urls.settings(self._url), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
            check=True,
        )
        return time.monotonic() - began

    def _load(self, year: Year) -> tuple[int, int]:
        """Create and fill both tables; returns their numbers of rows."""
        query = year.query
        table, ledger = f"{_SCHEMA}.{query.name}", f"{_SCHEMA}.{NAME}"
        self._execute(f"drop schema if exists {_SCHEMA} cascade; create schema {_SCHEMA}")
        lines = schema.with_organization(query.organization, COLUMNS)
        self._execute(_create(ledger, lines) + _create(table, schema.columns(query)))
        self._execute(_fill_ledger(ledger, year))
        self._execute(_fill_table(table, ledger, year))
        self._execute("analyze")
        return self._count(table), self._count(ledger)

    def _count(self, table: str) -> int:
        with psycopg.connect(self._url) as connection:
            found = connection.execute(f"select count(*) from {table}".encode()).fetchone()  # noqa: S608  # fixed names
        return int(found[0]) if found else 0

    def _timed(self, statement: str) -> float:
        with psycopg.connect(self._url) as connection:
            began = time.monotonic()
            connection.execute(statement.encode()).fetchall()
            return time.monotonic() - began

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(statement.encode())


def _seconds(title: str, seconds: float, goal: float, method: str) -> Figure:
    return Figure.from_ratios(f"{title}, seconds", [seconds], ("at most", goal), method)


def _create(table: str, columns: tuple[Column, ...]) -> str:
    names = ", ".join(f'"{each.name}" {_TYPES[each.kind]}' for each in columns)
    keys = ", ".join(f'"{each.name}"' for each in columns if each.key)
    return f"create table {table} ({names}, primary key ({keys}));"


def _fill_ledger(ledger: str, year: Year) -> str:
    """A line for each pull and each of the days before it that it reads again."""
    owner, named, owners = _organizations(year)
    step, first = f"interval '1 day' / {year.pulls}", "timestamp '2025-01-01'"
    seconds = "extract(epoch from least(day + interval '1 day', pulled_at) - day)"
    return f"""
        insert into {ledger}
          ({owner}query, window_start, window_end, extracted_at, {ROWS_COLUMN}, retries, was_split)
        select {named}'{year.query.name}',
          day, least(day + interval '1 day', pulled_at), pulled_at + interval '5 minutes',
          {year.queues} * {seconds} / 1800, 0, false
        from generate_series({first} + {step}, {first} + interval '{year.days} days', {step}) as pulled_at
        cross join generate_series(0, {_LOOKBACK - 1}) as ago
        cross join lateral (
          select date_trunc('day', pulled_at - interval '1 second') - ago * interval '1 day' as day
        ) as days
        {owners}
        where day >= {first}
    """  # noqa: S608  # fixed names


def _fill_table(table: str, ledger: str, year: Year) -> str:
    """A row for each queue and half hour, as the last pull of its day brought it."""
    owner, _, _ = _organizations(year)
    names, values = [], []
    for each in schema.columns(year.query):
        if each.wire:
            names.append(each.name)
            values.append(f"(random() * {100 if each.kind == 'integer' else 90_000})::int")
    half = "interval '30 minutes'"
    return f"""
        insert into {table}
          ({owner}interval_start, interval_end, queue_id, media_type, is_final, extracted_at,
            {", ".join(names)})
        select {owner}at, at + {half}, 'queue ' || queue, 'voice', true, pulled_at, {", ".join(values)}
        from (
          select {owner}window_start, max(window_end) as window_end, max(extracted_at) as pulled_at
          from {ledger} group by {owner}window_start
        ) as days
        cross join lateral generate_series(window_start, window_end - {half}, {half}) as at
        cross join generate_series(1, {year.queues}) as queue
    """  # noqa: S608  # fixed names


def _organizations(year: Year) -> tuple[str, str, str]:
    """The column, its value, and the join with all organizations; empty if tables do not name any."""
    if not year.organizations:
        return "", "", ""
    value = _ORGANIZATION.format("' || number || '")
    return "organization, ", f"'{value}', ", f"cross join generate_series(1, {year.organizations}) as number"
