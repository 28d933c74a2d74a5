"""The settings say the same everywhere: contract, table, tap, ``meltano.yml``, ``.env.example``."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tap_genesys_aggregates.config.settings_table import SETTINGS
from tap_genesys_aggregates.tap import TapGenesysAggregates

from . import written

CONTRACT = {
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
"""The settings contract, typed from it: name → default, and what else it says."""


def _plugin(group: str, name: str) -> dict[str, Any]:
    project = yaml.safe_load(written.MELTANO.read_text(encoding="utf-8"))
    (found,) = [plugin for plugin in project["plugins"][group] if plugin["name"] == name]
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def extractor() -> dict[str, Any]:
    """The tap in ``meltano.yml``."""
    return _plugin("extractors", "tap-genesys-aggregates")


def test_the_table_is_the_contract() -> None:
    """Names, defaults, what is required and what is secret are those of the settings contract."""
    assert {
        name: (setting.default, " ".join(["required"] * setting.required + ["secret"] * setting.secret))
        for name, setting in SETTINGS.items()
        if name in CONTRACT
    } == CONTRACT


def test_the_tap_knows_every_setting_of_the_table() -> None:
    """``--about`` and discovery show the table's settings and no others."""
    assert list(TapGenesysAggregates.config_jsonschema["properties"])[: len(SETTINGS)] == list(SETTINGS)
    required = [name for name, (_, marks) in CONTRACT.items() if "required" in marks]
    assert sorted(TapGenesysAggregates.config_jsonschema["required"]) == sorted(required)


def test_meltano_has_every_setting(extractor: dict[str, Any]) -> None:
    """The block in ``meltano.yml`` is the table: names, order, defaults, secrets, descriptions."""
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
def test_meltano_knows_the_kinds(extractor: dict[str, Any], name: str, kind: str) -> None:
    """Meltano casts what it reads from the environment, so it is told the kind of each setting."""
    (found,) = [entry for entry in extractor["settings"] if entry["name"] == name]
    assert found["kind"] == kind


def test_meltano_offers_the_choices(extractor: dict[str, Any]) -> None:
    """A setting with choices has them in ``meltano.yml`` too."""
    (found,) = [entry for entry in extractor["settings"] if entry["name"] == "api"]
    assert [option["value"] for option in found["options"]] == ["auto", "results", "group_tree"]


def test_meltano_reads_the_second_names(extractor: dict[str, Any]) -> None:
    """``GENESYS_*`` reach the tap through Meltano: ``config`` refers to them, and to nothing else."""
    aliases = {setting.name: f"${setting.alias}" for setting in SETTINGS.values() if setting.alias}
    assert extractor["config"] == aliases
    assert set(aliases.values()) >= {
        "$GENESYS_CLIENT_ID", "$GENESYS_CLIENT_SECRET", "$GENESYS_BASE_URL", "$GENESYS_REGION",
    }  # fmt: skip


def test_meltano_knows_what_the_tap_can(extractor: dict[str, Any]) -> None:
    """Capabilities and required settings are those of the tap itself."""
    known = [each.value for each in TapGenesysAggregates.capabilities]
    assert sorted(extractor["capabilities"]) == sorted(known)
    (needed,) = extractor["settings_group_validation"]
    assert needed == TapGenesysAggregates.config_jsonschema["required"]


def test_meltano_takes_what_the_tap_takes_by_itself(extractor: dict[str, Any]) -> None:
    """What the tap leaves out unless it is selected is left out under Meltano too."""
    config = {"client_id": "sandbox", "client_secret": "sandbox", "start_date": "2025-01-01T00:00:00Z"}
    streams = TapGenesysAggregates(config=config).streams.values()
    left = sorted(f"!{stream.name}.*" for stream in streams if not stream.selected_by_default)
    assert left
    assert extractor["select"] == ["*.*", *left]


def test_targets_need_no_hub() -> None:
    """Each target is defined whole, pinned, and hides what is secret; Postgres is loaded with COPY."""
    postgres, lines = _plugin("loaders", "target-postgres"), _plugin("loaders", "target-jsonl")
    assert postgres["pip_url"] == "meltanolabs-target-postgres==0.8.1"
    assert lines["pip_url"] == "target-jsonl==0.1.4"
    assert postgres["config"] == {"use_copy": True, "validate_records": False}
    hidden = {entry["name"] for entry in postgres["settings"] if entry.get("sensitive")}
    assert hidden == {"sqlalchemy_url", "password"}
    names = {entry["name"] for entry in postgres["settings"]}
    assert names >= {"host", "port", "user", "database", *postgres["config"]}


def test_what_is_written_is_up_to_date() -> None:
    """``./run docs`` would change nothing."""
    text = written.MELTANO.read_text(encoding="utf-8")
    assert written.meltano(text) == text
    assert written.ENVIRONMENT.read_text(encoding="utf-8") == written.environment()


def test_a_newcomer_fills_in_three_lines() -> None:
    """``.env.example`` begins with the three, offers every other setting, and holds no secret."""
    text = written.ENVIRONMENT.read_text(encoding="utf-8")
    filled = dict(re.findall(r"^([A-Z_]+)=(.*)$", text, re.MULTILINE))
    assert list(filled)[:4] == [
        "GENESYS_CLIENT_ID", "GENESYS_CLIENT_SECRET", "GENESYS_REGION", "TAP_GENESYS_AGGREGATES_START_DATE",
    ]  # fmt: skip
    assert {name for name, value in filled.items() if not value} == {
        "GENESYS_CLIENT_ID", "GENESYS_CLIENT_SECRET", "TARGET_POSTGRES_PASSWORD",
    }  # fmt: skip
    offered = set(re.findall(r"^(?:# )?([A-Z_]+)=", text, re.MULTILINE))
    assert {setting.alias or setting.variable for setting in SETTINGS.values()} <= offered
