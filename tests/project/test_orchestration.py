"""The section "Airflow" of docs/many-organizations.md against the files of the DAG."""

from __future__ import annotations

import importlib.util
import re
import sys
from typing import Any

import yaml

from .generated_settings import ROOT

DAGS = ROOT / "orchestrate" / "dags"
PAGE = (ROOT / "docs" / "many-organizations.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("\n## Airflow\n")[2].partition("\n## ")[0]
CODE = (DAGS / "genesys.py").read_text(encoding="utf-8")


def list_of_organizations() -> Any:
    """The module that reads the list; it needs no Airflow."""
    spec = importlib.util.spec_from_file_location("genesys_organizations", DAGS / "genesys_organizations.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_list_in_the_docs_is_accepted() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL)
    module = list_of_organizations()
    found = module.read_organizations(text, "the docs", module.known_settings(ROOT))
    assert [each["organization"] for each in found] == [each["organization"] for each in yaml.safe_load(text)]
    assert [each["connection"] for each in found] == ["genesys_acme", "genesys_globex_eu"]
    assert found[1]["settings"] == {"region": "eu_west_1", "start_date": "2025-01-01"}


def test_the_docs_name_every_variable_of_the_dag_and_its_default() -> None:
    used = dict(re.findall(r'environ\.get\("(GENESYS_DAG_\w+)", "([^"]*)"\)', CODE))
    assert set(used) == set(re.findall(r"GENESYS_DAG_\w+", CODE))
    assert set(re.findall(r"GENESYS_DAG_\w+", SECTION)) == set(used)
    rows = [row for row in SECTION.splitlines() if row.startswith("| `GENESYS_DAG_")]
    for row in rows:
        names, defaults = (cell.replace("`", "").split(", ") for cell in row.split("|")[1:3])
        assert [used[name.strip()] for name in names] == [each.strip() for each in defaults]


def test_the_docs_name_the_variable_and_the_connection_of_the_dag() -> None:
    for name in ("genesys_organizations", "genesys_warehouse", "genesys_runs"):
        assert f'"{name}"' in CODE or name in CODE
        assert f"`{name}`" in SECTION
