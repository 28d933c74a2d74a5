"""Loads what the tap wrote into PostgreSQL: tables from SCHEMA messages, rows upserted by key."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

    from tests.pipeline.running import Message

_KINDS = {"integer": "bigint", "number": "numeric", "boolean": "boolean", "string": "text"}


def load(connection: psycopg.Connection[Any], messages: Iterable[Message]) -> None:
    """Load messages the way target-postgres stores them: ``date-time`` as timestamp without zone."""
    upserts: dict[str, sql.Composed] = {}
    names: dict[str, list[str]] = {}
    waiting: list[tuple[str, dict[str, Any]]] = []
    for message in messages:
        if message["type"] == "SCHEMA":
            stream, properties = message["stream"], message["schema"]["properties"]
            names[stream] = list(properties)
            keys = message["key_properties"]
            connection.execute(_table(stream, properties, keys))
            upserts[stream] = _upsert(stream, list(properties), keys)
        elif message["type"] == "RECORD":
            waiting.append((message["stream"], message["record"]))
    for stream, statement in upserts.items():
        rows = [[_exact(row[name]) for name in names[stream]] for of, row in waiting if of == stream]
        with connection.cursor() as cursor:
            cursor.executemany(statement, rows)


def _exact(value: object) -> object:
    """A number as it was written: a float would be cut to 15 digits on its way into ``numeric``."""
    return Decimal(repr(value)) if isinstance(value, float) else value


def _table(stream: str, properties: dict[str, Any], keys: list[str]) -> sql.Composed:
    columns = [
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(_kind(each)))
        for name, each in properties.items()
    ]
    return sql.SQL("create table if not exists warehouse.{} ({}, primary key ({}))").format(
        sql.Identifier(stream), sql.SQL(", ").join(columns), sql.SQL(", ").join(map(sql.Identifier, keys))
    )


def _kind(each: dict[str, Any]) -> str:
    if each.get("format") == "date-time":
        return "timestamp"
    return _KINDS[next(kind for kind in each["type"] if kind != "null")]


def _upsert(stream: str, columns: list[str], keys: list[str]) -> sql.Composed:
    changes = [sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in columns]
    return sql.SQL("insert into warehouse.{} ({}) values ({}) on conflict ({}) do update set {}").format(
        sql.Identifier(stream),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join([sql.Placeholder()] * len(columns)),
        sql.SQL(", ").join(map(sql.Identifier, keys)),
        sql.SQL(", ").join(changes),
    )
