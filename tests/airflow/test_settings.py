"""Settings in the list and in connections, before Meltano sees them; without Airflow."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from genesys_meltano import hide
from genesys_organizations import (
    TARGET,
    Organization,
    OrganizationsError,
    access,
    check_dbt_variables,
    known_settings,
    load_environment,
    read_file,
    read_organizations,
    warehouse_variables,
)
from genesys_settings import DEFAULTS, Settings, SettingsError, read_settings

from demo.paths import CLONE

if TYPE_CHECKING:
    from collections.abc import Callable

KNOWN = known_settings(CLONE)
OF_THE_TARGET = known_settings(CLONE, "loaders", TARGET)
WAREHOUSE_FIELDS = {
    "host": "warehouse",
    "port": 5432,
    "login": "loader",
    "password": "hush",
    "schema": "genesys",
}
ACME = Organization("acme", "genesys_acme", {"region": "eu_west_1"})
QUERIES: list[Any] = ["queue_performance", {"preset": "agent_status"}]


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(OrganizationsError) as caught:
        call()
    return str(caught.value)


NO_SETTING = "tap-genesys-aggregates has no setting"
PUBLIC = "does not belong in the list, which everyone can read."
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
    message = refused(
        lambda: warehouse_variables("genesys_warehouse", WAREHOUSE_FIELDS, extra, OF_THE_TARGET)
    )
    assert message == f"the extra of the Airflow connection 'genesys_warehouse': {problem}"


@pytest.mark.parametrize("empty", ["", None])
def test_a_warehouse_is_never_guessed(empty: str | None) -> None:
    """Otherwise all would go into the database ``postgres`` of this machine, whatever was meant."""
    fields = {**WAREHOUSE_FIELDS, "login": empty, "schema": empty}
    message = refused(lambda: warehouse_variables("genesys_warehouse", fields, None, OF_THE_TARGET))
    assert message == (
        "the Airflow connection 'genesys_warehouse' has no login and no schema. It must have the warehouse's "
        "host, login and password, and the name of the database as schema"
    )


def test_the_warehouse_becomes_variables_of_the_target_and_of_dbt() -> None:
    extra = '{"default_target_schema": "partners", "marts_schema": "kpis", "use_copy": false}'
    fields = {
        "TARGET_POSTGRES_HOST": "warehouse",
        "TARGET_POSTGRES_PORT": "5432",
        "TARGET_POSTGRES_USER": "loader",
        "TARGET_POSTGRES_PASSWORD": "hush",
        "TARGET_POSTGRES_DATABASE": "genesys",
    }
    assert warehouse_variables("genesys_warehouse", WAREHOUSE_FIELDS, extra, OF_THE_TARGET) == {
        **fields,
        "DBT_MARTS_SCHEMA": "kpis",
        "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": "partners",
        "TARGET_POSTGRES_USE_COPY": "false",
    }
    assert warehouse_variables("genesys_warehouse", WAREHOUSE_FIELDS, "", OF_THE_TARGET) == {
        **fields,
        "DBT_MARTS_SCHEMA": "genesys_marts",
        "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": "genesys",
    }


ENTRY = '[{"organization": %s}]'
NO_NAME = (
    "organization must be a name of up to 100 letters from a to z, digits, '.', '_' and '-', which begins"
)
QUOTES = "there. Put the name into quotes"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", " must be a list with at least one organization: "),
        ("[]", " must be a list with at least one organization: "),
        ("organizations:\n- organization: acme", " must be a list with at least one organization: "),
        (
            "- organization: acme\nsettings: {}",
            " is neither YAML nor JSON at line 2, column 1. Write a list: ",
        ),
        (
            "- organization: acme\n\tsettings: {}",
            " is neither YAML nor JSON at line 2, column 1. Write a list: ",
        ),
        (
            "- organization: acme\n  organization: globex",  # a dash is missing
            ", line 2: 'organization' is there twice in one entry. Begin each organization with a dash, ",
        ),
        (
            "- organization: acme\n  settings:\n    api: results\n    api: group_tree",
            ", line 4: 'api' is there twice in one entry. ",
        ),
        ("- acme:hush", ", entry 1 must be an object, not text. Write {organization: acme, "),
        ("-", ", entry 1 must be an object, not nothing. Write {organization: acme, "),
        (
            "- organization: acme\n  settings:\n  region: eu_west_1",
            ", entry 1 (acme): 'region' is not known there. ",
        ),
        (
            "- organization: acme\n  client_secret: hush",
            (
                f", entry 1 (acme): client_secret {PUBLIC} It is the password of the Airflow connection "
                "'genesys_acme': write it there"
            ),
        ),
        ("- settings: {}", f", entry 1: {NO_NAME}"),
        (ENTRY % '""', f", entry 1 (''): {NO_NAME}"),
        (ENTRY % '"acme eu"', f", entry 1 ('acme eu'): {NO_NAME}"),
        (ENTRY % '"acme\\u0027s"', f', entry 1 ("acme\'s"): {NO_NAME}'),
        (ENTRY % '"zürich"', f", entry 1 ('zürich'): {NO_NAME}"),
        (ENTRY % '"../acme"', f", entry 1 ('../acme'): {NO_NAME}"),
        (ENTRY % '"a\\nb"', f", entry 1 ('a\\nb'): {NO_NAME}"),
        (ENTRY % f'"{"x" * 101}"', f", entry 1 ('{'x' * 100}'): {NO_NAME}"),
        (ENTRY % "4711", f", entry 1: organization must be text, but YAML reads a number {QUOTES}"),
        (ENTRY % "no", f", entry 1: organization must be text, but YAML reads yes or no {QUOTES}"),
        (ENTRY % "2025-01-01", f", entry 1: organization must be text, but YAML reads a date {QUOTES}"),
        (
            "- organization: acme\n  connection: 7",
            ", entry 1 (acme): connection must be the ID of an Airflow connection, not a number",
        ),
        (
            "- organization: acme\n  settings: hush",
            ", entry 1 (acme): settings must be an object of the tap's settings, such as region",
        ),
        (
            "- organization: acme\n- organization: ACME",
            ", entry 2: the organization 'ACME' is in the list twice. ",
        ),
        (
            "- {organization: a}\n- {organization: b}\n- {organization: c}\n- {organization: d}",
            (
                " has 4 organizations, but Airflow makes at most 3 tasks of a list. "
                "Set AIRFLOW__CORE__MAX_MAP_LENGTH=4 or more for every part of Airflow, and restart it"
            ),
        ),
    ],
)
def test_a_list_that_means_something_else_is_refused(text: str, problem: str) -> None:
    message = refused(lambda: read_organizations(text, "organizations.yml", KNOWN, most=3))
    assert message.startswith(f"organizations.yml{problem}")
    assert "hush" not in message


@pytest.mark.parametrize("text", ["- organization: &a [*a]", "- &a {organization: *a}", "--- a\n--- b"])
def test_a_list_that_is_odd_yaml_is_refused(text: str) -> None:
    assert refused(lambda: read_organizations(text, "organizations.yml", KNOWN)).startswith(
        "organizations.yml"
    )


def test_a_list_is_read_as_a_windows_editor_saves_it(tmp_path: Path) -> None:
    file = tmp_path / "organizations.yml"
    file.write_bytes("\ufeff- organization: acme\r\n- organization: globex\r\n".encode())
    found = read_organizations(read_file(file, "Write it"), "organizations.yml", KNOWN)
    assert [each["organization"] for each in found] == ["acme", "globex"]


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda _file: None, "does not exist. Write it"),
        (
            lambda file: file.mkdir(),
            "cannot be read: Is a directory. Let the user of Airflow's workers read it",
        ),
        (
            lambda file: file.write_bytes("- organization: zürich".encode("latin-1")),
            "is not in UTF-8. Save it with this encoding",
        ),
    ],
    ids=["missing", "a folder", "another encoding"],
)
def test_a_file_that_cannot_be_read_is_named(
    make: Callable[[Path], object], problem: str, tmp_path: Path
) -> None:
    file = tmp_path / "organizations.yml"
    make(file)
    assert refused(lambda: read_file(file, "Write it")) == f"{file} {problem}"


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("AT_ONCE", "0", "must be a whole number above 0, such as 4, not '0'"),
        ("AT_ONCE", "abc", "must be a whole number above 0, such as 4, not 'abc'"),
        ("AT_ONCE", "1.5", "must be a whole number above 0, such as 4, not '1.5'"),
        ("RETRIES", "-1", "must be a whole number, or 0, such as 2, not '-1'"),
        ("RETRY_SECONDS", "10m", "must be a number of seconds, or 0, such as 600, not '10m'"),
        ("RETRY_SECONDS", "inf", "must be a number of seconds, or 0, such as 600, not 'inf'"),
        ("LONGEST_HOURS", "0", "must be a number of hours above 0, such as 12, not '0'"),
        ("LONGEST_HOURS", "nan", "must be a number of hours above 0, such as 12, not 'nan'"),
        (
            "PROJECT",
            "genesys",
            "must be the whole path of the Meltano project, such as /srv/genesys, not 'genesys'",
        ),
        ("DBT_VARIABLES", "hush", 'must be a JSON object, such as {"genesys_time_zone": "Europe/London"}'),
        ("DBT_VARIABLES", "[]", 'must be a JSON object, such as {"genesys_time_zone": "Europe/London"}'),
    ],
)
def test_a_variable_of_the_dag_that_cannot_be_used_is_named(name: str, text: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({f"GENESYS_DAG_{name}": text})
    assert str(caught.value) == f"GENESYS_DAG_{name} {problem}"


def test_a_variable_of_the_dag_that_is_empty_is_not_set() -> None:
    assert read_settings(dict.fromkeys(DEFAULTS, " ")) == read_settings({})


def test_the_variables_of_the_dag_are_read() -> None:
    names = {
        "PROJECT": "/opt/x",
        "MELTANO": "/opt/meltano",
        "SCHEDULE": "@daily",
        "AT_ONCE": "20",
        "POOL": "genesys",
        "RETRIES": "0",
        "RETRY_SECONDS": "0.5",
        "LONGEST_HOURS": "1.5",
        "DBT_VARIABLES": '{"genesys_time_zone": "Europe/London"}',
    }
    found = read_settings({f"GENESYS_DAG_{name}": text for name, text in names.items()})
    assert found == Settings(
        project=Path("/opt/x"),
        meltano="/opt/meltano",
        schedule="@daily",
        at_once=20,
        pool="genesys",
        retries=0,
        retry_delay=timedelta(seconds=0.5),
        longest_load=timedelta(hours=1.5),
        dbt_variables={"using_organizations": True, "genesys_time_zone": "Europe/London"},
    )


def test_a_setting_that_the_project_adds_to_the_tap_is_accepted(tmp_path: Path) -> None:
    project = yaml.safe_load((CLONE / "meltano.yml").read_text(encoding="utf-8"))
    project["plugins"]["extractors"][0]["settings"].append({"name": "stream_maps", "kind": "object"})
    (tmp_path / "meltano.yml").write_text(yaml.safe_dump(project), encoding="utf-8")
    text = json.dumps([{"organization": "acme", "settings": {"stream_maps": {}}}])
    assert read_organizations(text, "the list", known_settings(tmp_path))[0]["settings"] == {
        "stream_maps": "{}"
    }


def test_a_variable_that_dbt_would_ignore_is_refused() -> None:
    names = ["using_organizations", "genesys_time_zon"]
    message = refused(lambda: check_dbt_variables(CLONE, names))
    file = CLONE / "transform" / "dbt_project.yml"
    assert message == (
        f"GENESYS_DAG_DBT_VARIABLES: {file} has no variable 'genesys_time_zon'; "
        "did you mean 'genesys_time_zone'?"
    )


def test_the_variables_of_a_dbt_project_of_your_own_are_accepted(tmp_path: Path) -> None:
    check_dbt_variables(tmp_path, ["mine"])  # the project is elsewhere
    file = tmp_path / "transform" / "dbt_project.yml"
    file.parent.mkdir()
    file.write_text("vars: {mine: 1, genesys_aggregates: {using_organizations: false}}", encoding="utf-8")
    check_dbt_variables(tmp_path, ["mine", "using_organizations"])


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
