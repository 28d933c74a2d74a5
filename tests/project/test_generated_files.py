"""The definitions for Meltano, ``.env.example`` and ``docs/reference.md`` agree with the tap."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import tomlkit
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


def test_meltano_selects_everything_without_a_pattern_that_would_win_over_those_of_users(
    extractor: dict[str, Any],
) -> None:
    assert extractor["select"] == ["*.*"]


def test_meltano_installs_the_tap_with_the_driver_that_its_commands_need(extractor: dict[str, Any]) -> None:
    assert extractor["pip_url"] == "-e .[warehouse]"
    assert yaml.safe_load(generated_settings.plugin())["pip_url"].startswith(
        "tap-genesys-aggregates[warehouse]@"
    )


@pytest.mark.parametrize("name", ["test", "estimate", "views", "reconcile"])
def test_no_command_of_meltano_has_a_config_file_or_a_secret(extractor: dict[str, Any], name: str) -> None:
    """They take everything from variables; their executables are installed with the tap."""
    arguments = extractor["commands"][name]["args"].split()
    text = (generated_settings.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    scripts = tomlkit.parse(text).unwrap()["project"]["scripts"]
    assert arguments[arguments.index("--config") + 1] == "ENV"
    assert not any(each.startswith(("$", "--database-url")) for each in arguments)
    assert extractor["commands"][name].get("executable", extractor["executable"]) in scripts


# Extractors in the schema of the Hub: github.com/meltano/hub, schemas/plugin_definitions and schemas/common.
HUB_SETTING = {"name", "kind", "value", "label", "description", "options", "sensitive"}
HUB_PLUGIN = {
    "capabilities", "commands", "description", "docs", "domain_url", "executable", "keywords", "label",
    "maintenance_status", "name", "namespace", "pip_url", "repo", "settings", "settings_group_validation",
    "settings_preamble", "supported_python_versions", "usage", "variant",
}  # fmt: skip


def test_the_definitions_for_other_projects_are_complete_and_that_of_the_clone(
    extractor: dict[str, Any],
) -> None:
    """``plugin.yaml``, and the one for the Hub, which has what its page shows."""
    plugin = yaml.safe_load(generated_settings.PLUGIN.read_text(encoding="utf-8"))
    hub = yaml.safe_load(generated_settings.HUB.read_text(encoding="utf-8"))
    same = extractor.keys() - {"config", "select", "pip_url"}
    for definition in (plugin, hub):
        assert {name: definition[name] for name in same} == {name: extractor[name] for name in same}
    assert set(hub) == HUB_PLUGIN
    assert {name for each in hub["settings"] for name in each} == HUB_SETTING
    assert all(each["label"] and each["description"] for each in hub["settings"])
    assert hub["supported_python_versions"] == ["3.10", "3.11", "3.12", "3.13", "3.14"]
    assert hub["domain_url"].startswith("https://")
    assert plugin["plugin_type"] == "extractors"


@pytest.mark.parametrize(
    ("name", "label"),
    [("client_id", "Client ID"), ("base_url", "Base URL"), ("api", "API"), ("max_retries", "Max retries")],
)
def test_each_setting_has_a_label(extractor: dict[str, Any], name: str, label: str) -> None:
    assert [each["label"] for each in extractor["settings"] if each["name"] == name] == [label]


def test_targets_are_pinned_and_defined_without_the_meltano_hub() -> None:
    """Their secrets are marked as sensitive, and PostgreSQL is loaded with COPY."""
    postgres, lines = _plugin("loaders", "target-postgres"), _plugin("loaders", "target-jsonl")
    assert postgres["pip_url"] == "meltanolabs-target-postgres==0.8.1"
    assert lines["pip_url"] == "target-jsonl==0.1.4"
    assert postgres["config"] == {
        "use_copy": True,
        "validate_records": False,
        "add_record_metadata": False,
        "activate_version": False,
        "batch_size_rows": 20_000,
    }
    hidden = {entry["name"] for entry in postgres["settings"] if entry.get("sensitive")}
    assert hidden == {"sqlalchemy_url", "password"}
    names = {entry["name"] for entry in postgres["settings"]}
    assert names >= {"host", "port", "user", "database", *postgres["config"]}


def test_generated_settings_are_up_to_date() -> None:
    """``./run docs`` would change nothing."""
    assert [
        path.name
        for path, text in generated_settings.files().items()
        if path.read_text(encoding="utf-8") != text
    ] == []


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
