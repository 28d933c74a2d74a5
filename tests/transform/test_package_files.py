"""The files of the package agree with the tap: what it reads exists, and what it says is complete."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tap_genesys_aggregates.warehouse import current_rows
from tests.project import generated_dbt
from tests.project.generated_dbt import TRANSFORM
from tests.project.generated_settings import ROOT

MEASURES = (TRANSFORM / "macros" / "measures.sql").read_text(encoding="utf-8")
MARTS = (
    "genesys__queue_interval",
    "genesys__queue_day",
    "genesys__agent_day",
    "genesys__agent_status_day",
    "genesys__data_quality",
)
TOTALS = {"queue_performance": "queue_totals", "agent_performance": "agent_totals", "agent_status": None}
DIALECTS = ("default", "snowflake", "bigquery", "databricks")


def _totals(macro: str) -> dict[str, str]:
    """Measure → column, from the text of a macro."""
    text = MEASURES.partition(f"{{% macro {macro}() %}}")[2].partition("{% endmacro %}")[0]
    return dict(re.findall(r"'(\w+)': '(\w+)'", text))


def _models(folder: str) -> dict[str, dict[str, Any]]:
    path = TRANSFORM / "models" / folder / f"{folder}.yml"
    return {each["name"]: each for each in yaml.safe_load(path.read_text(encoding="utf-8"))["models"]}


def test_generated_files_are_up_to_date() -> None:
    """``./run docs`` would change nothing."""
    assert generated_dbt.SOURCES.read_text(encoding="utf-8") == generated_dbt.sources()
    assert generated_dbt.MACROS.read_text(encoding="utf-8") == current_rows.dbt_macros()


@pytest.mark.parametrize("preset", TOTALS)
def test_every_column_that_a_model_reads_is_a_column_of_its_preset(preset: str) -> None:
    """A column that is renamed breaks this test, not a user's warehouse."""
    text = (TRANSFORM / "models" / "staging" / f"stg_genesys__{preset}.sql").read_text(encoding="utf-8")
    read = set(re.findall(r"\br\.(\w+)", text))
    macro = TOTALS[preset]
    if macro:
        assert f"{macro}().values()" in text
        read |= set(_totals(macro).values())
    assert len(read) > 5
    assert read - {each.name for each in generated_dbt.columns(preset)} == set()


@pytest.mark.parametrize("mart", MARTS)
def test_every_column_of_a_mart_has_a_description(mart: str) -> None:
    """Measures have a unit; shares, averages and totals of them say how they are worked out."""
    docs = dict(
        re.findall(
            r"{% docs (\w+) %}(.*?){% enddocs %}",
            (TRANSFORM / "models" / "measures.md").read_text(encoding="utf-8"),
        )
    )
    for column in _models("marts")[mart]["columns"]:
        name, description = column["name"], column["description"]
        found = re.fullmatch(r"{{ doc\('(\w+)'\) }}", description)
        text = docs[found[1]] if found else description
        assert len(text) > 15, name
        if name.endswith(("_rate", "_seconds", "_milliseconds", "occupancy")):
            assert "Unit: " in text, name


def test_every_measure_is_in_the_docs() -> None:
    page = (ROOT / "docs" / "kpis.md").read_text(encoding="utf-8")
    ratios = set(re.findall(r"\) }}\s+as (\w+)", MEASURES.partition("macro queue_ratios")[2]))
    measures = {*_totals("queue_totals"), *_totals("agent_totals"), *ratios}
    measures |= {"occupancy", "on_queue_seconds", "interactions_per_on_queue_hour", "service_level_target"}
    assert len(measures) > 40
    assert {name for name in measures if f"`{name}`" not in page} == set()


def test_the_package_needs_no_other_package() -> None:
    """So that it can be installed where the hub of packages is out of reach."""
    assert not (TRANSFORM / "packages.yml").exists()
    assert not (TRANSFORM / "dependencies.yml").exists()
    assert not re.search(r"\bdbt_utils\.", MEASURES)
