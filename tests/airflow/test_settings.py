"""Settings in the list and in connections, before Meltano sees them; without Airflow."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from genesys_meltano import hide
from genesys_organizations import (
    TARGET,
    Organization,
    OrganizationsError,
    access,
    known_settings,
    load_environment,
    read_organizations,
    warehouse_extra,
)

from demo.paths import CLONE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KNOWN = known_settings(CLONE)
OF_THE_TARGET = known_settings(CLONE, "loaders", TARGET)
ACME = Organization("acme", "genesys_acme", {"region": "eu_west_1"})
QUERIES: list[Any] = ["queue_performance", {"preset": "agent_status"}]


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(OrganizationsError) as caught:
        call()
    return str(caught.value)


NO_SETTING = "tap-genesys-aggregates has no setting"
PUBLIC = "does not belong into the list, which everyone can read."
FIELD = "of the Airflow connection 'genesys_acme': write it there"
NOT_DEFINED = "does not define tap-genesys-aggregates with its settings."
THERE = "Write it there, and remove it from the extra"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("regoin", f"{NO_SETTING} 'regoin' in meltano.yml; did you mean 'region'?"),
        ("start_dat", f"{NO_SETTING} 'start_dat' in meltano.yml; did you mean 'start_date'?"),
        ("Region", f"{NO_SETTING} 'Region' in meltano.yml; did you mean 'region'?"),
        ("zzz", f"{NO_SETTING} 'zzz' in meltano.yml; it has api, base_url, concurrency, "),
        ("client_id", f"client_id {PUBLIC} It is the login {FIELD}"),
        ("client_secret", f"client_secret {PUBLIC} It is the password {FIELD}"),
        ("organization", "organization must not be in settings: it is the entry's name. Remove it"),
    ],
)
def test_a_setting_in_the_list_that_nobody_would_read_is_refused(name: str, problem: str) -> None:
    text = json.dumps([{"organization": "acme", "settings": {"api": "results", name: "hush"}}])
    message = refused(lambda: read_organizations(text, "organizations.yml", KNOWN))
    assert message.startswith(f"organizations.yml, entry 1 (acme): {problem}")
    assert "hush" not in message


@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        ('{"regoin": "hush"}', f": {NO_SETTING} 'regoin' in meltano.yml; did you mean 'region'?"),
        ('{"organization": "hush"}', ": organization is 'acme' in the list. Remove it from the extra"),
        ('{"client_id": "hush"}', f": client_id is the connection's login. {THERE}"),
        ('{"client_secret": "hush"}', f": client_secret is the connection's password. {THERE}"),
        ("hush", " must be a JSON object of settings of tap-genesys-aggregates, or empty"),
        ('["hush"]', " must be a JSON object of settings of tap-genesys-aggregates, or empty"),
    ],
)
def test_an_extra_that_nobody_would_read_is_refused(extra: str, problem: str) -> None:
    message = refused(lambda: access(ACME, "client", "secret", extra, KNOWN))
    assert message == f"the extra of the Airflow connection 'genesys_acme'{problem}"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (
            "default_target_schma",
            (
                "target-postgres has no setting 'default_target_schma' in meltano.yml; "
                "did you mean 'default_target_schema'?"
            ),
        ),
        ("password", f"password is the connection's password. {THERE}"),
        ("database", f"database is the connection's schema. {THERE}"),
    ],
)
def test_the_extra_of_the_warehouse_is_checked_too(name: str, problem: str) -> None:
    extra = json.dumps({name: "hush"})
    message = refused(lambda: warehouse_extra("genesys_warehouse", extra, OF_THE_TARGET))
    assert message == f"the extra of the Airflow connection 'genesys_warehouse': {problem}"


def test_the_extra_of_the_warehouse_names_both_schemas() -> None:
    extra = '{"default_target_schema": "partners", "marts_schema": "kpis", "use_copy": false}'
    assert warehouse_extra("genesys_warehouse", extra, OF_THE_TARGET) == {
        "default_target_schema": "partners",
        "marts_schema": "kpis",
        "use_copy": False,
    }


def test_a_setting_that_the_project_adds_to_the_tap_is_accepted(tmp_path: Path) -> None:
    project = yaml.safe_load((CLONE / "meltano.yml").read_text(encoding="utf-8"))
    project["plugins"]["extractors"][0]["settings"].append({"name": "stream_maps", "kind": "object"})
    (tmp_path / "meltano.yml").write_text(yaml.safe_dump(project), encoding="utf-8")
    text = json.dumps([{"organization": "acme", "settings": {"stream_maps": {}}}])
    assert read_organizations(text, "the list", known_settings(tmp_path))[0]["settings"] == {
        "stream_maps": "{}"
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "cannot be read: No such file or directory."),
        ("{", NOT_DEFINED),
        ("plugins: {}", NOT_DEFINED),
        ("plugins: {extractors: [{name: tap-other, settings: [{name: region}]}]}", NOT_DEFINED),
        ("plugins: {extractors: [{name: tap-genesys-aggregates, pip_url: some}]}", NOT_DEFINED),
    ],
)
def test_a_folder_that_is_not_the_meltano_project_is_named(
    text: str | None, problem: str, tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / "meltano.yml").write_text(text, encoding="utf-8")
    message = refused(lambda: known_settings(tmp_path))
    assert message.startswith(f"{tmp_path / 'meltano.yml'} {problem} Set GENESYS_DAG_PROJECT, ")
    shutil.copy(CLONE / "meltano.yml", tmp_path)  # the way on
    assert known_settings(tmp_path) == KNOWN


def test_a_connection_takes_precedence_and_lists_become_json() -> None:
    extra = json.dumps({"region": "mypurecloud.ie", "queries": QUERIES, "max_retries": 0, "api": None})
    settings = access(ACME, "client", "secret", extra, KNOWN)
    worker = {"PATH": "/bin", "TAP_GENESYS_AGGREGATES_API": "results", "GENESYS_CLIENT_ID": "another"}
    warehouse = {"TARGET_POSTGRES_HOST": "warehouse"}
    assert load_environment(ACME, settings, warehouse, worker) == {
        "PATH": "/bin",
        "TARGET_POSTGRES_HOST": "warehouse",
        "TAP_GENESYS_AGGREGATES_ORGANIZATION": "acme",
        "TAP_GENESYS_AGGREGATES_REGION": "mypurecloud.ie",
        "TAP_GENESYS_AGGREGATES_QUERIES": '["queue_performance", {"preset": "agent_status"}]',
        "TAP_GENESYS_AGGREGATES_MAX_RETRIES": "0",
        "TAP_GENESYS_AGGREGATES_CLIENT_ID": "client",
        "TAP_GENESYS_AGGREGATES_CLIENT_SECRET": "secret",
    }


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("abc", "password abc, abc123"),  # hiding it would hide half of the log
        ("abc1", "password abc, ***23"),
        ("abc123", "password abc, ***"),
        ("", "password abc, abc123"),
    ],
)
def test_a_secret_of_four_characters_or_more_is_hidden(secret: str, shown: str) -> None:
    assert hide("password abc, abc123", [secret]) == shown
