"""The DAG of orchestrate/ in Airflow, without a scheduler: organizations that load, and one that does not."""

from __future__ import annotations

import contextlib
import json
import os
import re
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
WRONG = "answered 401 Unauthorized: invalid_client"
LAST_RUNS = "select organization, last_run_status, last_error from genesys_marts.genesys__data_quality"

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

    @property
    def commands(self) -> Path:
        """The file with the arguments that Meltano was called with."""
        return self.folder / "commands"

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
            "GENESYS_DAG_MELTANO": str(self.folder / "meltano"),
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
    (project / "organizations.yml").write_text(json.dumps(ORGANIZATIONS), encoding="utf-8")
    script = f'#!/bin/sh\necho "$*" >>"{tmp_path}/commands"\nexec "{MELTANO}" "$@"\n'
    (tmp_path / "meltano").write_text(script, encoding="utf-8")
    (tmp_path / "meltano").chmod(0o755)
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


def test_whoever_fails_is_named_and_the_others_are_loaded(fleet: Fleet) -> None:
    """One host is dead and one secret wrong; the next run, when both are well, loads everybody.

    In one test, since the second run needs what the first one left.
    """
    with contextlib.ExitStack() as stack:
        urls = {name: stack.enter_context(serve(_sandbox(name, secret))) for name, secret in SECRETS.items()}
        for name, secret in SECRETS.items():
            fleet.client(name, urls[name], secret)
        fleet.client("initech", DEAD, "initech-hush")
        fleet.client("umbrella", urls["umbrella"], "umbrella-lapse")
        _check_failures(fleet, fleet.run())
        assert "genesys.py" not in "".join(line for line in fleet.output.splitlines() if "Warning" in line)
        fleet.client("initech", urls["initech"], "initech-hush")
        fleet.client("umbrella", urls["umbrella"], "umbrella-hush")
        found = fleet.run()
    assert found["state"] == "success", fleet.output[-8000:]
    assert {(name, state) for task, name, state, _ in found["tasks"] if task == "load"} == {
        (name, "success") for name in SECRETS
    }
    assert _loaded(fleet) == set(SECRETS)
    assert fleet.query("select organization, count(*) from genesys.genesys_runs group by 1 order by 1") == [
        (name, 2) for name in sorted(SECRETS)
    ]
    assert set(fleet.query(LAST_RUNS)) == {(name, "success", None) for name in SECRETS}
    _check_secrets(fleet)


def _sandbox(name: str, secret: str) -> Sandbox:
    return Sandbox(Options(volume=0.02, agents=3, credentials=(f"client-{name}", secret)), now=lambda: NOW)


def _loaded(fleet: Fleet) -> set[str]:
    return {name for (name,) in fleet.query("select distinct organization from genesys.queue_performance")}


def _check_failures(fleet: Fleet, found: dict[str, Any]) -> None:
    assert found["state"] == "failed"
    assert sorted(found["tasks"]) == [
        ["build", "", "success", 1],
        ["load", "acme", "success", 1],
        ["load", "globex", "success", 1],
        ["load", "initech", "failed", 2],  # a dead host may come back
        ["load", "umbrella", "failed", 1],  # a wrong secret stays wrong
        ["organizations", "", "success", 1],
        ["record", "", "success", 1],
        ["summarize", "", "failed", 1],
    ]
    assert _loaded(fleet) == {"acme", "globex"}
    assert "2 of 4 organizations were loaded." in fleet.output
    assert f"\ninitech failed: {REFUSED}" in fleet.output
    assert re.search(rf"\numbrella failed: \S+ {WRONG}.*\nThe KPIs were built\.\n", fleet.output)
    marts = fleet.query("select distinct organization from genesys_marts.genesys__queue_day")
    assert {name for (name,) in marts} == {"acme", "globex"}
    last = {name: (status, error) for name, status, error in fleet.query(LAST_RUNS)}
    assert last["acme"] == last["globex"] == ("success", None)
    assert last["initech"][1].startswith(REFUSED)
    assert WRONG in last["umbrella"][1]
    began = fleet.query("select count(*) from genesys.genesys_runs where started_at < finished_at")
    assert began == [(4,)]


def _check_secrets(fleet: Fleet) -> None:
    """No secret in a log, a rendered template, an XCom, a file or the arguments of a command."""
    files = [each for name in ("airflow", "project") for each in (fleet.folder / name).rglob("*")]
    texts = {str(each): each.read_bytes() for each in files if each.is_file() and not each.is_symlink()}
    texts[str(fleet.folder / "outcome.json")] = (fleet.folder / "outcome.json").read_bytes()
    texts["output"], texts["commands"] = fleet.output.encode(), fleet.commands.read_bytes()
    assert len(texts) > 20
    assert b"--state-id-suffix globex" in texts["commands"]
    assert b'"organization": "globex"' in texts[str(fleet.folder / "outcome.json")]
    for secret in (*SECRETS.values(), "umbrella-lapse", "warehouse-hush"):
        assert [name for name, text in texts.items() if secret.encode() in text] == []


def test_a_list_with_a_mistake_loads_nothing_and_says_what_to_write(fleet: Fleet) -> None:
    """The list is in a Variable here."""
    found = fleet.run(
        AIRFLOW_VAR_GENESYS_ORGANIZATIONS='[{"organization": "acme", "settings": {"regoin": "x"}}]'
    )
    assert found["state"] == "failed"
    assert {task: state for task, _, state, _ in found["tasks"]} == {
        "organizations": "failed",
        "load": "upstream_failed",
        **dict.fromkeys(("record", "build", "summarize"), "failed"),
    }
    assert "The Variable genesys_organizations, entry 1 (acme): " in fleet.output
    assert "no setting 'regoin' in meltano.yml; did you mean 'region'?" in fleet.output
    assert not fleet.commands.exists()
