"""Loads with Meltano into a real PostgreSQL: every row and every number, once."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest
from psycopg import sql
from psycopg.rows import dict_row

from demo.loads import loads
from demo.paths import CLONE
from demo.verification import verify_table
from genesys_sandbox import ExpectedRows, Options, Sandbox, serve
from tap_genesys_aggregates.config.families import families
from tap_genesys_aggregates.config.queries import presets

from .conftest import NOW
from .process import END, START, TREE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from demo.loads import Load
    from demo.postgres import Postgres
    from demo.project import Project
    from genesys_sandbox import LogEntry

pytestmark = [pytest.mark.meltano, pytest.mark.postgres, pytest.mark.slow]

TAP_COLUMNS = ("_sdc", "extracted_at", "is_final")
LOOKBACK = timedelta(days=7)
TABLES = ("queue_performance", "agent_performance", "agent_status", TREE)
ACCESS = {"GENESYS_CLIENT_ID": "sandbox", "GENESYS_CLIENT_SECRET": "sandbox"}
RUN = ("run", "tap-genesys-aggregates", "target-postgres")
DAILY_STATE = "dev:tap-genesys-aggregates-to-target-postgres"


def _target_settings(postgres: Postgres, schema: str) -> dict[str, str]:
    """The server, and a schema for one test."""
    return {**postgres.settings, "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": schema}


def _start(entry: LogEntry) -> datetime:
    """The first instant that a request asks for."""
    body: Any = entry.body
    start, _, _ = (body.get("dateFrom") or body["interval"]).partition("/")
    return datetime.fromisoformat(start.replace("Z", "+00:00"))


def _rows(postgres: Postgres, schema: str, table: str) -> list[dict[str, Any]]:
    """All rows of a table."""
    query = sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, table))
    with postgres.connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query).fetchall()


def _extracted_at(postgres: Postgres, schema: str, table: str) -> dict[tuple[object, ...], datetime]:
    """When each row of a table was extracted, by the values of the row."""
    found = {}
    for row in _rows(postgres, schema, table):
        numbers = (value for name, value in row.items() if not name.startswith(TAP_COLUMNS))
        found[tuple(numbers)] = row["extracted_at"]
    return found


def _data_requests(sandbox: Sandbox) -> list[LogEntry]:
    """The requests for aggregates that a sandbox has seen."""
    return [entry for entry in sandbox.log if "/analytics/" in entry.path]


def _load(project: Project, plan: Sequence[Load], settings: Mapping[str, str]) -> None:
    """Run every load of a plan."""
    for load in plan:
        project.run(load.arguments, {**settings, **load.settings})


def test_both_apis_are_loaded_and_the_lookback_again(project: Project, postgres: Postgres) -> None:
    """Every table equals the expected rows; a second run requests only the lookback."""
    sandbox, schema = Sandbox(), "both"
    end = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)
    plan = loads((end - timedelta(days=10)).replace(hour=0), end)[:2]
    with serve(sandbox) as url:
        settings = {**ACCESS, "GENESYS_BASE_URL": url, **_target_settings(postgres, schema)}
        _load(project, plan, settings)
        first, before = (
            _data_requests(sandbox),
            {table: _extracted_at(postgres, schema, table) for table in TABLES},
        )
        _load(project, plan, settings)
        again = _data_requests(sandbox)[len(first) :]
    with postgres.connect() as connection:
        checks = [
            verify_table(connection, schema, table, ExpectedRows(sandbox).rows(query, load.start, load.end))
            for load in plan
            for table, query in load.tables.items()
        ]
    assert [check.table for check in checks if check.passed] == list(TABLES), checks
    assert min(map(_start, first)) == plan[0].start
    assert {entry.path for entry in again} == {entry.path for entry in first}
    assert min(map(_start, again)) >= end - LOOKBACK - timedelta(days=1)
    for table in TABLES:
        after = _extracted_at(postgres, schema, table)
        assert before[table].keys() == after.keys()
        fresh = [key for key, instant in after.items() if instant > before[table][key]]
        assert 0 < len(fresh) < len(after)


def test_the_recorded_week_is_loaded_exactly(project: Project, postgres: Postgres) -> None:
    """Six recorded queues, configured in ``.env`` alone; values that were not measured are NULL, not 0."""
    source = resources.files("genesys_sandbox") / "data" / "results-voice-week.json"
    recorded = json.loads(source.read_text(encoding="utf-8"))["results"]
    metrics = sorted({entry["metric"] for each in recorded for entry in each["data"][0]["metrics"]})
    query = {"name": "week", "group_by": ["queueId"], "metrics": metrics, "time_zone": "Africa/Nairobi"}
    query |= {"granularity": "P7D", "window": "P7D", "anchor": "2025-01-26"}
    with serve(Sandbox(Options(credentials=("of-dot-env", "hush")), now=lambda: NOW)) as url:
        variables = {
            "GENESYS_CLIENT_ID": "of-dot-env",
            "GENESYS_CLIENT_SECRET": "hush",
            "GENESYS_BASE_URL": url,
            "TAP_GENESYS_AGGREGATES_API": "results",
            "TAP_GENESYS_AGGREGATES_START_DATE": "2025-01-25T21:00:00Z",
            "TAP_GENESYS_AGGREGATES_END_DATE": "2025-02-01T21:00:00Z",
            "TAP_GENESYS_AGGREGATES_QUERIES": json.dumps([query]),
            **_target_settings(postgres, "week"),
        }
        lines = [f"{name}='{value}'\n" for name, value in variables.items()]
        (project.folder / ".env").write_text("".join(lines), encoding="utf-8")
        project.run(["run", "genesys-to-postgres"], {})
        assert (project.folder / "meltano.yml").read_bytes() == (CLONE / "meltano.yml").read_bytes()
        assert {each.name for each in project.folder.iterdir()} == {"meltano.yml", ".env", ".meltano"}
        _check_commands(project)
    rows = {row["queue_id"]: row for row in _rows(postgres, "week", "week")}
    assert len(rows) == len(recorded) == 6
    compared = 0
    for each in recorded:
        row = rows[each["group"]["queueId"]]
        assert row["media_type"] == each["group"]["mediaType"]
        assert row["interval_start"] == datetime(2025, 1, 25, 21)  # noqa: DTZ001  # stored without a time zone
        measured = {
            f"{_column(entry['metric'])}_{statistic}": value
            for entry in each["data"][0]["metrics"]
            for statistic, value in entry["stats"].items()
        }
        assert {name: float(row[name]) for name in measured} == measured
        others = {name for name in row if name.endswith(("_count", "_sum", "_ratio"))} - set(measured)
        assert {row[name] for name in others} == {None}
        compared += len(measured)
    assert compared > 150


def _check_commands(project: Project) -> None:
    """The plugin's commands take everything from Meltano, from ``meltano.yml`` as well."""
    file = project.folder / ".env"
    variable = "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(each for each in lines if variable not in each), encoding="utf-8")
    project.run(["config", "set", "target-postgres", "default_target_schema", "week"], {})
    before = project.log.stat().st_size
    for name in ("test", "estimate", "views", "reconcile"):
        project.run(["invoke", f"tap-genesys-aggregates:{name}"], {})
    output = project.log.read_bytes()[before:].decode()
    assert "week: ok (" in output
    assert "week: 1 request, 0 minutes" in output
    assert "The views of the queries are up to date in schema 'week'." in output
    assert "week: equal (1 days with data, " in output
    assert "hush" not in output


def _column(metric: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in metric)


def test_longer_variable_names_win(project: Project, postgres: Postgres) -> None:
    """``GENESYS_*`` variables work with Meltano, and ``TAP_GENESYS_AGGREGATES_*`` win over them."""
    with serve(Sandbox(Options(credentials=("right", "right")), now=lambda: NOW)) as url:
        wrong = {"GENESYS_CLIENT_ID": "wrong", "GENESYS_CLIENT_SECRET": "wrong", "GENESYS_REGION": "nowhere"}
        right = {
            "TAP_GENESYS_AGGREGATES_CLIENT_ID": "right",
            "TAP_GENESYS_AGGREGATES_CLIENT_SECRET": "right",
            "TAP_GENESYS_AGGREGATES_REGION": "eu_west_1",
            "TAP_GENESYS_AGGREGATES_BASE_URL": url,
            "TAP_GENESYS_AGGREGATES_API": "group_tree",
            "TAP_GENESYS_AGGREGATES_START_DATE": START.isoformat(),
            "TAP_GENESYS_AGGREGATES_END_DATE": END.isoformat(),
        }
        variables = {**wrong, **right, **_target_settings(postgres, "names")}
        project.run(RUN, variables)
    expected = ExpectedRows(Sandbox(now=lambda: NOW)).count(presets()[TREE], START, END)
    assert len(_rows(postgres, "names", TREE)) == expected > 0


@pytest.fixture
def small_sandbox() -> Sandbox:
    return Sandbox(Options(volume=0.2), now=lambda: NOW)


@pytest.fixture
def daily_load(small_sandbox: Sandbox, postgres: Postgres, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The variables of a daily load that starts on the 23rd."""
    with serve(small_sandbox) as url:
        yield {
            **ACCESS,
            "GENESYS_BASE_URL": url,
            "TAP_GENESYS_AGGREGATES_START_DATE": (START + timedelta(days=7)).isoformat(),
            "TAP_GENESYS_AGGREGATES_END_DATE": END.isoformat(),
            **_target_settings(postgres, f"backfill_{tmp_path.name}"[:60]),
        }


def _bookmark(project: Project, state_id: str) -> Any:
    """The bookmark that Meltano keeps under a state ID."""
    before = project.log.stat().st_size
    project.run(["state", "get", state_id], {})
    text = project.log.read_bytes()[before:].decode()
    state = json.loads(text[text.index("{") : text.rindex("}") + 1])
    return state["singer_state"]["bookmarks"][TREE]


def _requested_starts(sandbox: Sandbox) -> list[str]:
    """The first instant of every request for data, sorted."""
    bodies: list[Any] = [entry.body for entry in sandbox.log if "aggregate" in entry.path]
    return sorted(body["dateFrom"] for body in bodies if body)


def test_a_backfill_does_not_move_the_daily_bookmark(
    project: Project, postgres: Postgres, small_sandbox: Sandbox, daily_load: dict[str, str]
) -> None:
    """A backfill adds an earlier week to the table, and has a separate bookmark (docs/operations.md)."""
    project.run(RUN, daily_load)
    daily = _bookmark(project, DAILY_STATE)
    past = {
        "TAP_GENESYS_AGGREGATES_START_DATE": START.isoformat(),
        "TAP_GENESYS_AGGREGATES_END_DATE": (START + timedelta(days=7)).isoformat(),
    }
    project.run([*RUN, "--state-id-suffix", "backfill-2025"], {**daily_load, **past})
    assert _bookmark(project, DAILY_STATE) == daily
    backfill = _bookmark(project, f"{DAILY_STATE}:backfill-2025")
    assert backfill["replication_key_value"] < daily["replication_key_value"]
    rows = _rows(postgres, daily_load["TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA"], TREE)
    assert len(rows) == ExpectedRows(small_sandbox).count(presets()[TREE], START, END)


def test_a_full_refresh_reads_everything_again(
    project: Project, small_sandbox: Sandbox, daily_load: dict[str, str]
) -> None:
    """With ``--full-refresh`` the state is ignored: the first day is requested again."""
    variables = {**daily_load, "TAP_GENESYS_AGGREGATES_LOOKBACK_DAYS": "0"}
    project.run(RUN, variables)
    first = _requested_starts(small_sandbox)
    project.run(RUN, variables)
    assert _requested_starts(small_sandbox) == first
    project.run(["run", "--full-refresh", *RUN[1:]], variables)
    assert _requested_starts(small_sandbox) == sorted([*first, *first])


def _queries_of_all_families() -> list[dict[str, Any]]:
    """A query of each family in each shape, with all metrics of the family."""
    return [
        {
            "name": f"{name}_{shape}",
            "endpoint": name,
            "group_by": list(family.group_by[:2]),
            "metrics": list(family.metrics),
            "granularity": "PT12H",
            "shape": shape,
        }
        for name, family in families().items()
        for shape in ("wide", "long")
    ]


def test_every_family_is_loaded_exactly(project: Project, postgres: Postgres) -> None:
    """One config with 40 queries, for 20 families in both shapes: each table equals the expected rows."""
    sandbox, end = Sandbox(Options(volume=0.3), now=lambda: NOW), START + timedelta(days=1)
    queries = _queries_of_all_families()
    with serve(sandbox) as url:
        variables = {
            **ACCESS,
            "GENESYS_BASE_URL": url,
            "TAP_GENESYS_AGGREGATES_API": "results",
            "TAP_GENESYS_AGGREGATES_START_DATE": START.isoformat(),
            "TAP_GENESYS_AGGREGATES_END_DATE": end.isoformat(),
            "TAP_GENESYS_AGGREGATES_QUERIES": json.dumps(queries),
            **_target_settings(postgres, "every_family"),
        }
        project.run(RUN, variables)
    expected = ExpectedRows(sandbox)
    with postgres.connect() as connection:
        for query in queries:
            check = verify_table(connection, "every_family", query["name"], expected.rows(query, START, end))
            assert check.passed, check
