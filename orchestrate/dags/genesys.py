"""Loads many organizations into one warehouse, each in a task of its own, then builds the KPIs once.

What to set up, and what the tasks do: docs/many-organizations.md, "Airflow".
"""

from __future__ import annotations

import contextlib
import json
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from airflow.sdk import Connection, Variable, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowNotFoundException
from genesys_meltano import Ended, hide, own_system_folder, run
from genesys_organizations import (
    TAP,
    TARGET,
    Organization,
    OrganizationsError,
    access,
    inherited,
    known_settings,
    load_environment,
    read_organizations,
    secrets_of,
    variables,
    warehouse_extra,
)
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(os.environ.get("GENESYS_DAG_PROJECT", "/srv/genesys"))
"""The folder of the Meltano project, on every worker."""
MELTANO = os.environ.get("GENESYS_DAG_MELTANO", "meltano")
SCHEDULE = os.environ.get("GENESYS_DAG_SCHEDULE", "17 * * * *")
AT_ONCE = int(os.environ.get("GENESYS_DAG_AT_ONCE", "4"))
"""How many organizations are loaded at the same time."""
POOL = os.environ.get("GENESYS_DAG_POOL", "default_pool")
RETRIES = int(os.environ.get("GENESYS_DAG_RETRIES", "2"))
RETRY_DELAY = timedelta(seconds=float(os.environ.get("GENESYS_DAG_RETRY_SECONDS", "600")))
LONGEST_LOAD = timedelta(hours=float(os.environ.get("GENESYS_DAG_LONGEST_HOURS", "12")))
DBT_VARIABLES = {"using_organizations": True, **json.loads(os.environ.get("GENESYS_DAG_DBT_VARIABLES", "{}"))}

LIST = "genesys_organizations"
"""The Airflow Variable with the list of organizations; without it, ``organizations.yml`` of the project."""
WAREHOUSE = "genesys_warehouse"
"""The Airflow connection of the warehouse."""
OUTCOME = "outcome"
NOTHING = "There is no list of organizations, so nothing was loaded: see the task 'organizations'"

_RUNS = """
create table if not exists {runs} (
    organization text not null, started_at timestamptz not null, finished_at timestamptz not null,
    status text not null, error text, primary key (organization, started_at)
)
"""
_RUN = """
insert into {runs} values (%(organization)s, %(started_at)s, %(finished_at)s, %(status)s, %(error)s)
on conflict (organization, started_at) do nothing
"""


@dag(
    dag_id="genesys",
    schedule=SCHEDULE,
    start_date=datetime(2025, 1, 1, tzinfo=timezone.utc),
    catchup=False,  # each run reads what the runs before have missed
    max_active_runs=1,
    doc_md=__doc__,
    tags=["genesys"],
)
def genesys() -> None:
    listed = organizations()
    recorded, built = record(listed), build(listed)
    load.expand(organization=listed) >> recorded >> built
    summarize(listed, recorded, built)


@task(retries=RETRIES, retry_delay=RETRY_DELAY)
def organizations() -> list[dict[str, Any]]:
    """Read and check the list, and see that Meltano and the warehouse work, before anything is loaded."""
    text, source = Variable.get(LIST, default=None), f"The Variable {LIST}"
    if text is None:
        file = PROJECT / "organizations.yml"
        source = str(file)
        if not file.exists():
            raise AirflowFailException(
                f"There is no list of organizations. Write the file {file}, or the Airflow Variable {LIST}"
            )
        text = file.read_text(encoding="utf-8")
    with _final():
        found = read_organizations(text, source, known_settings(PROJECT))
        warehouse = _warehouse()
    # Otherwise the first loads would all create the schema, and Meltano's database, at the same time.
    _create_schema(warehouse)
    ended = run([MELTANO, "state", "list"], folder=PROJECT, environment=inherited(os.environ))
    if ended.status:
        raise AirflowException(f"Meltano does not work in {PROJECT}: {ended.error}")
    return found


@task(
    map_index_template="{{ task.op_kwargs['organization']['organization'] }}",
    max_active_tis_per_dag=AT_ONCE,
    pool=POOL,
    retries=RETRIES,
    retry_delay=RETRY_DELAY,
    retry_exponential_backoff=True,
    execution_timeout=LONGEST_LOAD,
)
def load(organization: dict[str, Any]) -> None:
    """Load one organization, with a state of its own. Its secrets are in the environment of Meltano alone."""
    entry, started = Organization(**organization), datetime.now(timezone.utc)
    try:
        client, warehouse = _client(entry), _warehouse()
    except OrganizationsError as error:
        ended = Ended(1, str(error), final=True)
    else:
        ended = run(
            [MELTANO, "run", "--no-install", TAP, TARGET, "--state-id-suffix", entry.organization],
            folder=PROJECT,
            environment={
                **load_environment(entry, client, warehouse, os.environ),
                "MELTANO_SYS_DIR_ROOT": str(own_system_folder(PROJECT, entry.organization)),
            },
            secrets=[client["client_secret"], *secrets_of(warehouse)],
        )
    outcome = {
        "organization": entry.organization,
        "started_at": started.isoformat(),
        "finished_at": datetime.now(timezone.utc).isoformat(),
        "status": "failed" if ended.status else "success",
        "error": ended.error or None,
    }
    get_current_context()["ti"].xcom_push(OUTCOME, outcome)
    if ended.status:
        kind = AirflowException if ended.may_help else AirflowFailException
        raise kind(f"{entry.organization}: {ended.error}")


@task(trigger_rule="all_done", retries=RETRIES, retry_delay=RETRY_DELAY)
def record(listed: list[dict[str, Any]] | None) -> bool:
    """Write how each load ended into the table ``genesys_runs``, from which the KPIs know it."""
    if not listed:
        raise AirflowFailException(NOTHING)
    with _final():
        warehouse = _warehouse()
    _write(_outcomes(listed), warehouse)
    return True


@task(trigger_rule="all_done")
def build(listed: list[dict[str, Any]] | None) -> bool:
    """Build the KPIs of all organizations, whatever single ones did."""
    if not listed:
        raise AirflowFailException(NOTHING)
    with _final():
        warehouse = _warehouse()
    ended = run(
        [MELTANO, "invoke", "--no-install", "dbt-postgres:build", "--vars", json.dumps(DBT_VARIABLES)],
        folder=PROJECT,
        environment={**inherited(os.environ), **warehouse},
        secrets=secrets_of(warehouse),
    )
    if ended.status:
        raise AirflowFailException(f"dbt build failed: {ended.error}")
    return True


@task(trigger_rule="all_done")
def summarize(  # each is the result of a task, or None if it has none
    listed: list[dict[str, Any]] | None,
    recorded: bool | None,  # noqa: FBT001
    built: bool | None,  # noqa: FBT001
) -> str:
    """Say who failed and why. The run fails if anything did, since this task is its last."""
    if not listed:
        raise AirflowFailException(NOTHING)
    outcomes = _outcomes(listed)
    failed = [each for each in outcomes if each["status"] != "success"]
    lines = [f"{len(outcomes) - len(failed)} of {len(outcomes)} organizations were loaded."]
    lines += [f"{each['organization']} failed: {each['error']}" for each in failed]
    if not recorded:
        lines.append("This could not be written into genesys_runs: see the task 'record'.")
    lines.append("The KPIs were built." if built else "The KPIs were not built: see the task 'build'.")
    text = "\n".join(lines)
    if failed or not recorded or not built:
        raise AirflowFailException(text)
    print(text)  # noqa: T201  # into the log of the task
    return text


def _outcomes(listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How the last try of each load ended. A load that was killed has not said so."""
    context = get_current_context()
    now = datetime.now(timezone.utc)
    unknown = {
        "started_at": (context["dag_run"].start_date or now).isoformat(),
        "finished_at": now.isoformat(),
        "status": "failed",
        "error": "the load ended without saying why: it was killed, or did not start. See its log",
    }
    pull = context["ti"].xcom_pull
    return [
        pull(task_ids="load", map_indexes=index, key=OUTCOME)
        or {**unknown, "organization": entry["organization"]}
        for index, entry in enumerate(listed)
    ]


@contextlib.contextmanager
def _final() -> Iterator[None]:
    """A mistake in the list or in a connection: trying again does not help."""
    try:
        yield
    except OrganizationsError as error:
        raise AirflowFailException(str(error)) from None


def _connection(name: str) -> Any:  # noqa: ANN401  # Airflow's Connection
    try:
        return Connection.get(name)
    except AirflowNotFoundException:
        raise OrganizationsError(
            f"Airflow has no connection {name!r}. Add it: airflow connections add {name} --conn-type generic "
            "--conn-login … --conn-password …"
        ) from None


def _client(entry: Organization) -> dict[str, Any]:
    found = _connection(entry.connection)
    return access(entry, found.login, found.password, found.extra, known_settings(PROJECT))


def _warehouse() -> dict[str, str]:
    """The variables of target-postgres and of dbt, from the connection of the warehouse."""
    found = _connection(WAREHOUSE)
    extra = warehouse_extra(WAREHOUSE, found.extra, known_settings(PROJECT, "loaders", TARGET))
    return {
        "DBT_MARTS_SCHEMA": str(extra.pop("marts_schema")),
        **variables(TARGET, extra),
        "TARGET_POSTGRES_HOST": found.host or "localhost",
        "TARGET_POSTGRES_PORT": str(found.port or 5432),
        "TARGET_POSTGRES_USER": found.login or "postgres",
        "TARGET_POSTGRES_PASSWORD": found.password or "",
        "TARGET_POSTGRES_DATABASE": found.schema or "postgres",
    }


def _create_schema(place: dict[str, str]) -> None:
    """Create the schema of the tables, unless it is there: then this needs no right to create one."""
    schema = place["TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA"]
    with _connected(place, f"The warehouse has no schema {schema}, or does not say") as connection:
        if not connection.execute("select from pg_namespace where nspname = %s", [schema]).rowcount:
            connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))


def _write(outcomes: list[dict[str, Any]], place: dict[str, str]) -> None:
    """Add the runs to ``genesys_runs``, beside the tables of the tap."""
    schema = place["TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA"]
    runs = sql.Identifier(schema, "genesys_runs")
    with _connected(place, f"The outcomes could not be written to {schema}.genesys_runs") as connection:
        connection.execute(sql.SQL(_RUNS).format(runs=runs))
        connection.cursor().executemany(sql.SQL(_RUN).format(runs=runs), outcomes)


@contextlib.contextmanager
def _connected(place: dict[str, str], problem: str) -> Iterator[psycopg.Connection[Any]]:
    """A transaction in the warehouse. If it fails, the error begins with the problem, and shows no secret."""
    try:
        with psycopg.connect(
            host=place["TARGET_POSTGRES_HOST"],
            port=place["TARGET_POSTGRES_PORT"],
            user=place["TARGET_POSTGRES_USER"],
            password=place["TARGET_POSTGRES_PASSWORD"],
            dbname=place["TARGET_POSTGRES_DATABASE"],
            connect_timeout=30,
        ) as connection:
            yield connection
    except psycopg.Error as error:
        raise AirflowException(f"{problem}: {hide(str(error), secrets_of(place))}") from None


genesys()
