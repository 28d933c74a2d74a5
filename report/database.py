"""Connects to the warehouse. No message contains its URL, which has a password in it."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import psycopg
from dotenv import dotenv_values
from psycopg.rows import dict_row

from demo.errors import DemoError
from demo.paths import CLONE
from demo.urls import from_environment
from report.errors import ReportError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CONNECT_TIMEOUT = 10
_WHERE = "--database-url, DATABASE_URL or TARGET_POSTGRES_*"


def server_url(url: str | None, variables: Mapping[str, str] | None = None) -> str:
    """Return the URL of the server to read.

    Args:
        url: The option ``--database-url``. Without it, the environment counts, and then the file ``.env``.
        variables: The environment, to replace both.

    Raises:
        ReportError: Nothing names a server, or the URL is not one of PostgreSQL.
    """
    if variables is None:
        file = {name: value for name, value in dotenv_values(CLONE / ".env").items() if value is not None}
        variables = {**file, **os.environ}
    try:
        found = from_environment({"DATABASE_URL": url} if url else variables)
    except DemoError:
        raise ReportError(
            f"{_WHERE} is not the URL of a PostgreSQL database; "
            "it must look like postgresql://user:password@host:5432/database"
        ) from None
    if found is None:
        raise ReportError(
            "No database is given: set --database-url, or DATABASE_URL or TARGET_POSTGRES_HOST in .env"
        )
    return found[0]


@contextlib.contextmanager
def connect(url: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """Connect, in UTC, to one unchanging state of the database, and only to read.

    Raises:
        ReportError: The server cannot be reached, or refuses the user.
    """
    try:
        connection = psycopg.connect(url, connect_timeout=_CONNECT_TIMEOUT, row_factory=dict_row)
    except (psycopg.Error, UnicodeError, ValueError) as error:
        raise ReportError(_refusal(str(error))) from None
    with connection:
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("set local timezone to 'UTC'")
        yield connection


def _refusal(said: str) -> str:
    """What to do about it. The driver's text is not shown: it can contain parts of a malformed URL."""
    if "password" in said or "no pg_hba.conf entry" in said or "authentication failed" in said:
        return (
            f"The database refused the user or the password: check them in {_WHERE}, "
            "with special characters percent-encoded"
        )
    if "FATAL" in said and "does not exist" in said:
        return f"The server has no such database or user: check both in {_WHERE}"
    return (
        f"The database cannot be reached: check host and port in {_WHERE}, and that the server accepts "
        "connections from here"
    )
