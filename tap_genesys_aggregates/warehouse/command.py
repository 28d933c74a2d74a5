"""The command ``tap-genesys-aggregates-warehouse``.

``views`` prints the SQL of the views. ``reconcile`` asks the API for each day as one bucket and compares
that with a PostgreSQL warehouse (it needs the extra ``warehouse``).
"""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.errors import SettingError, TapError
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tap_genesys_aggregates.warehouse.reconcile import by_day, differences, sums
from tap_genesys_aggregates.warehouse.views import additive, literal, quoted, views

if TYPE_CHECKING:
    from datetime import datetime

    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.warehouse.reconcile import Sums

_CONFIG = click.option("--config", multiple=True, help="Config file of the tap, or ENV.")
_SCHEMA = click.option(
    "--schema", default="tap_genesys_aggregates", show_default=True, help="Schema of the tables."
)


@click.group()
def main() -> None:
    """Views for the warehouse, and a comparison with the API."""


@main.command("views")
@_CONFIG
@_SCHEMA
def print_views(config: tuple[str, ...], schema: str) -> None:
    """Print the SQL that creates the views of every query. Pipe it into psql."""
    click.echo(views(_tap(config).settings.queries, schema))


@main.command()
@_CONFIG
@_SCHEMA
@click.option(
    "--database-url", envvar="DATABASE_URL", required=True, help="postgresql://user:password@host/database"
)
@click.option("--from", "start", help="First day; by default start_date.")
@click.option("--to", "stop", help="Exclusive end; by default the lookback before now.")
def reconcile(
    config: tuple[str, ...], schema: str, database_url: str, start: str | None, stop: str | None
) -> None:
    """Compare the API with the warehouse by query and day. Exits with 1 if they differ."""
    try:
        tap = _tap(config)
        found = 0
        for query in tap.settings.queries:
            if query.shape == "long":
                click.echo(f"{query.name}: not compared, because its shape is long")
            else:
                found += _reconcile(tap, query, _Period(tap, query, start, stop), (database_url, schema))
    except TapError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    sys.exit(1 if found else 0)


class _Period:
    """The whole local days to compare."""

    def __init__(self, tap: TapGenesysAggregates, query: Query, start: str | None, stop: str | None) -> None:
        grid, now = by_day(query).grid, tap.client.now()
        first = _instant("--from", start) if start else tap.settings.start_date
        last = _instant("--to", stop) if stop else now - query.lookback
        self.start = grid.ceil(max(first, tap.settings.start_date))
        self.stop = grid.floor(min(last, tap.settings.end_date or last))


def _reconcile(tap: TapGenesysAggregates, query: Query, period: _Period, place: tuple[str, str]) -> int:
    """Compare one query and print the result; returns the number of differences."""
    daily = by_day(query)
    api = sums(daily, tap.extractor(daily).rows(period.start, period.stop))
    found = list(differences(api, _held(query, period, *place)))
    days = {day for day, _ in api}
    span = f"{instants.text(period.start)}/{instants.text(period.stop)}"
    verdict = f"{len(found)} sums differ" if found else "equal"
    click.echo(f"{query.name}: {verdict} ({len(days)} days with data, {len(api)} sums, {span})")
    for each in found:
        click.echo(f"  {each}")
    return len(found)


def _held(query: Query, period: _Period, database_url: str, schema: str) -> Sums:
    """The sums of the warehouse by day and column."""
    import psycopg  # noqa: PLC0415  # an optional dependency that only this command needs

    names = additive(query)
    totals = ", ".join(f"sum({quoted(name)})" for name in names)
    day = f"(interval_start at time zone 'UTC' at time zone {literal(query.zone.key)})::date"
    table = f"{quoted(schema)}.{quoted(query.name + '_current')}"
    between = f"interval_start >= {_timestamp(period.start)} and interval_start < {_timestamp(period.stop)}"
    statement = f"select {day}, {totals} from {table} where {between} group by 1"  # noqa: S608  # all quoted above
    with psycopg.connect(database_url) as connection:
        rows: list[tuple[Any, ...]] = connection.execute(statement.encode()).fetchall()
    return {
        (day.isoformat(), name): Decimal(str(value))
        for day, *values in rows
        for name, value in zip(names, values, strict=True)
        if value is not None
    }


def _timestamp(instant: datetime) -> str:
    """An instant as SQL, the way target-postgres stores it: UTC, without a zone."""
    return f"timestamp {literal(instants.text(instant)[:-1])}"


def _instant(name: str, value: str) -> datetime:
    """A date-time from the command line."""
    try:
        return instants.parse(value)
    except ValueError as error:
        raise SettingError(f"{name}: {error}") from None


def _tap(config: tuple[str, ...]) -> TapGenesysAggregates:
    return TapGenesysAggregates.of_command_line(config)
