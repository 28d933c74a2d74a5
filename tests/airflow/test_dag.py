"""The DAG of orchestrate/ in Airflow, without a scheduler: organizations that load, and one that does not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from demo import project as demo_project
from demo.paths import CLONE, DBT, DEMO, MELTANO
from demo.postgres import embedded
from genesys_sandbox import Options, Sandbox, serve
from tests.end_to_end.conftest import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from demo.postgres import Postgres

PYTHON = DEMO / "airflow" / "bin" / "python"
TIMEOUT = 300
START = "2025-06-27T00:00:00Z"

pytestmark = [pytest.mark.airflow, pytest.mark.meltano, pytest.mark.postgres, pytest.mark.slow]


@dataclass
class Fleet:
    """A folder with a Meltano project and with Airflow's own files, and a warehouse.

    Attributes:
        folder: The folder.
        postgres: The warehouse.
        connections: The connections of Airflow, as variables of its environment.
        output: All that Airflow printed.
    """

    folder: Path
    postgres: Postgres
    connections: dict[str, str] = field(default_factory=dict)
    output: str = ""

    def connect(self, name: str, **parts: Any) -> None:
        """Add a connection."""
        self.connections[f"AIRFLOW_CONN_{name.upper()}"] = json.dumps({"conn_type": "generic", **parts})

    def client(self, name: str, url: str, secret: str) -> None:
        """Add the connection of an organization."""
        extra = {"base_url": url, "api": "results", "start_date": START, "max_retries": 0}
        self.connect(f"genesys_{name}", login=f"client-{name}", password=secret, extra=json.dumps(extra))

    def run(self, **variables: str) -> dict[str, Any]:
        """Run the DAG once; what came of it."""
        outcome, home = self.folder / "outcome.json", self.folder / "airflow"
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(CLONE / "orchestrate" / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "GENESYS_DAG_PROJECT": str(self.folder / "project"),
            "GENESYS_DAG_MELTANO": str(MELTANO),
            "GENESYS_DAG_RETRIES": "1",
            "GENESYS_DAG_RETRY_SECONDS": "0",
            "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
            **self.connections,
            **variables,
        }
        done = subprocess.run(
            [PYTHON, CLONE / "tests" / "airflow" / "driver.py", outcome],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        self.output += done.stdout
        (self.folder / "output.log").write_text(self.output, encoding="utf-8")
        assert done.returncode == 0, done.stdout[-5000:]
        found: dict[str, Any] = json.loads(outcome.read_text(encoding="utf-8"))
        assert found["errors"] == {}
        return found

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.postgres.url) as connection:
            return connection.execute(statement).fetchall()


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    project = tmp_path / "project"
    plugins = demo_project.prepare().folder / ".meltano"
    for kind in ("extractors", "loaders"):
        (project / ".meltano").mkdir(parents=True, exist_ok=True)
        (project / ".meltano" / kind).symlink_to(plugins / kind)
    utility = project / ".meltano" / "utilities" / "dbt-postgres"
    utility.mkdir(parents=True)
    (utility / "venv").symlink_to(DBT.parents[1])
    shutil.copy(CLONE / "meltano.yml", project)
    shutil.copytree(
        CLONE / "transform", project / "transform", ignore=shutil.ignore_patterns("target", "logs")
    )
    with embedded(tmp_path / "data") as server:
        found = Fleet(tmp_path, server)
        with psycopg.connect(server.url) as connection:
            host = connection.info.host
        extra = json.dumps({"sqlalchemy_url": server.settings["TARGET_POSTGRES_SQLALCHEMY_URL"]})
        parts = {"host": host, "login": "postgres", "password": "warehouse-hush", "schema": "postgres"}
        found.connect("genesys_warehouse", **parts, extra=extra)
        yield found


def test_one_organization_is_loaded_and_its_kpis_are_built(fleet: Fleet) -> None:
    settings = {"queries": ["queue_performance", "agent_performance", "agent_status"]}
    listed = json.dumps([{"organization": "acme", "settings": settings}])
    (fleet.folder / "project" / "organizations.yml").write_text(listed, encoding="utf-8")
    sandbox = Sandbox(
        Options(volume=0.02, agents=3, credentials=("client-acme", "acme-hush")), now=lambda: NOW
    )
    with serve(sandbox) as url:
        fleet.client("acme", url, "acme-hush")
        found = fleet.run()
    assert found["state"] == "success", fleet.output[-8000:]
    assert ["load", "acme", "success", 1] in found["tasks"]
    assert fleet.query("select distinct organization from genesys.queue_performance") == [("acme",)]
