"""The mart of data quality by organization: each one's own gaps and losses, and how its last run ended."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from .dbt import Package, Step
from .warehouse import SCHEMA, START, DuckDB, Loaded, Tap, with_organization

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipeline.running import Row

    from .warehouse import Database, Postgres

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

TODAY = [
    "query", "windows", "split_windows", "retries", "covered_from", "covered_until", "last_extracted_at",
    "hours_since_extraction", "hours_behind", "gaps", "missing_windows", "missing_rows", "built_at",
]  # fmt: skip
"""The columns where the tables have no organizations."""
RUN = ["last_run_status", "last_run_at", "last_error"]

DAY = "2026-03-28"
ERROR = "HTTP 401 from login.example: the client secret of 'lost' is wrong; it's not valid"
RUNS: list[Row] = [
    {"organization": name, "started_at": started, "finished_at": ended, "status": status, "error": error}
    for name, started, ended, status, error in (
        ("whole", "2026-03-28T04:00:00+01:00", "2026-03-28T04:10:00+01:00", "failed", "mended since"),
        ("whole", "2026-03-29T04:00:00+02:00", "2026-03-29T04:10:00+02:00", "success", None),
        ("gappy", "2026-03-29T03:00:00+00:00", "2026-03-29T03:10:00+00:00", "failed", "a later run's"),
        ("gappy", "2026-03-29T02:00:00+00:00", "2026-03-29T03:20:00+00:00", "success", None),
        ("lost", "2026-03-29T03:00:00+00:00", "2026-03-29T03:00:02+00:00", "failed", ERROR),
    )
]
LAST_RUNS = {
    "whole": ("success", datetime(2026, 3, 29, 2, 10, tzinfo=timezone.utc), None),
    "gappy": ("failed", datetime(2026, 3, 29, 3, 10, tzinfo=timezone.utc), "a later run's"),
    "thin": (None, None, None),
}
"""How the last run of each organization ended; nobody wrote down one of ``thin``."""


@pytest.fixture(scope="module")
def tables() -> Loaded:
    tap = Tap()
    tap.run(START + timedelta(days=3, hours=5))
    return tap.loaded


def damaged(loaded: Loaded) -> Loaded:
    """Three organizations: all is well, windows were never pulled, rows were deleted."""
    found = with_organization(loaded, tuple(LAST_RUNS))
    found.tables["extractions"] = [
        row for row in found.tables["extractions"]
        if (row["organization"], row["query"]) != ("gappy", "agent_status")
        or not row["window_start"].startswith(DAY)
    ]  # fmt: skip
    found.tables["queue_performance"] = [
        row for row in found.tables["queue_performance"]
        if row["organization"] != "thin" or not row["interval_start"].startswith(DAY)
    ]  # fmt: skip
    return found


def build(
    package: Package, database: Database, *, organizations: bool
) -> dict[tuple[str | None, str | None], Row]:
    step = Step(
        ("build", "--select", "+genesys__data_quality", "--exclude-resource-types", "unit_test"),
        {"using_organizations": organizations},
    )
    (outcome,) = package.run(database, step)
    assert outcome.failures() == []
    rows = database.rows("select * from genesys_marts.genesys__data_quality")
    return {(row.get("organization"), row["query"]): row for row in rows}


def _instant(value: datetime | None) -> datetime | None:
    return value and value.replace(tzinfo=timezone.utc)


def check(database: Database, folder: Path, loaded: Loaded) -> None:
    package = Package(folder)
    database.load(loaded)
    alone = build(package, database, organizations=False)
    assert all(list(row) == TODAY for row in alone.values())
    assert {query for _, query in alone} == {"queue_performance", "agent_performance", "agent_status"}

    database.execute(f"drop schema {SCHEMA} cascade")
    database.load(damaged(loaded))
    without_runs = build(package, database, organizations=True)
    assert {row["last_error"] for row in without_runs.values()} == {None}
    database.load(Loaded({"genesys_runs": RUNS}, {"genesys_runs": {
        "organization": "text", "started_at": "timestamptz", "finished_at": "timestamptz", "status": "text",
        "error": "text",
    }}))  # fmt: skip
    found = build(package, database, organizations=True)

    lost = found.pop(("lost", None))
    assert (lost["last_run_status"], lost["last_error"]) == ("failed", ERROR)
    known = {"organization", "built_at", *RUN}
    assert {name for name, value in lost.items() if value is not None} == known
    assert set(found) == set(without_runs) == {(name, query) for name in LAST_RUNS for _, query in alone}
    rows_of_day = sum(row["interval_start"].startswith(DAY) for row in loaded.tables["queue_performance"])
    assert rows_of_day > 0
    for (name, query), row in found.items():
        assert list(row) == ["organization", *TODAY[:-1], *RUN, TODAY[-1]]
        (run,) = {(row["last_run_status"], _instant(row["last_run_at"]), row["last_error"])}
        assert run == LAST_RUNS[str(name)]
        gappy, thin = (
            (name, query) == ("gappy", "agent_status"),
            (name, query) == ("thin", "queue_performance"),
        )
        assert row["gaps"] == gappy
        assert (row["missing_windows"] > 0, row["missing_rows"]) == (thin, rows_of_day if thin else 0)
        same = alone[None, query]
        names = (
            "covered_from",
            "covered_until",
            "last_extracted_at",
            *(() if gappy else ("windows", "retries")),
        )
        assert [row[each] for each in names] == [same[each] for each in names]


def test_quality_by_organization_in_postgres(postgres: Postgres, tmp_path: Path, tables: Loaded) -> None:
    check(postgres, tmp_path, tables)


def test_quality_by_organization_in_duckdb(tmp_path: Path, tables: Loaded) -> None:
    check(DuckDB(tmp_path), tmp_path, tables)
