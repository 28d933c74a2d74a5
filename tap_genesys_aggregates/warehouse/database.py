"""The PostgreSQL warehouse that ``reconcile`` reads: its sums, and errors that say what to do.

No message contains the URL of the database, which has a password in it.
"""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.errors import SettingError, TapError
from tap_genesys_aggregates.core.redaction import remember_password
from tap_genesys_aggregates.warehouse.additivity import additive
from tap_genesys_aggregates.warehouse.target_postgres import URL_FORM
from tap_genesys_aggregates.warehouse.views import literal, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import psycopg

    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.warehouse.reconcile import Sums
    from tap_genesys_aggregates.warehouse.target_postgres import Database

_CONNECT_TIMEOUT = 10
"""Seconds; without it, a host that does not answer is waited for until TCP gives up."""
_DRIVER = re.compile(r"^postgres(ql)?(\+\w+)?://")
"""The schemes that libpq, SQLAlchemy and hosting platforms use for the same database."""


class Warehouse:
    """The tables of one schema."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]], schema: str) -> None:
        """Prepare; nothing is read yet.

        Args:
            connection: A connection that is open.
            schema: The schema of the tables and views.
        """
        self._connection = connection
        self._schema = schema

    def sums(self, query: Query, start: datetime, stop: datetime) -> Sums:
        """The sums of the current rows of a period, by local day and column.

        Args:
            query: The query.
            start: First instant.
            stop: Exclusive end.

        Returns:
            The sums; none for a column that is null all day.

        Raises:
            TapError: The table or its view does not exist, or cannot be read.
        """
        import psycopg  # noqa: PLC0415  # an optional dependency that only this command needs

        names = additive(query)
        totals = ", ".join(f"sum({quoted(name)})" for name in names)
        day = f"(interval_start at time zone 'UTC' at time zone {literal(query.zone.key)})::date"
        view = f"{quoted(self._schema)}.{quoted(query.name + '_current')}"
        between = f"interval_start >= {_timestamp(start)} and interval_start < {_timestamp(stop)}"
        own = f"organization = {literal(query.organization)} and " if query.organization else ""
        statement = f"select {day}, {totals} from {view} where {own}{between} group by 1"  # noqa: S608  # all quoted above
        try:
            rows = self._connection.execute(statement.encode()).fetchall()
        except psycopg.Error as error:
            self._connection.rollback()
            raise self._refused(query, error) from None
        return {
            (day.isoformat(), name): Decimal(str(value))
            for day, *values in rows
            for name, value in zip(names, values, strict=True)
            if value is not None
        }

    def create_views(self, statements: str) -> list[str]:
        """Run the SQL of the views, all of it or nothing.

        Args:
            statements: The SQL.

        Returns:
            What the database said, such as that a table does not exist yet.

        Raises:
            TapError: The database refused it.
        """
        import psycopg  # noqa: PLC0415  # see above

        notices: list[str] = []
        self._connection.add_notice_handler(lambda each: notices.append(each.message_primary or ""))
        try:
            self._connection.execute(statements.encode())
        except psycopg.Error as error:
            self._connection.rollback()
            said = error.diag.message_primary or type(error).__name__
            raise TapError(
                f"the database could not create the views: {said}",
                f"{error.diag.message_detail or ''} {error.diag.message_hint or ''}".strip()
                or "Nothing was changed; the database user needs USAGE and CREATE on the schema",
            ) from None
        return notices

    def _refused(self, query: Query, error: psycopg.Error) -> TapError:
        """What to do about a statement that failed."""
        from psycopg import errors  # noqa: PLC0415  # see above

        table, view = f"{self._schema}.{query.name}", f"{self._schema}.{query.name}_current"
        create = "Create the views with `tap-genesys-aggregates-warehouse views` (docs/operations.md)"
        if isinstance(error, errors.UndefinedTable):
            if self._exists(query.name):
                return TapError(f"the view {view} does not exist", create)
            return TapError(
                f"the table {table} does not exist",
                "Load the query first, or give the schema that holds its table with --schema",
            )
        if isinstance(error, errors.UndefinedColumn):
            return TapError(
                f"the view {view} is older than the query: {error.diag.message_primary}", f"{create} again"
            )
        if isinstance(error, errors.InsufficientPrivilege):
            return TapError(
                f"the database user may not read {view}",
                "Grant it USAGE on the schema and SELECT on the view",
            )
        return TapError(
            f"the database could not read {view}: {error.diag.message_primary or type(error).__name__}",
            "Run reconcile again; if it persists, ask the owner of the database",
        )

    def _exists(self, table: str) -> bool:
        name = f"{quoted(self._schema)}.{quoted(table)}"
        found = self._connection.execute("select to_regclass(%s) is not null", [name]).fetchone()
        return bool(found and found[0])


@contextmanager
def connect(database: Database, schema: str) -> Iterator[Warehouse]:
    """Open the warehouse for the time of a ``with`` block.

    Args:
        database: How to connect.
        schema: The schema of the tables and views.

    Yields:
        The warehouse.

    Raises:
        TapError: The driver is not installed, the URL is malformed, or the database refuses the connection.
    """
    try:
        import psycopg  # noqa: PLC0415  # see above
        from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415  # see above
    except ImportError:
        raise TapError(
            "this command needs the PostgreSQL driver psycopg, which is not installed",
            "Install it with pip install 'tap-genesys-aggregates[warehouse]'",
        ) from None
    parts: dict[str, Any] = dict(database.parts)
    if database.url:
        url = _DRIVER.sub("postgresql://", database.url.strip())
        with suppress(psycopg.Error):
            parts |= conninfo_to_dict(url)
    remember_password(str(parts.get("password") or ""))
    if not parts or "@" in str(parts.get("host")):  # an @ of the password that is not encoded
        raise SettingError(
            f"{database.source} is not the URL of a PostgreSQL database",
            f"It must look like {URL_FORM}, with characters such as @, / and spaces percent-encoded",
        )
    parts["connect_timeout"] = parts.get("connect_timeout") or _CONNECT_TIMEOUT
    try:
        connection = psycopg.connect(**parts, autocommit=True)
    except (psycopg.Error, UnicodeError, ValueError) as error:
        raise _unreachable(str(error), database) from None
    with connection:
        yield Warehouse(connection, schema)


def _unreachable(said: str, database: Database) -> TapError:
    """What to do about a connection that failed.

    The driver does not give a code, only the server's text, which may be in any language: what it does not
    say in English counts as unreachable.
    """
    source = database.source
    if "password" in said or "no pg_hba.conf entry" in said or "authentication failed" in said:
        encoded = "; a password with special characters must be percent-encoded" if database.url else ""
        return TapError("the database refused the user or the password", f"Check both in {source}{encoded}")
    if "FATAL" in said and "does not exist" in said:
        return TapError("the server has no such database or user", f"Check both in {source}")
    return TapError(
        "the database could not be reached",
        f"Check host and port in {source}, and that the server is running and accepts connections from here",
    )


def _timestamp(instant: datetime) -> str:
    """An instant as SQL, the way target-postgres stores it: UTC, without a zone."""
    return f"timestamp {literal(instants.text(instant)[:-1])}"
