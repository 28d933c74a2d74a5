"""The marts in PostgreSQL and DuckDB, against the sandbox's own books and the recorded week."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from genesys_sandbox import ExpectedRows
from tap_genesys_aggregates.config.queries import presets

from .dbt import Package, Step
from .expected_marts import agent_measures, grouped, queue_measures, recorded_week
from .warehouse import START, ZONE, DuckDB, Tap, with_organization

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from tests.pipeline.running import Row

    from .warehouse import Database, Postgres

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

FIRST_RUN = START + timedelta(days=3, hours=5)
SECOND_RUN = FIRST_RUN + timedelta(hours=1)
WEEK = date(2025, 1, 25)
ORGANIZATIONS = ("north", "south")
BUILD = Step(("build", "--exclude-resource-types", "unit_test", "exposure"))


def test_marts_in_postgres(postgres: Postgres, tmp_path: Path) -> None:
    """Every measure of every queue, agent and day; and a second build rewrites only the days that changed."""
    check(postgres, tmp_path, ())


def test_marts_in_duckdb(tmp_path: Path) -> None:
    """The same as a package of another project, with two organizations in each table."""
    check(DuckDB(tmp_path), tmp_path, ORGANIZATIONS)


def check(database: Database, folder: Path, organizations: tuple[str, ...]) -> None:
    """Load, build and compare, twice."""
    package, tap = Package(folder), Tap()
    build = Step(BUILD.arguments, {"using_organizations": bool(organizations)})
    project = "integration_tests" if organizations else "."
    if organizations:
        package.run(database, Step(("deps",)), project=project)

    def load_and_build() -> None:
        loaded = tap.loaded
        database.load(with_organization(loaded, organizations) if organizations else loaded)
        (outcome,) = package.run(database, build, project=project)
        assert outcome.failures() == []
        assert len(outcome.names("success", "pass", "warn")) == len(outcome.nodes) > 15

    tap.load_sample_week()
    tap.run(FIRST_RUN)
    load_and_build()
    compare(database, tap, FIRST_RUN, organizations)
    before = _built(database)
    tap.run(SECOND_RUN)
    load_and_build()
    compare(database, tap, SECOND_RUN, organizations)
    changed = {day for day, built_at in _built(database).items() if built_at != before.get(day)}
    assert changed
    assert WEEK not in changed
    if organizations:  # one is removed
        organizations = organizations[1:]
        load_and_build()
        compare(database, tap, SECOND_RUN, organizations)
        for mart in ("queue_day", "queue_interval", "agent_day", "agent_status_day", "data_quality"):
            rows = database.rows(f"select distinct organization from {database.marts}.genesys__{mart}")  # noqa: S608  # fixed names
            assert [row["organization"] for row in rows] == list(organizations)


def _built(database: Database) -> dict[date, datetime]:
    """When the rows of each day were written. All rows of a day are written together."""
    rows = database.rows(f"select distinct local_day, built_at from {database.marts}.genesys__queue_day")  # noqa: S608  # fixed names
    found = {row["local_day"]: row["built_at"] for row in rows}
    assert len(found) == len(rows)
    return found


def compare(database: Database, tap: Tap, now: datetime, organizations: tuple[str, ...]) -> None:
    """Every mart equals what the sandbox's books say."""
    expected, end = ExpectedRows(tap.sandbox), now.replace(minute=0)
    queues, agents, status = (
        expected.rows(presets()[name], START, end, now)
        for name in ("queue_performance", "agent_performance", "agent_status")
    )
    _compare_queues(database, queues, organizations)
    _compare_agents(database, agents, status, organizations)
    _compare_status(database, status, organizations)


def _compare_queues(database: Database, queues: list[Row], organizations: tuple[str, ...]) -> None:
    days = {
        key: queue_measures(rows) for key, rows in grouped(queues, ZONE, "queue_id", "media_type").items()
    }
    days |= {(queue, "voice", WEEK): queue_measures([row]) for queue, row in recorded_week().items()}
    assert len(days) > 20
    keys = ("queue_id", "media_type", "local_day")
    for found in _by_organization(database, "genesys__queue_day", organizations):
        _same(found, days, keys)
        for row in found:
            if row["local_day"] == WEEK:
                _identities_hold(row)
    intervals = {
        (row["queue_id"], row["media_type"], row["interval_start"][:19].replace("T", " ")): queue_measures(
            [row]
        )
        for row in queues
    }
    for rows in _by_organization(database, "genesys__queue_interval", organizations):
        found = [
            {**row, "interval_start": str(row["interval_start"])} for row in rows if row["local_day"] != WEEK
        ]
        _same(found, intervals, ("queue_id", "media_type", "interval_start"))


def _identities_hold(row: Row) -> None:
    """The four identities of ``docs/kpis.md``; the recorded organization has its switches as they come."""
    parts = ("talk", "hold", "after_call_work", "dialing", "contacting")
    assert row["offered"] == row["answered"] + row["abandoned"] + row["flowed_out"] == row["waited"]
    waited = (row[f"{name}_milliseconds"] for name in ("answer", "abandon", "flow_out"))
    assert row["wait_milliseconds"] == sum(waited)
    assert row["service_level_numerator"] == row["answered"] - row["answered_late"]
    assert row["service_level_denominator"] == row["answered"] + row["abandoned"]
    assert row["handle_milliseconds"] == sum(row[f"{name}_milliseconds"] for name in parts)


def _compare_agents(
    database: Database, agents: list[Row], status: list[Row], organizations: tuple[str, ...]
) -> None:
    work = grouped((row for row in agents if row["user_id"] not in {"", "(not set)"}), ZONE, "user_id")
    times = grouped((row for row in status if row["t_agent_routing_status_sum"] is not None), ZONE, "user_id")
    days = {key: agent_measures(work.get(key, ()), times.get(key, ())) for key in {*work, *times}}
    assert len(days) > 10
    for found in _by_organization(database, "genesys__agent_day", organizations):
        _same(found, days, ("user_id", "local_day"))


def _compare_status(database: Database, status: list[Row], organizations: tuple[str, ...]) -> None:
    kinds = {
        "routing_status": "t_agent_routing_status_sum",
        "presence": "t_system_presence_sum",
        "organization_presence": "t_organization_presence_sum",
    }
    days = {}
    for kind, column in kinds.items():
        rows = [row for row in status if row[column] is not None]
        for key, group in grouped(rows, ZONE, "user_id", "qualifier").items():
            whole = (kind, *key)
            days[whole] = {"seconds": sum(row[column] for row in group) / 1000}
    assert len(days) > 20
    for found in _by_organization(database, "genesys__agent_status_day", organizations):
        _same(found, days, ("status_type", "user_id", "status", "local_day"))


def _by_organization(database: Database, table: str, organizations: tuple[str, ...]) -> list[list[Row]]:
    """The rows of a mart, of each organization."""
    rows = database.rows(f"select * from {database.marts}.{table}")  # noqa: S608  # fixed names
    if not organizations:
        return [rows]
    return [[row for row in rows if row["organization"] == name] for name in organizations]


def _same(
    rows: list[Row], expected: Mapping[tuple[Any, ...], Mapping[str, Any]], keys: tuple[str, ...]
) -> None:
    """The rows are these, and so is each of their measures."""
    found = {tuple(row[name] for name in keys): row for row in rows}
    assert len(found) == len(rows)
    assert sorted(map(str, found)) == sorted(map(str, expected))
    for key, measures in expected.items():
        row = found[key]
        wrong = {name: (row[name], value) for name, value in measures.items() if not _equal(row[name], value)}
        assert wrong == {}, key


def _equal(found: Any, expected: float | None) -> bool:
    """Floats may differ in their last digit, because the order of a sum is the database's."""
    if found is None or expected is None:
        return found is expected
    return math.isclose(found, expected, rel_tol=1e-12)
