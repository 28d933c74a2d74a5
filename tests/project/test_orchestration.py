"""The section "Airflow" of docs/many-organizations.md against the files of the DAG."""

from __future__ import annotations

import ast
import importlib
import re
import signal
import subprocess
import sys

import psutil
import pytest
import yaml

from .generated_settings import ROOT

DAGS = ROOT / "orchestrate" / "dags"
PAGE = (ROOT / "docs" / "many-organizations.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("\n## Airflow\n")[2].partition("\n## ")[0]
CODE = (DAGS / "genesys.py").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def dags(monkeypatch: pytest.MonkeyPatch) -> None:
    """Import as Airflow does: from the folder of DAGs."""
    monkeypatch.syspath_prepend(str(DAGS))


def test_the_files_of_the_dag_need_nothing_but_airflow_yaml_and_psycopg() -> None:
    """They stand alone on a worker, which has neither the tap nor this repository beside Airflow."""
    files = {each.stem: each.read_text(encoding="utf-8") for each in DAGS.glob("*.py")}
    nodes = [node for text in files.values() for node in ast.walk(ast.parse(text))]
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    found |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    allowed = {"airflow", "psycopg", "yaml"}
    assert {name.partition(".")[0] for name in found} - sys.stdlib_module_names - set(files) == allowed
    assert not [node for node in nodes if isinstance(node, ast.ImportFrom) and node.level]


def test_the_list_in_the_docs_is_accepted() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL)
    module = importlib.import_module("genesys_organizations")
    found = module.read_organizations(text, "the docs", module.known_settings(ROOT))
    assert [each["organization"] for each in found] == [each["organization"] for each in yaml.safe_load(text)]
    assert [each["connection"] for each in found] == ["genesys_acme", "genesys_globex_eu"]
    assert found[1]["settings"] == {"region": "eu_west_1", "start_date": "2025-01-01"}


def test_the_docs_name_every_variable_of_the_dag_and_its_default() -> None:
    used = importlib.import_module("genesys_settings").DEFAULTS
    assert set(re.findall(r"GENESYS_DAG_\w+", SECTION)) == set(used)
    rows = [row for row in SECTION.splitlines() if row.startswith("| `GENESYS_DAG_")]
    for row in rows:
        names, defaults = (cell.replace("`", "").split(", ") for cell in row.split("|")[1:3])
        assert [used[name.strip()] for name in names] == [each.strip() for each in defaults]


def test_the_docs_name_the_variable_and_the_connection_of_the_dag() -> None:
    for name in ("genesys_organizations", "genesys_warehouse", "genesys_runs"):
        assert f'"{name}"' in CODE or name in CODE
        assert f"`{name}`" in SECTION


FINAL = {
    "https://` on a port without TLS",
    "the certificate is of a private authority",
    "the certificate is for another name",
    "REQUESTS_CA_BUNDLE` names no file",
    "REQUESTS_CA_BUNDLE` names a file that is not PEM",
    "the proxy requires a user and a password",
    "the proxy forbids the host",
    "the proxy's URL has `https://` instead of `http://",
    "the proxy's URL is none",
}
"""The network faults of docs/messages.md that trying again does not help."""


def test_a_load_is_tried_again_after_every_network_fault_that_may_pass() -> None:
    ended = importlib.import_module("genesys_meltano").Ended
    page = (ROOT / "docs" / "messages.md").read_text(encoding="utf-8").partition("\n## Network\n")[2]
    rows = re.findall(r"^\| (.+) \| `(.+)` \|$", page, re.MULTILINE)
    assert len(rows) > 20
    final = {title.strip("`") for title, text in rows if not ended(1, text, of_the_tap=True).may_help}
    assert final == FINAL


@pytest.mark.parametrize(
    ("error", "helps"),
    [
        ("query 'calls', window …: 127.0.0.1 answered 503 Service Unavailable. Try later", True),
        ("query 'calls', window …: 127.0.0.1 answered 429 Too Many Requests", True),
        ("no token could be obtained: 127.0.0.1 answered 401 Unauthorized: invalid_client", False),
        ("lookback_days must be a number from 0 to 3660, not 'a week'", False),
    ],
)
def test_an_error_of_the_server_may_pass_but_not_one_of_the_settings(error: str, *, helps: bool) -> None:
    ended = importlib.import_module("genesys_meltano").Ended
    assert ended(1, error, of_the_tap=True).may_help is helps
    assert ended(1, error, of_the_tap=False).may_help, "the target, or Meltano itself"


@pytest.mark.slow
def test_a_task_that_is_stopped_stops_all_that_it_started() -> None:
    code = (
        "import pathlib, sys; sys.path.insert(0, sys.argv[1]); from genesys_meltano import run;"
        "run(['sh', '-c', 'sleep 60 & echo $!; sleep 60'], folder=pathlib.Path('.'), environment={})"
    )
    command = [sys.executable, "-u", "-c", code, str(DAGS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as task:
        assert task.stdout is not None
        grandchild = int(task.stdout.readline().split()[-1])
        children = psutil.Process(task.pid).children(recursive=True)
        assert grandchild in {each.pid for each in children}
        task.send_signal(signal.SIGTERM)
        assert task.wait(20) == 128 + signal.SIGTERM
    _, left = psutil.wait_procs(children, timeout=5)
    assert left == []
