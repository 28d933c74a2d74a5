"""Loads what the tap writes into PostgreSQL and DuckDB, with the types that their targets choose."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
import psycopg

from demo import urls
from genesys_sandbox import Options, Sandbox, SettableClock
from tests.extract.lookups import catalog
from tests.pipeline.running import ManualClock, Warehouse, config, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from tests.pipeline.running import Message, Row

SCHEMA = "genesys"
ZONE = "Europe/Berlin"

START = datetime(2026, 3, 27, tzinfo=timezone.utc)
"""Two days before the clocks of ``ZONE`` go forward."""
WEEK_START = datetime(2025, 1, 25, 21, tzinfo=timezone.utc)
WEEK_END = datetime(2025, 2, 1, 21, tzinfo=timezone.utc)

QUERIES = ("queue_performance", "agent_performance", "agent_status")
LOOKUPS = ("queues", "users", "presence_definitions")
_TYPES = {"integer": "bigint", "number": "double precision", "boolean": "boolean", "string": "text"}


@dataclass
class Loaded:
    """The tables of the tap, as a target that upserts by key holds them.

    Attributes:
        tables: Name → rows.
        columns: Name of a table → column → SQL type.
    """

    tables: dict[str, list[Row]] = field(default_factory=dict)
    columns: dict[str, dict[str, str]] = field(default_factory=dict)


class Tap:
    """Runs of the tap against a sandbox that rewrites its history, and what they loaded so far."""

    def __init__(self, *, agents: int = 6, volume: float = 0.3) -> None:
        self._clock = SettableClock(START)
        self.sandbox = Sandbox(Options(agents=agents, volume=volume, rewrites=True), now=self._clock)
        self._warehouse = Warehouse()
        self._columns: dict[str, dict[str, str]] = {}

    @property
    def loaded(self) -> Loaded:
        return Loaded({name: self._warehouse.rows(name) for name in self._columns}, self._columns)

    def run(self, now: datetime) -> None:
        """Load what a run at an instant would."""
        self._clock.set(now)
        settings = config(start_date="2026-03-27T00:00:00Z", queries=[{"preset": name} for name in QUERIES])
        self._load(run(
            self.sandbox, settings, state=self._warehouse.state, time=ManualClock(now),
            catalog=catalog(settings, *LOOKUPS),
        ).messages)  # fmt: skip

    def load_sample_week(self) -> None:
        """Load the recorded week of real data as if the preset had had buckets of a week."""
        week = {
            "preset": "queue_performance",
            "granularity": "P7D",
            "window": "P7D",
            "anchor": "2025-01-26",
            "time_zone": "Africa/Nairobi",
        }
        ends = {"start_date": "2025-01-25T21:00:00Z", "end_date": "2025-02-01T21:00:00Z"}
        state = self._warehouse.state
        self._load(
            run(self.sandbox, config(**ends, queries=[week]), time=ManualClock(self.sandbox.now())).messages
        )
        self._warehouse.state = state

    def _load(self, messages: list[Message]) -> None:
        self._warehouse.load(messages)
        for message in messages:
            if message["type"] == "SCHEMA":
                properties: Mapping[str, Any] = message["schema"]["properties"]
                self._columns[message["stream"]] = {name: _type(each) for name, each in properties.items()}


def _type(each: Mapping[str, Any]) -> str:
    if each.get("format") == "date-time":
        return "timestamp"
    return _TYPES[next(kind for kind in each["type"] if kind != "null")]


class Database(Protocol):
    """A database that dbt can build in.

    Attributes:
        name: Its target in ``profiles.yml``.
        marts: The schema of the models.
        settings: Environment variables for that profile.
    """

    name: str
    marts: str
    settings: dict[str, str]

    def load(self, loaded: Loaded) -> None:
        """Replace the rows of the tables, which are created if they do not exist."""

    def execute(self, statement: str) -> None:
        """Run a statement."""

    def rows(self, query: str) -> list[Row]:
        """The rows of a SELECT."""


def _create(loaded: Loaded) -> Iterable[str]:
    yield f"create schema if not exists {SCHEMA}"
    for name, columns in loaded.columns.items():
        text = ", ".join(f"{column} {kind}" for column, kind in columns.items())
        yield f"create table if not exists {SCHEMA}.{name} ({text})"
        yield f"delete from {SCHEMA}.{name}"  # noqa: S608  # made here


class Postgres:
    """A database of an embedded server."""

    name = "postgres"
    marts = "genesys_marts"

    def __init__(self, url: str) -> None:
        self._url = url
        self.settings = urls.settings(url)

    def load(self, loaded: Loaded) -> None:
        with psycopg.connect(self._url) as connection:
            for statement in _create(loaded):
                connection.execute(statement.encode())
            for name, rows in loaded.tables.items():
                table = f"{SCHEMA}.{name}"
                connection.execute(
                    f"insert into {table} select * from jsonb_populate_recordset(null::{table}, %s)".encode(),  # noqa: S608  # made here
                    [json.dumps(rows)],
                )

    def execute(self, statement: str) -> None:
        with psycopg.connect(self._url) as connection:
            connection.execute(statement.encode())

    def rows(self, query: str) -> list[Row]:
        with psycopg.connect(self._url, row_factory=psycopg.rows.dict_row) as connection:
            return connection.execute(query.encode()).fetchall()


class DuckDB:
    """A file of DuckDB. It is only open while it is used, because dbt locks it."""

    name = "duckdb"
    marts = "genesys_marts_kpis"  # as integration_tests/dbt_project.yml says

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "warehouse.duckdb"
        self.settings = {"DBT_DUCKDB_PATH": str(self._path)}

    def load(self, loaded: Loaded) -> None:
        with duckdb.connect(str(self._path)) as connection:
            for statement in _create(loaded):
                connection.execute(statement)
            for name, rows in loaded.tables.items():
                file = self._folder / f"{name}.jsonl"
                file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
                if rows:
                    columns = json.dumps(loaded.columns[name])
                    connection.execute(
                        f"insert into {SCHEMA}.{name} select * from read_json('{file}', columns={columns})"  # noqa: S608  # made here
                    )

    def execute(self, statement: str) -> None:
        with duckdb.connect(str(self._path)) as connection:
            connection.execute(statement)

    def rows(self, query: str) -> list[Row]:
        with duckdb.connect(str(self._path)) as connection:
            found = connection.execute(query)
            names = [each[0] for each in found.description or ()]
            return [dict(zip(names, values, strict=True)) for values in found.fetchall()]


def with_organization(loaded: Loaded, names: Sequence[str]) -> Loaded:
    """The same tables once for each organization, all in one schema, told apart by a column."""
    return Loaded(
        {
            table: [{"organization": name, **row} for name in names for row in rows]
            for table, rows in loaded.tables.items()
        },
        {table: {"organization": "text", **columns} for table, columns in loaded.columns.items()},
    )
