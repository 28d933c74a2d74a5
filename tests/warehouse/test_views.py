"""The views in a real PostgreSQL, loaded as target-postgres loads it."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from datetime import datetime, timedelta, timezone
from random import Random
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from click.testing import CliRunner

from genesys_sandbox import ExpectedRows, Options, Sandbox, SettableClock
from tap_genesys_aggregates.config.settings import Settings
from tap_genesys_aggregates.warehouse import command
from tap_genesys_aggregates.warehouse.views import views
from tests.pipeline.lookback_costs import Deviation
from tests.pipeline.running import ManualClock, config, multiset, run
from tests.simulation.tap_run import Killed
from tests.warehouse.conftest import Connection, load

if TYPE_CHECKING:
    from pathlib import Path

    from genesys_sandbox import Request
    from genesys_sandbox.faults import Plan
    from tests.pipeline.running import Outcome

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


def test_the_view_missing_finds_what_an_overlapping_backfill_hid(connection: Connection) -> None:
    """Reproducer: a daily run and a backfill with a state of its own read the same unsettled days at once.

    The backfill reads first, and its rows arrive last. By the ledger the daily run read later, so the rows
    of the backfill count as stale. The next daily run reads all but the first of those days again, and a
    backfill of the windows that are still missing brings the rest.
    """
    sandbox, clock = rewriting_sandbox()

    def read(day: float, state: dict[str, Any], **dates: str) -> Outcome:
        clock.set(START + timedelta(days=day))
        outcome = run(sandbox, {**SETTINGS, **dates}, state=state, time=ManualClock(clock()))
        assert outcome.error is None
        return outcome

    def counted(view: str) -> int:
        found: int = connection.execute(f"select count(*) from warehouse.{view}").fetchone()[0]  # noqa: S608
        return found

    first = read(20, {})
    load(connection, first.messages)
    connection.execute(views(Settings.read(SETTINGS).queries, "warehouse").encode())
    backfill = read(21, {}, start_date="2026-01-10T00:00:00Z", end_date="2026-01-20T00:00:00Z")
    daily = read(21.01, first.state)
    load(connection, daily.messages)
    assert counted("calls_missing") == 0
    before = counted("calls_current")
    load(connection, backfill.messages)
    assert counted("calls_current") < before
    hidden = connection.execute(
        "select min(window_start)::date::text, max(window_end)::date::text, sum(rows_present)"
        " from warehouse.calls_missing"
    ).fetchone()
    assert hidden == ("2026-01-14", "2026-01-20", 0)
    load(connection, read(22, daily.state).messages)
    windows = connection.execute("select window_start::text, window_end::text from warehouse.calls_missing")
    ((start, end),) = windows.fetchall()
    assert (start, end) == ("2026-01-14 00:00:00", "2026-01-15 00:00:00")
    load(connection, read(22.1, {}, start_date=start, end_date=end).messages)
    assert counted("calls_missing") == 0
    until = START + timedelta(days=14)
    expected = ExpectedRows(sandbox).rows(QUERY, START, until, START + timedelta(days=600))
    assert multiset(current(connection, until)) == multiset(expected)


def test_a_backfill_that_ends_before_the_lookback_hides_nothing(connection: Connection) -> None:
    """The same runs as above, with the end that the tap's warning and docs/operations.md name."""
    sandbox, clock = rewriting_sandbox()
    clock.set(START + timedelta(days=20))
    first = run(sandbox, SETTINGS, time=ManualClock(clock()))
    load(connection, first.messages)
    clock.set(START + timedelta(days=21))
    past = {"start_date": "2026-01-03T00:00:00Z", "end_date": "2026-01-13T00:00:00Z"}
    backfill = run(sandbox, {**SETTINGS, **past}, time=ManualClock(clock()))
    clock.set(START + timedelta(days=21.01))
    load(connection, run(sandbox, SETTINGS, state=first.state, time=ManualClock(clock())).messages)
    load(connection, backfill.messages)
    connection.execute(views(Settings.read(SETTINGS).queries, "warehouse").encode())
    assert connection.execute("select count(*) from warehouse.calls_missing").fetchone()[0] == 0


# What ``views`` does to a warehouse that is not as it expects


def create_views(connection: Connection, *queries: dict[str, Any]) -> list[str]:
    """Create the views of queries; the notices of the server."""
    notices: list[str] = []

    def keep(notice: psycopg.errors.Diagnostic) -> None:
        notices.append(str(notice.message_primary))

    connection.add_notice_handler(keep)
    connection.execute(views(Settings.read(config(queries=list(queries))).queries, "warehouse").encode())
    connection.remove_notice_handler(keep)
    return [each for each in notices if "skipping" not in each]  # of "drop view if exists"


def create_tables(connection: Connection, *names: str, **columns: str) -> None:
    """Create the ledger, and tables of queries that have these numbers."""
    connection.execute(
        "create table if not exists warehouse.extractions (query text, window_start timestamp,"
        " window_end timestamp, extracted_at timestamp, row_count bigint)"
    )
    more = "".join(f", {name} {kind}" for name, kind in (columns or {"n_offered_count": "bigint"}).items())
    for name in names:
        connection.execute(
            f"create table warehouse.{name} (interval_start timestamp, extracted_at timestamp{more})".encode()
        )


def view_names(connection: Connection) -> set[str]:
    return {
        name for (name,) in connection.execute("select viewname from pg_views where schemaname = 'warehouse'")
    }


OFFERED = {"name": "calls", "metrics": ["nOffered"], "granularity": "P1D"}
THREE_VIEWS = {"calls_current", "calls_missing", "calls_by_day"}


def test_views_of_tables_that_do_not_exist_yet_are_skipped_and_named(connection: Connection) -> None:
    """A query that has not been loaded yet used to keep all others from their views."""
    (only,) = {each.partition(":")[0] for each in create_views(connection, OFFERED)} - {"extractions"}
    assert (only, view_names(connection)) == ("calls", set())
    create_tables(connection, "calls")
    (notice,) = create_views(connection, OFFERED, {**OFFERED, "name": "later"})
    assert notice == (
        'later: skipped, because "warehouse"."later" or "warehouse"."extractions" does not exist yet; '
        "load it, then run this again"
    )
    assert view_names(connection) == {"extractions_gaps", *THREE_VIEWS}


def test_a_view_that_others_depend_on_is_replaced(connection: Connection) -> None:
    """Its dependents and grants stay, also after the table got another column."""
    create_tables(connection, "calls")
    create_views(connection, OFFERED)
    connection.execute("create view warehouse.report as select * from warehouse.calls_current")
    connection.execute("create view warehouse.days as select * from warehouse.calls_by_day")
    connection.execute("alter table warehouse.calls add column n_connected_count bigint")
    create_views(connection, {**OFFERED, "metrics": ["nOffered", "nConnected"]})
    assert view_names(connection) == {"extractions_gaps", *THREE_VIEWS, "report", "days"}
    assert connection.execute("select n_connected_count from warehouse.calls_by_day").fetchall() == []


def test_a_view_whose_columns_changed_is_created_anew(connection: Connection) -> None:
    """PostgreSQL replaces no view in place if a column of it is gone."""
    create_tables(connection, "calls", n_offered_count="bigint", n_connected_count="bigint")
    create_views(connection, {**OFFERED, "metrics": ["nOffered", "nConnected"]})
    create_views(connection, OFFERED)
    cursor = connection.execute("select * from warehouse.calls_by_day")
    assert [each.name for each in cursor.description] == ["day", "n_offered_count"]


def test_if_others_depend_on_a_column_that_is_gone_nothing_changes(connection: Connection) -> None:
    """The error names what depends on it."""
    create_tables(connection, "calls", n_offered_count="bigint", n_connected_count="bigint")
    create_views(connection, {**OFFERED, "metrics": ["nOffered", "nConnected"]})
    connection.execute("create view warehouse.report as select n_connected_count from warehouse.calls_by_day")
    with pytest.raises(psycopg.errors.DependentObjectsStillExist) as refused:
        create_views(connection, OFFERED)
    connection.execute("rollback")
    assert "warehouse.report depends on view warehouse.calls_by_day" in str(refused.value.diag.message_detail)
    assert view_names(connection) == {"extractions_gaps", *THREE_VIEWS, "report"}


@pytest.mark.parametrize("loaded_since", [False, True])
def test_a_ledger_of_an_older_version_is_refused_with_what_to_run(
    connection: Connection,
    *,
    loaded_since: bool,
) -> None:
    """``row_count`` was ``rows``. A load after the update adds it, empty for the windows of before."""
    create_tables(connection, "calls")
    values = "'calls', timestamp '2026-01-01', timestamp '2026-01-02', timestamp '2026-01-03'"
    connection.execute("alter table warehouse.extractions rename row_count to rows")
    connection.execute(f"insert into warehouse.extractions values ({values}, 7)")  # noqa: S608  # fixed text
    connection.execute("create view warehouse.loads as select rows from warehouse.extractions")  # as of then
    if loaded_since:
        connection.execute("alter table warehouse.extractions add column row_count bigint")
        connection.execute(f"insert into warehouse.extractions values ({values}, null, 8)")  # noqa: S608  # see above
    with pytest.raises(psycopg.errors.RaiseException) as refused:
        create_views(connection, OFFERED)
    connection.execute("rollback")
    said = refused.value.diag
    assert said.message_primary == (
        '"warehouse"."extractions" has the column "rows" of an older version of the tap; it is now row_count'
    )
    head, _, statements = str(said.message_hint).partition(": ")
    assert head == "Rename it, then run this again"
    connection.execute(statements.encode())
    create_views(connection, OFFERED)
    cursor = connection.execute("select rows_extracted, rows_present from warehouse.calls_missing order by 1")
    assert cursor.fetchall() == ([(7, 0), (8, 0)] if loaded_since else [(7, 0)])
    cursor = connection.execute("select row_count from warehouse.extractions order by 1")
    assert cursor.fetchall() == ([(7,), (8,)] if loaded_since else [(7,)])


def test_a_window_whose_row_count_is_unknown_counts_as_missing(connection: Connection) -> None:
    create_tables(connection, "calls")
    create_views(connection, OFFERED)
    connection.execute(
        "insert into warehouse.extractions values"
        " ('calls', timestamp '2026-01-01', timestamp '2026-01-02', timestamp '2026-01-03', null)"
    )
    cursor = connection.execute("select rows_extracted, rows_present from warehouse.calls_missing")
    assert cursor.fetchall() == [(None, 0)]


def test_a_table_is_never_dropped_for_a_view(connection: Connection) -> None:
    """As of a query ``calls_current`` of another config that loads into the same schema."""
    create_tables(connection, "calls", "calls_current")
    with pytest.raises(psycopg.errors.WrongObjectType, match='"calls_current" is not a view'):
        create_views(connection, OFFERED)
    connection.execute("rollback")
    assert view_names(connection) == set()


PSQL = shutil.which("psql")


@pytest.mark.skipif(not PSQL, reason="psql is not installed")
@pytest.mark.parametrize(("tables", "status"), [(("calls",), 0), (("calls", "calls_current"), 3)])
def test_psql_stops_at_the_first_error(
    tables: tuple[str, ...], status: int, connection: Connection, database_url: str, tmp_path: Path
) -> None:
    """Without ON_ERROR_STOP, psql repeats that the transaction is aborted, and exits with 0."""
    create_tables(connection, *tables)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config(queries=[OFFERED, {**OFFERED, "name": "later"}])))
    arguments = ["views", "--config", str(path), "--schema", "warehouse"]
    printed = CliRunner().invoke(command.main, arguments)
    assert PSQL
    done = subprocess.run(
        [PSQL, "-Xq", database_url], input=printed.stdout, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.count("ERROR:")) == (status, status // 3), done.stderr
    assert ("NOTICE:  later: skipped" in done.stderr) == (status == 0)
    plain = CliRunner().invoke(command.main, [*arguments, "--plain"]).stdout
    assert printed.stdout == "\\set ON_ERROR_STOP on\n" + plain
