"""``reconcile`` compares the API with the warehouse, and never says more than it knows."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from click.testing import CliRunner

from genesys_sandbox import Options, Sandbox, SettableClock, serve
from tap_genesys_aggregates import tap
from tap_genesys_aggregates.config.settings import Settings
from tap_genesys_aggregates.core.errors import TapError
from tap_genesys_aggregates.core.periods import Period
from tap_genesys_aggregates.warehouse import command
from tap_genesys_aggregates.warehouse.database import connect
from tap_genesys_aggregates.warehouse.reconcile import by_day, differences
from tap_genesys_aggregates.warehouse.target_postgres import Database
from tap_genesys_aggregates.warehouse.views import views
from tests.core.making import query
from tests.pipeline.running import ManualClock, config, run
from tests.warehouse.conftest import Connection, load

if TYPE_CHECKING:
    from pathlib import Path

UTC = timezone.utc
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 2, 10, 5, tzinfo=UTC)
QUERY = {
    "name": "calls",
    "metrics": ["nOffered", "tHandle", "oServiceLevel"],
    "group_by": ["queueId", "mediaType"],
    "granularity": "PT1H",
    "time_zone": "Europe/London",
}
SETTINGS = config(start_date="2026-01-01T00:00:00Z", queries=[QUERY])
TREE = {
    "name": "calls",
    "group_by": ["interval", "routing.queue.id"],
    "metrics": ["conversationCount", "handleDurationSum"],
    "granularity": "PT6H",
}
NO_DAY = "no complete day lies in the period; see --from, --to and lookback_days"
NO_URL = (
    "--database-url (or DATABASE_URL) is not the URL of a PostgreSQL database. It must look like "
    "postgresql://user:password@host/database, with characters such as @, / and spaces percent-encoded"
)
UNREACHABLE = (
    "the database could not be reached. Check host and port in --database-url (or DATABASE_URL), and that "
    "the server is running and accepts connections from here"
)
REFUSED = (
    "the database refused the user or the password. Check both in --database-url (or DATABASE_URL); a "
    "password with special characters must be percent-encoded"
)
UNKNOWN = "the server has no such database or user. Check both in --database-url (or DATABASE_URL)"
NO_DRIVER = (
    "this command needs the PostgreSQL driver psycopg, which is not installed. Install it with "
    "pip install 'tap-genesys-aggregates[warehouse]'"
)
NO_TABLE = (
    "the table warehouse.calls does not exist. Load the query first, or give the schema that holds its "
    "table with --schema"
)
NO_VIEW = (
    "the view warehouse.calls_current does not exist. Create the views with "
    "`tap-genesys-aggregates-warehouse views` (docs/operations.md)"
)
OLD_VIEW = (
    'the view warehouse.calls_current is older than the query: column "n_offered_count" does not exist. '
    "Create the views with `tap-genesys-aggregates-warehouse views` (docs/operations.md) again"
)
NARROW_VIEW = (
    "drop view warehouse.calls_current cascade;"
    " create view warehouse.calls_current as select interval_start from warehouse.calls"
)
LONG = "left out: every column, because a column of a long table holds the numbers of different metrics"
MULTI_VALUED = (
    "left out: every column, because a conversation can be in several groups of divisionId "
    "(with flatten_multivalued_dimensions: true it is in one)"
)
DISTINCT = "left out: n_distinct_conversations_count (ratios, extremes and distinct counts do not add up)"
NO_ROWS = "neither the API nor the warehouse has rows in 2026-01-01T00:00:00.000Z/2026-01-04T00:00:00.000Z"
NOBODY = {"type": "and", "predicates": [{"dimension": "queueId", "value": "nobody"}]}
EQUAL, DIFFERENT, FAILED, NOTHING_COMPARED = 0, 1, 2, 3


@pytest.fixture
def sandbox() -> Sandbox:
    """A quiet contact center whose past does not change."""
    return Sandbox(Options(volume=0.05), now=SettableClock(NOW))


@pytest.fixture(autouse=True)
def _machine_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's machine has the sandbox's time."""
    monkeypatch.setattr(tap, "SystemClock", lambda: ManualClock(NOW))


@dataclass
class Place:
    """A sandbox, a database to load it into, and the command that compares them."""

    sandbox: Sandbox
    connection: Connection
    url: str
    folder: Path

    def load(self, **changes: Any) -> None:
        """Run the tap into the database, and create the views."""
        settings = {**SETTINGS, **changes}
        outcome = run(self.sandbox, settings, time=ManualClock(NOW))
        assert outcome.error is None
        load(self.connection, outcome.messages)
        self.connection.execute(views(Settings.read(settings).queries, "warehouse").encode())

    def reconcile(self, *options: str, **changes: Any) -> tuple[int, list[str]]:
        """Run the command for the first three days unless told otherwise; its exit code and lines."""
        with serve(self.sandbox) as url:
            path = self.folder / "config.json"
            path.write_text(json.dumps({**SETTINGS, **changes, "base_url": url}))
            given = ["--config", str(path), "--schema", "warehouse", "--database-url", self.url]
            result = CliRunner().invoke(
                command.main, ["reconcile", *given, *(options or ("--to", "2026-01-04"))]
            )
        assert isinstance(result.exception, SystemExit | None), result.exception
        assert url not in result.output
        return result.exit_code, result.output.splitlines()


@pytest.fixture
def place(sandbox: Sandbox, connection: Connection, database_url: str, tmp_path: Path) -> Place:
    """An empty database."""
    return Place(sandbox, connection, database_url, tmp_path)


def asked(sandbox: Sandbox) -> list[str]:
    """The intervals that were asked for, in order."""
    bodies: list[Any] = [entry.body for entry in sandbox.log if "aggregates" in entry.path]
    return sorted(body["interval"] for body in bodies)


@pytest.mark.postgres
def test_equal_sums_are_equal_and_one_changed_number_is_found(place: Place) -> None:
    """It says how exactly it compared, and which columns it left out."""
    place.load()
    code, (first, second) = place.reconcile()
    assert code == EQUAL
    assert first.startswith("calls: equal (2 days with data, ")
    assert first.endswith("; whole numbers exactly, fractions to 1E-9 of their size)")
    assert second == (
        "  left out: t_handle_min, t_handle_max, o_service_level_ratio, o_service_level_target "
        "(ratios, extremes and distinct counts do not add up)"
    )
    place.connection.execute(
        "update warehouse.calls c set n_offered_count = c.n_offered_count + 5 from ("
        " select interval_start, queue_id, media_type from warehouse.calls_current"
        " where n_offered_count is not null and interval_start < '2026-01-04' order by 1, 2, 3 limit 1) one"
        " where (c.interval_start, c.queue_id, c.media_type)"
        " = (one.interval_start, one.queue_id, one.media_type)"
    )
    code, (first, line, _) = place.reconcile()
    assert code == DIFFERENT
    assert "calls: 1 sums differ" in first
    assert line.startswith("  2026-01-0")
    assert " n_offered_count: API " in line
    assert line.endswith(", off by 5")


@pytest.mark.postgres
def test_each_query_is_reported_trees_too(place: Place) -> None:
    """Where a row is deleted, its query differs by what it held, the other does not."""
    both: dict[str, Any] = {
        "api": "group_tree",
        "queries": [TREE, {**TREE, "name": "others", "granularity": "P1D"}],
    }
    place.load(**both)
    code, said = place.reconcile(**both)
    assert code == EQUAL
    assert [each.split(" (")[0] for each in said] == ["calls: equal", "others: equal"]
    lost = place.connection.execute(
        "delete from warehouse.others where ctid = (select ctid from warehouse.others"
        " where interval_start >= '2026-01-02' and interval_start < '2026-01-03' limit 1)"
        " returning conversation_count, handle_duration_sum"
    ).fetchone()
    code, said = place.reconcile(**both)
    assert code == DIFFERENT
    assert said[0].startswith("calls: equal")
    assert lost is not None
    off = [line.rpartition(" off by ")[2] for line in said if line.startswith("  2026-01-02 ")]
    assert [Decimal(each) for each in off] == [-value for value in lost if value is not None]


@pytest.mark.postgres
def test_at_most_twenty_differences_are_printed_and_the_rest_is_counted(place: Place) -> None:
    """Reproducer: a month in which every number is wrong printed a line for each day and column."""
    place.load()
    place.connection.execute("update warehouse.calls set t_handle_count = -1, t_handle_sum = -1")
    code, (first, *lines, rest, _) = place.reconcile("--to", "2026-02-01")
    assert code == DIFFERENT
    total = int(first.split(": ")[1].split(" sums differ")[0])
    assert total > len(lines) == 20
    assert rest == f"  and {total - 20} more"


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("changes", "options", "reason"),
    [
        ({"shape": "long"}, (), LONG),
        ({"group_by": ["divisionId"]}, (), MULTI_VALUED),
        ({"metrics": ["nDistinctConversations"]}, (), DISTINCT),
        ({}, ("--from", "2026-01-02T10:00", "--to", "2026-01-03T23:00"), NO_DAY),
        ({}, ("--from", "2026-02-10", "--to", "2027-01-01"), NO_DAY),
        ({"filter": NOBODY}, (), NO_ROWS),
    ],
)
def test_nothing_to_compare_is_not_equal(
    changes: dict[str, Any], options: tuple[str, ...], reason: str, place: Place
) -> None:
    """Reproducer: ``--from 2026-01-02T10:00 --to 2026-01-03T23:00`` said ``equal`` and exited with 0."""
    place.load(end_date="2026-01-01T01:00:00Z")
    place.connection.execute("delete from warehouse.calls")
    code, said = place.reconcile(*options, queries=[{**QUERY, **changes}])
    assert said == [f"calls: not compared; {reason}", "Nothing was compared."]
    assert code == NOTHING_COMPARED


@pytest.mark.postgres
def test_a_query_that_cannot_be_compared_does_not_hide_one_that_can(place: Place) -> None:
    both = {"queries": [{**QUERY, "name": "details", "shape": "long"}, QUERY]}
    place.load(**both)
    code, said = place.reconcile(**both)
    assert code == EQUAL
    assert said[0].startswith("details: not compared; ")
    assert said[1].startswith("calls: equal (")


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("granularity", "options", "last"),
    [
        ("PT1H", ("--to", "2027-01-01"), "2026-02-10T00:00:00.000Z"),
        ("P1W", ("--to", "2027-01-01"), "2026-02-09T00:00:00.000Z"),
        ("PT1H", ("--from", "2026-02-01"), "2026-02-03T00:00:00.000Z"),
    ],
)
def test_it_never_asks_past_now_nor_for_a_bucket_that_is_not_complete(
    granularity: str,
    options: tuple[str, ...],
    last: str,
    place: Place,
) -> None:
    """Reproducer: on 10 February, ``--to 2027-01-01`` asked for the days up to 2027.

    Without ``--to`` it stops a lookback before now.
    """
    changes = {"queries": [{**QUERY, "granularity": granularity}]}
    place.load(**changes)
    place.sandbox.log.clear()
    code, _ = place.reconcile(*options, **changes)
    assert code == EQUAL
    assert asked(place.sandbox)[-1].endswith(f"/{last}")


@pytest.mark.postgres
@pytest.mark.parametrize("granularity", ["PT7H", "PT36H", "P3D", "P1M"])
def test_buckets_that_do_not_fit_into_a_day_are_compared_as_they_are(granularity: str, place: Place) -> None:
    """Reproducer: with ``PT7H``, the hours of a bucket after midnight counted for the day before."""
    changes = {"queries": [{**QUERY, "granularity": granularity}]}
    place.load(**changes)
    code, said = place.reconcile("--to", "2026-02-02", **changes)
    assert code == EQUAL, said


@pytest.mark.parametrize(
    ("api", "warehouse", "are_equal"),
    [
        ("0.3", "0.30000000000000004", True),
        ("1", "0.9999999999999999", True),
        ("1234567.25", "1234567.2512", True),
        ("1234567.25", "1234567.26", False),
        ("1000000000000", "1000000000001", False),
        ("1E+40", "1E+40", True),
        ("1E+40", "2E+40", False),
        ("0", "0.5", False),
    ],
)
def test_fractions_are_compared_with_a_tolerance_and_whole_numbers_exactly(
    api: str, warehouse: str, *, are_equal: bool
) -> None:
    """Reproducer: 0.1 + 0.2 in a column of type double precision is not 0.3."""
    key = ("2026-01-01", "o_service_level_numerator")
    found = list(differences({key: Decimal(api)}, {key: Decimal(warehouse)}))
    assert (not found) == are_equal


@pytest.mark.parametrize(
    ("granularity", "asked_by"), [("PT1H", "P1D"), ("PT24H", "P1D"), ("PT7H", "PT7H"), ("P1W", "P1W")]
)
def test_buckets_that_divide_a_day_are_asked_for_by_day(granularity: str, asked_by: str) -> None:
    assert by_day(query(granularity=Period.parse(granularity))).granularity.text == asked_by


def told(database_url: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit code and the one line of the command, which must not contain the URL."""
    settings = json.dumps({**SETTINGS, "max_retries": 0})
    result = CliRunner().invoke(
        command.main,
        ["reconcile", "--config", "ENV", "--database-url", database_url],
        env={f"TAP_GENESYS_AGGREGATES_{k.upper()}": _text(v) for k, v in json.loads(settings).items()},
    )
    assert isinstance(result.exception, SystemExit | None), result.exception
    capsys.readouterr()
    (line,) = result.output.splitlines()
    assert database_url not in line
    assert "hunter" not in line
    return result.exit_code, line


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("mysql://me:hunter2hunter2@localhost/db", NO_URL),
        ("postgresql://me:hunter 2@localhost/db", NO_URL),
        ("postgresql://me:hunter%zz@localhost/db", NO_URL),
        ("postgresql://me:hunt@er2hunter2@localhost/db", NO_URL),
        ("postgresql//me:hunter2@localhost/db", NO_URL),
        ("hunter2", NO_URL),
        ("postgresql://me:hunter2@localhost/db?what=ever", NO_URL),
        ("postgresql://me:hunter2@localhost:1/db", UNREACHABLE),
        ("postgres://me:hunter2@localhost:1/db", UNREACHABLE),
        ("postgres+psycopg://me:hunter2@localhost:1/db", UNREACHABLE),
        ("postgresql+psycopg2://me:hunter2@localhost:1/db", UNREACHABLE),
        ("postgresql://me:hunter2@nowhere.invalid/db", UNREACHABLE),
        ("postgresql://me:hunter2@localhost:99999/db", UNREACHABLE),
    ],
)
def test_a_database_that_cannot_be_used_is_one_line_without_its_url(
    url: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Reproducer: each of these ended in a traceback, with the password in the last line."""
    assert told(url, capsys) == (FAILED, f"error: {line}")


def test_a_missing_url_is_one_line_that_names_the_variable(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(SETTINGS))
    result = CliRunner().invoke(command.main, ["reconcile", "--config", str(path)])
    line = (
        "error: DATABASE_URL is not set. Set this variable to postgresql://user:password@host/database, or "
        "configure target-postgres (not set: TARGET_POSTGRES_HOST, TARGET_POSTGRES_USER, "
        "TARGET_POSTGRES_DATABASE)\n"
    )
    assert (result.exit_code, result.output) == (FAILED, line)


@pytest.mark.postgres
def test_a_url_with_the_driver_of_sqlalchemy_is_accepted(place: Place) -> None:
    for scheme in ("postgres", "postgresql+psycopg", "postgres+psycopg2"):
        with connect(Database("here", url=place.url.replace("postgresql", scheme, 1)), "warehouse"):
            pass


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ('"h" failed: FATAL:  password authentication failed for user "me"', REFUSED),
        ('"h" failed: fe_sendauth: no password supplied', REFUSED),
        ('"h" failed: FATAL:  database "db" does not exist', UNKNOWN),
        ('"h" failed: FATAL:  role "me" does not exist', UNKNOWN),
    ],
)
def test_what_a_server_refuses_is_told_apart(
    said: str, advice: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The texts are those of libpq; the embedded server trusts everybody."""

    def refuse(*_: object, **__: object) -> None:
        raise psycopg.OperationalError(said)

    monkeypatch.setattr(psycopg, "connect", refuse)
    assert told("postgresql://me:hunter2@h/db", capsys) == (FAILED, f"error: {advice}")


def test_a_missing_driver_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert told("postgresql://me:hunter2@h/db", capsys) == (FAILED, f"error: {NO_DRIVER}")


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("before", "line"),
    [
        ("drop table warehouse.calls cascade", NO_TABLE),
        ("drop view warehouse.calls_current cascade", NO_VIEW),
        (NARROW_VIEW, OLD_VIEW),
    ],
)
def test_a_missing_table_or_view_is_one_line_and_the_other_queries_are_compared(
    before: str,
    line: str,
    place: Place,
) -> None:
    """Reproducer: a metric was added to a query, and its view is the one of last month."""
    both = {"queries": [QUERY, {**QUERY, "name": "others"}]}
    place.load(**both)
    place.connection.execute(before.encode())
    code, said = place.reconcile(**both)
    assert code == FAILED
    assert f"error: query 'calls': {line}" in said
    assert [each for each in said if each.startswith("others: equal (")]


@pytest.mark.postgres
def test_a_user_without_rights_is_told_which(place: Place) -> None:
    place.load()
    (asking,) = Settings.read(SETTINGS).queries
    place.connection.execute("drop role if exists reader")
    place.connection.execute("create role reader login")
    url = place.url.replace("postgres@", "reader@")
    with connect(Database("here", url=url), "warehouse") as warehouse:  # noqa: SIM117  # the first must succeed
        with pytest.raises(
            TapError, match=r"the database user may not read warehouse\.calls_current\. Grant"
        ):
            warehouse.sums(asking, BEGIN, BEGIN + timedelta(days=1))


@pytest.mark.parametrize("name", ["views", "reconcile"])
def test_a_wrong_setting_is_one_line(name: str, tmp_path: Path) -> None:
    """Reproducer: ``views`` ended in a traceback."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**SETTINGS, "start_date": "soon"}))
    more = ["--database-url", "postgresql://h/db"] if name == "reconcile" else []
    result = CliRunner().invoke(command.main, [name, "--config", str(path), *more])
    assert result.exit_code == FAILED
    assert result.output.startswith("error: start_date ")
    assert len(result.output.splitlines()) == 1
