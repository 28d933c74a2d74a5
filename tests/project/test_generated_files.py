"""``meltano.yml``, ``.env.example`` and ``docs/reference.md`` agree with the tap and its settings."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from tap_genesys_aggregates.config.settings_table import SETTINGS
from tap_genesys_aggregates.core.query import column
from tap_genesys_aggregates.tap import TapGenesysAggregates

from . import generated_metrics, generated_reference, generated_settings

DOCUMENTED = {
    "client_id": (None, "required"),
    "client_secret": (None, "required secret"),
    "region": ("us_east_1", ""),
    "base_url": (None, ""),
    "token_url": (None, ""),
    "api": ("auto", ""),
    "start_date": (None, "required"),
    "end_date": (None, ""),
    "queries": (None, ""),
    "lookback_days": (7, ""),
    "window": ("P1D", ""),
    "max_window": ("P31D", ""),
    "concurrency": (4, ""),
    "requests_per_minute": (300, ""),
    "page_size": (25, ""),
    "request_timeout": (60, ""),
    "max_retries": (5, ""),
    "user_agent": ("tap-genesys-aggregates", ""),
}
"""Settings whose names and defaults must not change: name → default, and whether it is required or secret."""


def _plugin(group: str, name: str) -> dict[str, Any]:
    project = yaml.safe_load(generated_settings.MELTANO.read_text(encoding="utf-8"))
    (found,) = [plugin for plugin in project["plugins"][group] if plugin["name"] == name]
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def extractor() -> dict[str, Any]:
    """The tap's entry in ``meltano.yml``."""
    return _plugin("extractors", "tap-genesys-aggregates")


def test_names_and_defaults_of_settings_have_not_changed() -> None:
    """Existing configs depend on them."""
    assert {
        name: (setting.default, " ".join(["required"] * setting.required + ["secret"] * setting.secret))
        for name, setting in SETTINGS.items()
        if name in DOCUMENTED
    } == DOCUMENTED


def test_the_tap_declares_every_setting_of_the_table() -> None:
    assert list(TapGenesysAggregates.config_jsonschema["properties"])[: len(SETTINGS)] == list(SETTINGS)
    required = [name for name, (_, marks) in DOCUMENTED.items() if "required" in marks]
    assert sorted(TapGenesysAggregates.config_jsonschema["required"]) == sorted(required)


def test_meltano_has_every_setting_with_its_default_and_description(extractor: dict[str, Any]) -> None:
    assert [
        (entry["name"], entry.get("value"), entry.get("sensitive", False), entry["description"])
        for entry in extractor["settings"]
    ] == [(each.name, each.default, each.secret, each.description) for each in SETTINGS.values()]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("client_secret", "string"), ("region", "string"), ("base_url", "string"), ("api", "options"),
        ("start_date", "date_iso8601"), ("queries", "array"), ("lookback_days", "string"),
        ("window", "string"), ("concurrency", "integer"), ("request_timeout", "string"),
    ],
)  # fmt: skip
def test_meltano_has_the_kind_of_each_setting(extractor: dict[str, Any], name: str, kind: str) -> None:
    """Meltano converts values from the environment accordingly."""
    (found,) = [entry for entry in extractor["settings"] if entry["name"] == name]
    assert found["kind"] == kind


def test_meltano_has_the_choices_of_a_setting(extractor: dict[str, Any]) -> None:
    (found,) = [entry for entry in extractor["settings"] if entry["name"] == "api"]
    assert [option["value"] for option in found["options"]] == ["auto", "results", "group_tree"]


def test_meltano_passes_the_short_variables_to_the_tap(extractor: dict[str, Any]) -> None:
    """``config`` refers to ``GENESYS_*`` variables and contains nothing else."""
    aliases = {setting.name: f"${setting.alias}" for setting in SETTINGS.values() if setting.alias}
    assert extractor["config"] == aliases
    assert set(aliases.values()) >= {
        "$GENESYS_CLIENT_ID", "$GENESYS_CLIENT_SECRET", "$GENESYS_BASE_URL", "$GENESYS_REGION",
    }  # fmt: skip


def test_meltano_has_the_capabilities_and_required_settings_of_the_tap(extractor: dict[str, Any]) -> None:
    known = [each.value for each in TapGenesysAggregates.capabilities]
    assert sorted(extractor["capabilities"]) == sorted(known)
    (required,) = extractor["settings_group_validation"]
    assert required == TapGenesysAggregates.config_jsonschema["required"]


def test_meltano_selects_the_streams_that_the_tap_selects_by_default(extractor: dict[str, Any]) -> None:
    config = {"client_id": "sandbox", "client_secret": "sandbox", "start_date": "2025-01-01T00:00:00Z"}
    streams = TapGenesysAggregates(config=config).streams.values()
    not_selected = sorted(f"!{stream.name}.*" for stream in streams if not stream.selected_by_default)
    assert not_selected
    assert extractor["select"] == ["*.*", *not_selected]


def test_targets_are_pinned_and_defined_without_the_meltano_hub() -> None:
    """Their secrets are marked as sensitive, and PostgreSQL is loaded with COPY."""
    postgres, lines = _plugin("loaders", "target-postgres"), _plugin("loaders", "target-jsonl")
    assert postgres["pip_url"] == "meltanolabs-target-postgres==0.8.1"
    assert lines["pip_url"] == "target-jsonl==0.1.4"
    assert postgres["config"] == {"use_copy": True, "validate_records": False}
    hidden = {entry["name"] for entry in postgres["settings"] if entry.get("sensitive")}
    assert hidden == {"sqlalchemy_url", "password"}
    names = {entry["name"] for entry in postgres["settings"]}
    assert names >= {"host", "port", "user", "database", *postgres["config"]}


def test_generated_settings_are_up_to_date() -> None:
    """``./run docs`` would change nothing."""
    text = generated_settings.MELTANO.read_text(encoding="utf-8")
    assert generated_settings.meltano(text) == text
    assert generated_settings.ENVIRONMENT.read_text(encoding="utf-8") == generated_settings.environment()


def test_the_example_environment_starts_with_what_to_fill_in_and_lists_every_setting() -> None:
    """It contains no secret."""
    text = generated_settings.ENVIRONMENT.read_text(encoding="utf-8")
    filled = dict(re.findall(r"^([A-Z_]+)=(.*)$", text, re.MULTILINE))
    assert list(filled)[:4] == [
        "GENESYS_CLIENT_ID", "GENESYS_CLIENT_SECRET", "GENESYS_REGION", "TAP_GENESYS_AGGREGATES_START_DATE",
    ]  # fmt: skip
    assert {name for name, value in filled.items() if not value} == {
        "GENESYS_CLIENT_ID", "GENESYS_CLIENT_SECRET", "TARGET_POSTGRES_PASSWORD",
    }  # fmt: skip
    listed = set(re.findall(r"^(?:# )?([A-Z_]+)=", text, re.MULTILINE))
    assert {setting.alias or setting.variable for setting in SETTINGS.values()} <= listed


def test_the_reference_page_is_up_to_date() -> None:
    """``./run docs`` would change nothing."""
    assert generated_reference.PAGE.read_text(encoding="utf-8") == generated_reference.text()


def test_the_page_of_metrics_is_up_to_date() -> None:
    """``./run docs`` would change nothing."""
    assert generated_metrics.PAGE.read_text(encoding="utf-8") == generated_metrics.text()


AGGREGATES = json.loads(
    (generated_reference.ROOT / "tap_genesys_aggregates/data/aggregates.json").read_text("utf-8")
)


@pytest.mark.parametrize("family", AGGREGATES)
def test_the_page_of_metrics_has_every_dimension_metric_and_column_of_a_family(family: str) -> None:
    """The columns are those of the tap's catalog, for a query of all metrics."""
    page = generated_metrics.PAGE.read_text(encoding="utf-8")
    section = page.split(f"\n## {family}\n")[1].split("\n## ")[0]
    line, names = next(each for each in section.splitlines() if each), AGGREGATES[family]
    assert re.findall(r"`(\w+)`", line) == names["group_by"]
    query = {
        "name": "all_metrics",
        "endpoint": family,
        "metrics": names["metrics"],
        "group_by": names["group_by"],
    }
    config = {"client_id": "-", "client_secret": "-", "start_date": "2025-01-01", "queries": [query]}
    columns = set(TapGenesysAggregates(config=config).streams["all_metrics"].schema["properties"])
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| .+? \| (.*?) ?\|$", section, re.MULTILINE)
    assert [metric for metric, _, _ in rows] == names["metrics"]
    for _, cell, presets in rows:
        first, *others = re.findall(r"`(\w+)`", cell)
        begin = first.removesuffix("_count").removesuffix("_ratio")
        assert {first, *(f"{begin}{each}" for each in others)} <= columns
        columns -= {first, *(f"{begin}{each}" for each in others)}
        assert set(re.findall(r"\[(\w+)\]", presets)) <= set(_presets_of(family))
    assert all("_count" not in each and "_ratio" not in each for each in columns - _dimensions(names))


def _presets_of(family: str) -> list[str]:
    presets = json.loads(
        (generated_reference.ROOT / "tap_genesys_aggregates/data/presets.json").read_text("utf-8")
    )
    return [name for name, preset in presets.items() if preset.get("endpoint", "conversations") == family]


def _dimensions(names: dict[str, Any]) -> set[str]:
    return {column(each) for each in names["group_by"]}
