"""Organizations that are served by sandboxes, a warehouse, a Meltano project, and Airflow beside them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg

from demo import project as demo_project
from demo.paths import CLONE, DBT, DEMO, MELTANO
from demo.postgres import embedded
from genesys_sandbox import Options, Sandbox, serve
from tests.end_to_end.conftest import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from demo.postgres import Postgres

AIRFLOW = DEMO / "airflow" / "bin"
TIMEOUT = 300
START = "2025-06-27T00:00:00Z"
QUERIES: list[Any] = ["queue_performance", "agent_performance", {"preset": "agent_status"}]
ORGANIZATIONS: list[dict[str, Any]] = [
    {"organization": "acme", "settings": {"queries": QUERIES}},
    {"organization": "globex", "settings": {"queries": QUERIES, "requests_per_minute": 250}},
    {"organization": "initech", "connection": "genesys_initech", "settings": {"queries": QUERIES}},
    {"organization": "umbrella", "settings": {"queries": QUERIES}},
]
SECRETS = {each["organization"]: f"{each['organization']}-hush" for each in ORGANIZATIONS}
DEAD = "http://127.0.0.1:9"
REFUSED = "no token could be obtained: 127.0.0.1:9 refused the connection"


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

    @property
    def commands(self) -> Path:
        """The file with the arguments that Meltano was called with."""
        return self.folder / "commands"

    def connect(self, name: str, **parts: Any) -> None:
        """Add a connection."""
        self.connections[f"AIRFLOW_CONN_{name.upper()}"] = json.dumps({"conn_type": "generic", **parts})

    def client(self, name: str, url: str, secret: str, **settings: str) -> None:
        """Add the connection of an organization."""
        extra = {"base_url": url, "api": "results", "start_date": START, "max_retries": 0, **settings}
        self.connect(f"genesys_{name}", login=f"client-{name}", password=secret, extra=json.dumps(extra))

    @property
    def home(self) -> Path:
        """Airflow's own folder."""
        return self.folder / "airflow"

    def environment(self) -> dict[str, str]:
        """The environment of every process of Airflow."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(CLONE / "orchestrate" / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "GENESYS_DAG_PROJECT": str(self.folder / "project"),
            "GENESYS_DAG_MELTANO": str(self.folder / "meltano"),
            "GENESYS_DAG_RETRIES": "1",
            "GENESYS_DAG_RETRY_SECONDS": "0",
            "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
            **self.connections,
        }

    def stand_in(self) -> None:
        """From now on, every command of Meltano only takes a second. Forget the commands so far."""
        _write_command(self.folder, "sleep 1")
        self.commands.unlink()

    def run(self, **variables: str) -> dict[str, Any]:
        """Run the DAG once, without a scheduler; what came of it."""
        outcome = self.folder / "outcome.json"
        done = subprocess.run(
            [AIRFLOW / "python", CLONE / "tests" / "airflow" / "driver.py", outcome],
            cwd=self.folder,
            env={**self.environment(), **variables},
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

    def serve(self, stack: contextlib.ExitStack) -> dict[str, str]:
        """Serve a sandbox for each organization, and add its connection; their URLs."""
        urls: dict[str, str] = {}
        for name, secret in SECRETS.items():
            options = Options(volume=0.02, agents=3, credentials=(f"client-{name}", secret))
            urls[name] = stack.enter_context(serve(Sandbox(options, now=lambda: NOW)))
            self.client(name, urls[name], secret)
        return urls

    @property
    def loaded(self) -> set[str]:
        """The organizations with rows in the warehouse."""
        return {name for (name,) in self.query("select distinct organization from genesys.queue_performance")}

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.postgres.url) as connection:
            return connection.execute(statement).fetchall()


def _write_command(folder: Path, does: str) -> None:
    """Write the command ``meltano`` that the DAG calls: it notes its arguments, and then does something."""
    script = f"""#!/bin/sh
echo "begin $*" >>"{folder}/commands"
{does}
status=$?
echo "end $*" >>"{folder}/commands"
exit $status
"""
    (folder / "new").write_text(script, encoding="utf-8")
    (folder / "new").chmod(0o755)
    (folder / "new").replace(folder / "meltano")


@contextlib.contextmanager
def fleet(folder: Path) -> Iterator[Fleet]:
    """A warehouse and a Meltano project, without connections of organizations.

    Args:
        folder: An empty folder.
    """
    project = folder / "project"
    plugins = demo_project.prepare().folder / ".meltano"
    for kind in ("extractors", "loaders"):
        (project / ".meltano").mkdir(parents=True, exist_ok=True)
        (project / ".meltano" / kind).symlink_to(plugins / kind)
    utility = project / ".meltano" / "utilities" / "dbt-postgres"
    utility.mkdir(parents=True)
    (utility / "venv").symlink_to(DBT.parents[1])
    shutil.copy(CLONE / "meltano.yml", project)
    (project / "organizations.yml").write_text(json.dumps(ORGANIZATIONS), encoding="utf-8")
    _write_command(folder, f'"{MELTANO}" "$@"')
    shutil.copytree(
        CLONE / "transform", project / "transform", ignore=shutil.ignore_patterns("target", "logs")
    )
    with embedded(folder / "data") as server:
        found = Fleet(folder, server)
        with psycopg.connect(server.url) as connection:
            host = connection.info.host
        extra = json.dumps({"sqlalchemy_url": server.settings["TARGET_POSTGRES_SQLALCHEMY_URL"]})
        parts = {"host": host, "login": "postgres", "password": "warehouse-hush", "schema": "postgres"}
        found.connect("genesys_warehouse", **parts, extra=extra)
        yield found
