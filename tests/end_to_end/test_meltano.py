"""Meltano into a real Postgres: every row, every number, once."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest
from psycopg import sql
from psycopg.rows import dict_row

from demo.loads import loads
from demo.verification import verify_table
from genesys_sandbox import ExpectedRows, Options, Sandbox, serve
from tap_genesys_aggregates.config.queries import presets

from .conftest import NOW
from .process import END, START

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from demo.loads import Load
    from demo.postgres import Postgres
    from demo.project import Project
    from genesys_sandbox import LogEntry

pytestmark = [pytest.mark.meltano, pytest.mark.postgres, pytest.mark.slow]

OWN = ("_sdc", "extracted_at", "is_final")
LOOKBACK = timedelta(days=7)
TABLES = ("queue_performance", "agent_performance", "conversation_aggregates")
ACCESS = {"GENESYS_CLIENT_ID": "sandbox", "GENESYS_CLIENT_SECRET": "sandbox"}


def _places(postgres: Postgres, schema: str) -> dict[str, str]:
    """Where a test's rows go: a schema of its own."""
    return {**postgres.settings, "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": schema}


def _begin(entry: LogEntry) -> datetime:
    """The first instant that a request asks for."""
    body: Any = entry.body
    start, _, _ = (body.get("dateFrom") or body["interval"]).partition("/")
    return datetime.fromisoformat(start.replace("Z", "+00:00"))


def _rows(postgres: Postgres, schema: str, table: str) -> list[dict[str, Any]]:
    """A table, whole."""
    question = sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, table))
    with postgres.connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(question).fetchall()


def _read_at(postgres: Postgres, schema: str, table: str) -> dict[tuple[object, ...], datetime]:
    """When each row of a table was read, by the row's own values."""
    found = {}
    for row in _rows(postgres, schema, table):
        numbers = (value for name, value in row.items() if not name.startswith(OWN))
        found[tuple(numbers)] = row["extracted_at"]
    return found


def _asked(sandbox: Sandbox) -> list[LogEntry]:
    """The requests for aggregates that a sandbox has seen."""
    return [entry for entry in sandbox.log if "/analytics/" in entry.path]


def _load(project: Project, plan: Sequence[Load], settings: Mapping[str, str]) -> None:
    """Run every load of a plan."""
    for load in plan:
        project.run(load.arguments, {**settings, **load.settings})


def test_both_contracts_arrive_and_are_read_again(project: Project, postgres: Postgres) -> None:
    """Every table is the witness's, number by number; a second run asks for the look-back alone."""
    sandbox, schema = Sandbox(), "both"
    end = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)
    plan = loads((end - timedelta(days=10)).replace(hour=0), end)[:2]
    with serve(sandbox) as url:
        settings = {**ACCESS, "GENESYS_BASE_URL": url, **_places(postgres, schema)}
        _load(project, plan, settings)
        first, before = _asked(sandbox), {table: _read_at(postgres, schema, table) for table in TABLES}
        _load(project, plan, settings)
        again = _asked(sandbox)[len(first) :]
    with postgres.connect() as connection:
        checks = [
            verify_table(connection, schema, table, ExpectedRows(sandbox).rows(query, load.start, load.end))
            for load in plan
            for table, query in load.tables.items()
        ]
    assert [check.table for check in checks if check.passed] == list(TABLES), checks
    assert min(map(_begin, first)) == plan[0].start
    assert {entry.path for entry in again} == {entry.path for entry in first}
    assert min(map(_begin, again)) >= end - LOOKBACK - timedelta(days=1)
    for table in TABLES:
        after = _read_at(postgres, schema, table)
        assert before[table].keys() == after.keys()
        fresh = [key for key, instant in after.items() if instant > before[table][key]]
        assert 0 < len(fresh) < len(after)


def test_the_real_week_arrives_number_by_number(project: Project, postgres: Postgres) -> None:
    """Six real queues, as recorded, through ``.env`` alone; what was not measured is NULL, not 0."""
    source = resources.files("genesys_sandbox") / "data" / "results-voice-week.json"
    recorded = json.loads(source.read_text(encoding="utf-8"))["results"]
    metrics = sorted({entry["metric"] for each in recorded for entry in each["data"][0]["metrics"]})
    query = {"name": "week", "group_by": ["queueId"], "metrics": metrics, "time_zone": "Africa/Nairobi"}
    query |= {"granularity": "P7D", "window": "P7D"}
    with serve(Sandbox(Options(credentials=("of-dot-env", "hush")), now=lambda: NOW)) as url:
        variables = {
            "GENESYS_CLIENT_ID": "of-dot-env",
            "GENESYS_CLIENT_SECRET": "hush",
            "GENESYS_BASE_URL": url,
            "TAP_GENESYS_AGGREGATES_API": "results",
            "TAP_GENESYS_AGGREGATES_START_DATE": "2025-01-25T21:00:00Z",
            "TAP_GENESYS_AGGREGATES_END_DATE": "2025-02-01T21:00:00Z",
            "TAP_GENESYS_AGGREGATES_QUERIES": json.dumps([query]),
            **_places(postgres, "week"),
        }
        lines = [f"{name}='{value}'\n" for name, value in variables.items()]
        (project.folder / ".env").write_text("".join(lines), encoding="utf-8")
        project.run(["run", "genesys-to-postgres"], {})
    rows = {row["queue_id"]: row for row in _rows(postgres, "week", "week")}
    assert len(rows) == len(recorded) == 6
    compared = 0
    for each in recorded:
        row = rows[each["group"]["queueId"]]
        assert row["media_type"] == each["group"]["mediaType"]
        assert row["interval_start"] == datetime(2025, 1, 25, 21)  # noqa: DTZ001  # stored without its zone
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


def _column(metric: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in metric)


def test_the_longer_names_win(project: Project, postgres: Postgres) -> None:
    """``GENESYS_*`` work under Meltano, and ``TAP_GENESYS_AGGREGATES_*`` win over them."""
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
        variables = {**wrong, **right, **_places(postgres, "names")}
        project.run(["run", "tap-genesys-aggregates", "target-postgres"], variables)
    expected = ExpectedRows(Sandbox(now=lambda: NOW)).count(presets()["conversation_aggregates"], START, END)
    assert len(_rows(postgres, "names", "conversation_aggregates")) == expected > 0
