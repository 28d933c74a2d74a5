"""The commands use the database and the schema of target-postgres: from variables, or from Meltano."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from demo import urls
from tap_genesys_aggregates.core.errors import SettingError
from tap_genesys_aggregates.warehouse import command
from tap_genesys_aggregates.warehouse.target_postgres import TargetPostgres
from tests.pipeline.running import config
from tests.warehouse.test_views import create_tables, view_names

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.warehouse.conftest import Connection

FIVE = {"HOST": "db", "PORT": "5433", "USER": "me", "PASSWORD": "hunter2hunter2", "DATABASE": "wh"}
PARTS = {"host": "db", "port": "5433", "user": "me", "password": "hunter2hunter2", "dbname": "wh"}
TLS = {"SSL_MODE": "verify-ca", "SSL_CERTIFICATE_AUTHORITY": "ca.pem"}
TLS_PARTS = {"sslmode": "verify-ca", "sslrootcert": "ca.pem"}
URL = "postgresql+psycopg://me:hunter2hunter2@db/wh"
SETTINGS = config(
    start_date="2026-01-01T00:00:00Z", queries=[{"name": "calls", "metrics": ["nOffered"]}], max_retries=0
)

VARIABLES = {
    f"TAP_GENESYS_AGGREGATES_{name.upper()}": each if isinstance(each, str) else json.dumps(each)
    for name, each in SETTINGS.items()
}


def of_target(**values: str) -> dict[str, str]:
    return {f"TARGET_POSTGRES_{name}": value for name, value in values.items()}


@pytest.mark.parametrize(
    ("variables", "url", "parts"),
    [
        (FIVE, "", PARTS),
        ({**FIVE, "PORT": ""}, "", {name: each for name, each in PARTS.items() if name != "port"}),
        ({**FIVE, **TLS}, "", PARTS),
        (
            {**FIVE, **TLS, "SSL_ENABLE": "True"},
            "",
            {**PARTS, **TLS_PARTS},
        ),
        ({**FIVE, "SQLALCHEMY_URL": URL}, URL, {}),
    ],
)
def test_the_variables_of_target_postgres_name_the_database(
    variables: dict[str, str], url: str, parts: dict[str, str]
) -> None:
    found = TargetPostgres(of_target(**variables)).database()
    assert (found.url, dict(found.parts)) == (url, parts)
    assert "hunter2" not in repr(found)


def test_what_is_missing_is_named() -> None:
    variables = of_target(HOST="db", PASSWORD="hunter2hunter2")
    with pytest.raises(SettingError, match=r"not set: TARGET_POSTGRES_USER, TARGET_POSTGRES_DATABASE\)"):
        TargetPostgres(variables).database()


def meltano(folder: Path, script: str) -> dict[str, str]:
    """The variables of a plugin that Meltano starts, with a Meltano that is this script."""
    run = folder / ".meltano" / "run"
    run.mkdir(parents=True)
    (run / "bin").write_text(f"#!{sys.executable}\nimport json, os, sys\n{script}\n", encoding="utf-8")
    (run / "bin").chmod(0o755)
    return {"MELTANO_PROJECT_ROOT": str(folder)}


ANSWER = {"host": "other", "port": 5433, "user": "me", "database": "wh", "default_target_schema": "genesys"}


def test_meltano_is_asked_for_what_is_not_in_variables(tmp_path: Path) -> None:
    """Which take precedence, as in Meltano. No command line has the password."""
    script = f"assert not any('hunter2' in each for each in sys.argv); print(json.dumps({ANSWER!r}))"
    variables = {**meltano(tmp_path, script), **of_target(HOST="db", PASSWORD="hunter2hunter2")}
    found = TargetPostgres(variables)
    assert dict(found.database().parts) == PARTS
    assert found.schema() == "genesys"


def test_the_loader_can_have_another_name(tmp_path: Path) -> None:
    """As of a plugin that inherits from target-postgres."""
    script = "print(json.dumps({'default_target_schema': sys.argv[-1]}))"
    assert TargetPostgres(meltano(tmp_path, script), "target-postgres--eu").schema() == "target-postgres--eu"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("sys.exit('Plugin target-postgres is not known to Meltano')", "Plugin target-postgres is not known"),
        ("os.kill(os.getpid(), 9)", "Meltano did not give the settings of target-postgres"),
    ],
)
def test_a_meltano_that_does_not_answer_is_one_line(script: str, reason: str, tmp_path: Path) -> None:
    """The fix works: a schema and a URL."""
    variables = meltano(tmp_path, script)
    with pytest.raises(SettingError, match=reason) as refused:
        TargetPostgres(variables).schema()
    assert "set DATABASE_URL and give --schema" in str(refused.value)
    printed = run(variables, "views", "--config", "ENV", "--schema", "elsewhere")
    assert '"elsewhere"."calls_current"' in printed


def run(variables: Mapping[str, str], *arguments: str) -> str:
    """The output of a command that succeeds."""
    result = CliRunner().invoke(command.main, arguments, env={**VARIABLES, **variables})
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.postgres
def test_views_are_created_where_target_postgres_loads(connection: Connection, database_url: str) -> None:
    """The second time they are replaced; a query without a table is named."""
    create_tables(connection, "calls")
    variables = urls.settings(database_url) | of_target(DEFAULT_TARGET_SCHEMA="warehouse")
    done = "The views of the queries are up to date in schema 'warehouse'"
    for _ in range(2):
        assert run(variables, "views", "--config", "ENV", "--create").endswith(f"{done}.\n")
    assert view_names(connection) == {"extractions_gaps", "calls_current", "calls_missing", "calls_by_day"}
    connection.execute("drop table warehouse.calls cascade")
    first, last = run(variables, "views", "--config", "ENV", "--create").splitlines()
    assert first.startswith('calls: skipped, because "warehouse"."calls" or ')
    assert last == f"{done}, apart from those."


@pytest.mark.postgres
def test_views_that_cannot_be_created_are_one_line_and_nothing_changes(
    connection: Connection, database_url: str
) -> None:
    create_tables(connection, "calls", "calls_current")
    arguments = ["views", "--config", "ENV", "--create", "--schema", "warehouse"]
    result = CliRunner().invoke(command.main, arguments, env={**VARIABLES, "DATABASE_URL": database_url})
    assert result.exit_code == 2
    (line,) = result.output.splitlines()
    assert line.startswith('error: the database could not create the views: "calls_current" is not a view.')
    assert view_names(connection) == set()
