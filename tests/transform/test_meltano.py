"""``meltano run`` loads the recorded week and builds its KPIs."""

from __future__ import annotations

import json
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from psycopg import sql
from psycopg.rows import dict_row

from demo import project as demo_project
from demo.postgres import embedded
from genesys_sandbox import Sandbox, serve
from tests.project.generated_settings import ROOT

from .dbt import PYTHON
from .expected_marts import queue_measures, recorded_week

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.meltano, pytest.mark.postgres, pytest.mark.slow]

QUERY = {
    "preset": "queue_performance",
    "granularity": "P7D",
    "window": "P7D",
    "time_zone": "Africa/Nairobi",
    "anchor": "2025-01-26",
}
AGENTS = [{"preset": "agent_performance"}, {"preset": "agent_status"}]
NOW = datetime(2025, 6, 30, 12, tzinfo=timezone.utc)


def test_meltano_loads_the_recorded_week_and_builds_its_kpis(tmp_path: Path) -> None:
    """Every KPI of every queue; and the four identities hold, so that dbt warns of nothing."""
    plugins = demo_project.prepare().folder / ".meltano"
    project = demo_project.Project(tmp_path, tmp_path / "meltano.log")
    (tmp_path / "meltano.yml").write_text(
        (ROOT / "meltano.yml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    (tmp_path / ".meltano").mkdir()
    for kind in ("extractors", "loaders"):
        (tmp_path / ".meltano" / kind).symlink_to(plugins / kind)
    utilities = tmp_path / ".meltano" / "utilities" / "dbt-postgres"
    utilities.mkdir(parents=True)
    (utilities / "venv").symlink_to(PYTHON.parents[1])  # the same versions, installed once
    (tmp_path / "transform").symlink_to(ROOT / "transform")
    with embedded(tmp_path / "data") as server, serve(Sandbox(now=lambda: NOW)) as url:
        with server.connect() as connection:
            parts = connection.info
            place = {"HOST": parts.host, "USER": parts.user, "DATABASE": parts.dbname}
        variables = {
            "GENESYS_CLIENT_ID": "sandbox",
            "GENESYS_CLIENT_SECRET": "sandbox",
            "GENESYS_BASE_URL": url,
            "TAP_GENESYS_AGGREGATES_API": "results",
            "TAP_GENESYS_AGGREGATES_START_DATE": "2025-01-25T21:00:00Z",
            "TAP_GENESYS_AGGREGATES_END_DATE": "2025-02-01T21:00:00Z",
            "TAP_GENESYS_AGGREGATES_QUERIES": json.dumps([QUERY, *AGENTS]),
            "DBT_TARGET_PATH": str(tmp_path / "target"),
            "DBT_LOG_PATH": str(tmp_path / "logs"),
        }
        connecting = {**server.settings, **{f"TARGET_POSTGRES_{name}": each for name, each in place.items()}}
        lines = [f"{name}='{each}'\n" for name, each in connecting.items()]
        (tmp_path / ".env").write_text("".join(lines), encoding="utf-8")
        project.run(["run", "tap-genesys-aggregates", "target-postgres", "dbt-postgres:build"], variables)
        with server.connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(sql.SQL("select * from genesys_marts.genesys__queue_day")).fetchall()
    assert "WARN=0 ERROR=0" in project.log.read_text(encoding="utf-8")
    _check({row["queue_id"]: row for row in rows})


def _check(rows: dict[str, dict[str, Any]]) -> None:
    assert set(rows) == set(recorded_week())
    for queue, numbers in recorded_week().items():
        assert rows[queue]["local_day"] == date(2025, 1, 25)
        for name, value in queue_measures([numbers]).items():
            found = rows[queue][name]
            assert (None if found is None else float(found)) == pytest.approx(value), (queue, name)
