"""Options: the tap's settings for each organization, and references that only an executor looks up."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from datetime import datetime, timezone
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from pyspark.sql.types import LongType, StructField, StructType

from tap_genesys_aggregates.core.errors import SettingError
from tap_genesys_aggregates.spark import GenesysAggregatesDataSource
from tap_genesys_aggregates.spark.options import planned_settings, read_configs, resolved_settings
from tap_genesys_aggregates.spark.reading import OrganizationTable, read_batches

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "the-secret-of-acme-4711"
ACME = {"organization": "acme", "client_id": "a", "client_secret": {"env": "ACME_SECRET"}}
GLOBEX = {"organization": "globex", "client_id": "g", "client_secret": {"env": "GLOBEX_SECRET"}}
OPTIONS = {
    "path": "queue_performance",
    "start_date": "2026-03-01",
    "region": "eu_west_1",
    "organizations": json.dumps([ACME, GLOBEX]),
}


def source(**options: Any) -> GenesysAggregatesDataSource:
    """The data source with ``OPTIONS``, less those that are None."""
    every = {**OPTIONS, **options}
    return GenesysAggregatesDataSource({name: value for name, value in every.items() if value is not None})


def planned(found: GenesysAggregatesDataSource) -> list[Any]:
    """The partitions that the driver sends to executors."""
    return found.reader(found.schema()).partitions()


def organizations(*entries: Any) -> str:
    return json.dumps(entries)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "nothing to load": ({"path": None}, 'Nothing is named to load. Name a query: load("queue_performance")'),
    "an unknown table": (
        {"path": "queue_perfomance"},
        (
            "organization 'acme': 'queue_perfomance' is none of the tables to load: the queries "
            "(queue_performance, agent_performance), extractions and the lookups; did you mean "
            "'queue_performance'?"
        ),
    ),
    "a lookup of a group-tree host": (
        {"path": "queues", "region": None, "base_url": "https://gateway.example.com"},
        (
            "organization 'acme': 'queues' is none of the tables to load: the queries "
            "(conversation_aggregates), extractions"
        ),
    ),
    "an unknown option": (
        {"start_dat": "2026-03-01"},
        "organization 'acme': start_dat is not a known setting; did you mean 'start_date'?",
    ),
    "no start": (
        {"start_date": None},
        (
            "organization 'acme': start_date is required. Load data from this date-time on, such as "
            "2025-01-01T00:00:00Z; a date alone is midnight UTC. Set it as an option, or in the entry of the "
            "organization"
        ),
    ),
    "a setting of an entry": (
        {"organizations": organizations(ACME, {**GLOBEX, "concurrency": 99})},
        "organization 'globex': concurrency must be a whole number from 1 to 16, not 99",
    ),
    "a query": (
        {"queries": '[{"name": "calls", "metrics": ["nOffered"], "group_by": [], "granularity": "x"}]'},
        "organization 'acme': queries[0].granularity",
    ),
    "other columns": (
        {
            "organizations": organizations(
                ACME, {**GLOBEX, "queries": [{"preset": "queue_performance", "metrics": ["nOffered"]}]}
            )
        },
        (
            "'queue_performance' has other columns for organization 'globex' than for 'acme'. Give both the "
            "same query, or load them one after the other"
        ),
    ),
    "no list": ({"organizations": "acme"}, "organizations must be a list of objects as JSON text"),
    "an empty list": ({"organizations": "[]"}, "organizations must be a list of objects as JSON text"),
    "a list of names": (
        {"organizations": '["acme"]'},
        "organizations must be a list of objects as JSON text",
    ),
    "no name": ({"organizations": "[{}]"}, "organizations[0] needs a name, as the setting organization"),
    "the same name": ({"organizations": organizations(ACME, ACME)}, "organizations has 'acme' twice"),
    "a reference for a setting that the driver needs": (
        {"start_date": '{"env": "START"}'},
        (
            "organization 'acme': start_date cannot be a reference, because the driver plans with it. Only "
            "client_id and client_secret can; give the value itself"
        ),
    ),
    "no reference": (
        {"organizations": organizations({**ACME, "client_secret": {"enw": "ACME_SECRET"}})},
        "organization 'acme': client_secret is not a reference. References are",
    ),
    "two references in one": (
        {"organizations": organizations({**ACME, "client_secret": {"env": "A", "file": "b"}})},
        "organization 'acme': client_secret is not a reference. References are",
    ),
    "half of a Databricks secret": (
        {"organizations": organizations({**ACME, "client_secret": {"databricks": {"scope": "s"}}})},
        "organization 'acme': client_secret is not a reference. References are",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_mistake_is_refused_on_the_driver(name: str) -> None:
    """By ``schema`` when the table is loaded, and by ``reader`` if a schema of one's own skipped that."""
    options, told = REFUSED[name]
    with pytest.raises(SettingError) as by_schema:
        source(**options).schema()
    with pytest.raises(SettingError) as by_reader:
        source(**options).reader(None)
    assert str(by_schema.value) == str(by_reader.value)
    assert str(by_schema.value).startswith(told)


def test_an_entry_overrides_the_options() -> None:
    options = {"requests_per_minute": "300", "client_id": "shared", "organizations": OPTIONS["organizations"]}
    options["organizations"] = organizations({**ACME, "requests_per_minute": 60}, {"organization": "globex"})
    configs = read_configs(options)
    assert [(each["requests_per_minute"], each["client_id"]) for each in configs] == [
        (60, "a"),
        ("300", "shared"),
    ]


def test_one_organization_needs_no_list_and_no_name() -> None:
    found = source(organizations=None, client_id="a", client_secret='{"env": "ACME_SECRET"}')
    assert found.schema().names[0] == "interval_start"
    assert len(planned(found)) == 1


def test_a_schema_with_other_columns_is_refused_on_the_driver() -> None:
    """Spark would only notice when rows have been asked for."""
    own = source().schema()
    others = [StructType(own.fields[:-1]), StructType([own.fields[1], own.fields[0], *own.fields[2:]])]
    others.append(StructType([StructField(own.fields[0].name, LongType()), *own.fields[1:]]))
    for other in others:
        with pytest.raises(SettingError, match=r"other columns than the schema .* Leave \.schema\(…\) out"):
            source().reader(other)
    nullable = StructType([StructField(each.name, each.dataType) for each in own])
    assert len(source().reader(nullable).partitions()) == 2


def test_a_column_has_its_description() -> None:
    first = source().schema().fields[0]
    assert (first.name, first.nullable) == ("organization", False)
    assert first.metadata == {"comment": "Name of the organization. [setting organization]"}


def test_the_driver_looks_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It plans without the secrets, and what it sends to executors has none in it."""
    monkeypatch.delenv("ACME_SECRET", raising=False)
    assert [each.value.config["organization"] for each in planned(source())] == ["acme", "globex"]
    monkeypatch.setenv("ACME_SECRET", SECRET)
    assert pickle.dumps(planned(source())).find(SECRET.encode()) == -1


def config(reference: object) -> dict[str, object]:
    return {**ACME, "start_date": "2026-03-01", "client_secret": reference}


class _Secrets:
    def get(self, scope: str, key: str) -> str:
        if scope != "genesys":
            raise PermissionError(f"no READ on {scope}")
        return f"{SECRET} of {key}"


class _Workspace:
    """As far as it is used, ``databricks.sdk.WorkspaceClient``."""

    def __init__(self) -> None:
        self.dbutils = ModuleType("dbutils")
        self.dbutils.secrets = _Secrets()  # type: ignore[attr-defined]


@pytest.fixture
def databricks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for Databricks' SDK."""
    sdk = ModuleType("databricks.sdk")
    sdk.WorkspaceClient = _Workspace  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "databricks", ModuleType("databricks"))
    monkeypatch.setitem(sys.modules, "databricks.sdk", sdk)


@pytest.mark.usefixtures("databricks")
def test_an_executor_looks_references_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ACME_SECRET", SECRET)
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n", encoding="utf-8")
    found = [
        resolved_settings(config(reference)).client_secret
        for reference in (
            {"env": "ACME_SECRET"},
            '{"env": "ACME_SECRET"}',
            {"file": str(file)},
            {"databricks": {"scope": "genesys", "key": "acme"}},
            "a literal one",
        )
    ]
    assert found == [SECRET, SECRET, SECRET, f"{SECRET} of acme", "a literal one"]


NOT_FOUND: dict[str, tuple[dict[str, Any], str]] = {
    "variable": (
        {"env": "NO_SUCH_SECRET"},
        (
            "client_secret: the executor has no environment variable NO_SUCH_SECRET. Set it for the Python "
            "workers of every executor"
        ),
    ),
    "file": (
        {"file": "/no/such/file"},
        "client_secret: the executor cannot read /no/such/file: No such file or directory. Put the file",
    ),
    "folder": ({"file": "/"}, "client_secret: the executor cannot read /: Is a directory. Put the file"),
    "Databricks secret": (
        {"databricks": {"scope": "others", "key": "acme"}},
        "client_secret: the secret acme of scope others cannot be read (PermissionError: no READ on others)",
    ),
}


@pytest.mark.usefixtures("databricks")
@pytest.mark.parametrize("kind", NOT_FOUND)
def test_a_reference_that_leads_nowhere_is_told_with_its_organization(kind: str) -> None:
    reference, told = NOT_FOUND[kind]
    part = OrganizationTable(config(reference), "queue_performance", datetime.now(timezone.utc))
    with pytest.raises(SettingError) as caught:
        list(read_batches(part))
    assert str(caught.value).startswith(f"organization 'acme': {told}")


def test_databricks_sdk_is_needed_only_for_its_secrets() -> None:
    with pytest.raises(SettingError, match="needs the package databricks-sdk"):
        resolved_settings(config({"databricks": {"scope": "genesys", "key": "acme"}}))


def test_the_tap_itself_imports_nothing_of_spark() -> None:
    code = "import sys, tap_genesys_aggregates.tap; print({'pyarrow', 'pyspark'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_the_environment_of_a_worker_fills_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be that of another organization."""
    for name, value in {"CLIENT_SECRET": SECRET, "CLIENT_ID": "x", "START_DATE": "2020-01-01"}.items():
        monkeypatch.setenv(f"TAP_GENESYS_AGGREGATES_{name}", value)
        monkeypatch.setenv(f"GENESYS_{name}", value)
    for missing in ("client_id", "client_secret", "start_date"):
        given = {name: value for name, value in config("x").items() if name != missing}
        for settings in (planned_settings, resolved_settings):
            with pytest.raises(SettingError, match=f"{missing} is required"):
                settings(given)
    monkeypatch.setenv("TAP_GENESYS_AGGREGATES_REGION", "eu_west_1")
    monkeypatch.setenv("GENESYS_BASE_URL", "https://gateway.example.com")
    assert resolved_settings(config("x")).hosts.api == "https://api.mypurecloud.com"
