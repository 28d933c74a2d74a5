"""The command ``tap-genesys-aggregates-warehouse``.

``views`` prints the SQL of the views, or creates them. ``reconcile`` asks the API for each day as one bucket
and compares that with a PostgreSQL warehouse. What connects to the database needs the extra ``warehouse``.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from typing_extensions import override

from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.errors import SettingError, TapError
from tap_genesys_aggregates.extract.organization import organization_line
from tap_genesys_aggregates.singer.log_redaction import print_redacted, redact_logs
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tap_genesys_aggregates.warehouse.additivity import additive, left_out
from tap_genesys_aggregates.warehouse.database import connect
from tap_genesys_aggregates.warehouse.reconcile import TOLERANCE, by_day, differences, sums
from tap_genesys_aggregates.warehouse.target_postgres import (
    DEFAULT_SCHEMA,
    LOADER,
    URL_FORM,
    Database,
    TargetPostgres,
)
from tap_genesys_aggregates.warehouse.views import views

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.warehouse.database import Warehouse
    from tap_genesys_aggregates.warehouse.reconcile import Difference

_MAX_PRINTED = 20
_STOP_AT_ERRORS = "\\set ON_ERROR_STOP on"
"""Without it, psql goes on after an error and exits with 0."""
EQUAL, DIFFERENT, FAILED, NOTHING_COMPARED = 0, 1, 2, 3
"""The exit codes of ``reconcile``; click uses 2 for wrong usage too."""

_CONFIG = click.option("--config", multiple=True, help="Config file of the tap, or ENV.")
_SCHEMA = click.option(
    "--schema", help=f"Schema of the tables; by default that of target-postgres, or {DEFAULT_SCHEMA}."
)
_DATABASE_URL = click.option(
    "--database-url",
    envvar="DATABASE_URL",
    help=f"{URL_FORM}; by default the database of target-postgres. Better set DATABASE_URL: other users can "
    "see command lines.",
)
_LOADER = click.option(
    "--loader", help=f"Name of the loader whose database that is, in a Meltano project; by default {LOADER}."
)


@click.group()
def main() -> None:
    """Views for the warehouse, and a comparison with the API."""
    redact_logs()
    sys.excepthook = print_redacted


@main.command("views")
@_CONFIG
@_SCHEMA
@_DATABASE_URL
@_LOADER
@click.option("--create", is_flag=True, help="Create the views in the database, instead of printing SQL.")
@click.option("--plain", is_flag=True, help="Leave out the first line, which only psql understands.")
def print_views(  # noqa: PLR0913  # one argument for each option
    *,
    config: tuple[str, ...],
    schema: str | None,
    database_url: str | None,
    loader: str | None,
    create: bool,
    plain: bool,
) -> None:
    """Print the SQL that creates the views of every query. Pipe it into psql, or use --create."""
    with _errors_on_one_line():
        target = TargetPostgres(os.environ, loader)
        queries, place = _tap(config).settings.queries, schema or target.schema()
        statements = views(queries, place)
        if not create:
            click.echo(statements if plain else f"{_STOP_AT_ERRORS}\n{statements}")
            return
        with connect(_database(database_url, target), place) as warehouse:
            notices = warehouse.create_views(statements)
        for notice in notices:
            click.echo(notice)
        others = ", apart from those" if notices else ""
        click.echo(f"The views of the queries are up to date in schema {place!r}{others}.")


@main.command()
@_CONFIG
@_SCHEMA
@_DATABASE_URL
@_LOADER
@click.option("--from", "start", help="First day; by default start_date.")
@click.option("--to", "stop", help="Exclusive end; by default the lookback before now.")
def reconcile(  # noqa: PLR0913  # one argument for each option
    *,
    config: tuple[str, ...],
    schema: str | None,
    database_url: str | None,
    loader: str | None,
    start: str | None,
    stop: str | None,
) -> None:
    """Compare the API with the warehouse by query and day.

    Exits with 0 if everything that could be compared is equal, 1 if sums differ, 2 if a query could not be
    compared because of an error, and 3 if there was nothing to compare.
    """
    with _errors_on_one_line():
        tap, target = _tap(config), TargetPostgres(os.environ, loader)
        database = _database(database_url, target)
        first, last = _instant("--from", start), _instant("--to", stop)
        if tap.settings.organization is not None:
            click.echo(organization_line(tap.settings.organization, None))
        with connect(database, schema or target.schema()) as warehouse:
            codes = [
                _reconcile(tap, query, _Days.of(tap, query, first, last), warehouse)
                for query in tap.settings.queries
            ]
    for code in (FAILED, DIFFERENT, EQUAL):
        if code in codes:
            sys.exit(code)
    click.echo("Nothing was compared.")
    sys.exit(NOTHING_COMPARED)


@dataclass(frozen=True, slots=True)
class _Days:
    """The whole local days to compare; none if ``stop`` is not after ``start``."""

    start: datetime
    stop: datetime

    @override
    def __str__(self) -> str:
        return f"{instants.text(self.start)}/{instants.text(self.stop)}"

    @classmethod
    def of(
        cls, tap: TapGenesysAggregates, query: Query, first: datetime | None, last: datetime | None
    ) -> _Days:
        """The days of a query that lie between what the user asked for, the settings, and now."""
        settings, grid, now = tap.settings, by_day(query).grid, tap.client.now()
        ends = (last or now - query.lookback, settings.end_date or now, now)
        return cls(grid.ceil(max(first or settings.start_date, settings.start_date)), grid.floor(min(ends)))


def _reconcile(tap: TapGenesysAggregates, query: Query, days: _Days, warehouse: Warehouse) -> int:
    """Compare one query and print the result; returns an exit code."""
    if not additive(query):
        return _nothing(query, f"left out: {left_out(query)}")
    if days.stop <= days.start:
        return _nothing(query, "no complete day lies in the period; see --from, --to and lookback_days")
    daily = by_day(query)
    try:
        held = warehouse.sums(query, days.start, days.stop)
        api = sums(daily, tap.extractor(daily).rows(days.start, days.stop))
    except TapError as error:
        if error.stops_run:
            raise
        click.echo(f"error: query {query.name!r}: {error}", err=True)
        return FAILED
    if not api and not held:
        return _nothing(query, f"neither the API nor the warehouse has rows in {days}")
    found = list(differences(api, held))
    for line in _report(query, days, {*api, *held}, found):
        click.echo(line)
    return DIFFERENT if found else EQUAL


def _report(
    query: Query, days: _Days, compared: set[tuple[str, str]], found: list[Difference]
) -> Iterator[str]:
    """The lines about a query that was compared."""
    verdict = f"{len(found)} sums differ" if found else "equal"
    count = len({day for day, _ in compared})
    precision = f"whole numbers exactly, fractions to {TOLERANCE} of their size"
    yield f"{query.name}: {verdict} ({count} days with data, {len(compared)} sums, {days}; {precision})"
    yield from (f"  {each}" for each in found[:_MAX_PRINTED])
    if len(found) > _MAX_PRINTED:
        yield f"  and {len(found) - _MAX_PRINTED} more"
    if left_out(query):
        yield f"  left out: {left_out(query)}"


def _nothing(query: Query, reason: str) -> int:
    """Say why a query was not compared."""
    click.echo(f"{query.name}: not compared; {reason}")
    return NOTHING_COMPARED


@contextmanager
def _errors_on_one_line() -> Iterator[None]:
    """End with a line on standard error, instead of a traceback, when something is wrong."""
    try:
        yield
    except TapError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(FAILED)


def _instant(name: str, value: str | None) -> datetime | None:
    """A date-time from the command line."""
    try:
        return instants.parse(value) if value else None
    except ValueError as error:
        raise SettingError(f"{name}: {error}") from None


def _database(url: str | None, target: TargetPostgres) -> Database:
    """The database of the command line, or else that of target-postgres."""
    return Database("--database-url (or DATABASE_URL)", url=url) if url else target.database()


def _tap(config: tuple[str, ...]) -> TapGenesysAggregates:
    return TapGenesysAggregates.of_command_line(config)
