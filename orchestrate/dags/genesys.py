"""Loads many organizations into one warehouse, each in a task of its own, then builds the KPIs once.

What to set up, and what the tasks do: docs/many-organizations.md, "Airflow".
"""

from __future__ import annotations

import contextlib
import json
import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import psycopg
from airflow.sdk import Connection, Variable, dag, get_current_context, task
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
    AirflowTimetableInvalid,
)
from genesys_meltano import Ended, hide, own_system_folder, run
from genesys_organizations import (
    TAP,
    TARGET,
    Organization,
    OrganizationsError,
    access,
    check_dbt_variables,
    inherited,
    known_settings,
    load_environment,
    read_file,
    read_organizations,
    secrets_of,
    warehouse_variables,
)
from genesys_settings import SettingsError, read_settings
from genesys_summary import not_built, summary
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS = read_settings(os.environ)
LIST = "genesys_organizations"
"""The Airflow Variable with the list of organizations; without it, ``organizations.yml`` of the project."""
WAREHOUSE = "genesys_warehouse"
"""The Airflow connection of the warehouse."""
OUTCOME = "outcome"
NOTHING = "Nothing was loaded: the task 'organizations' says why"

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
    schedule=SETTINGS.schedule,
    start_date=datetime(2025, 1, 1, tzinfo=timezone.utc),
    catchup=False,  # each run reads what the runs before have missed
    max_active_runs=1,
    max_active_tasks=SETTINGS.at_once,  # Airflow's default would be the limit otherwise
    doc_md=__doc__,
    tags=["genesys"],
)
def genesys() -> None:
    listed = organizations()
    recorded, built = record(listed), build(listed)
    load.expand(organization=listed) >> recorded >> built
    summarize(listed, recorded, built)


@task(retries=SETTINGS.retries, retry_delay=SETTINGS.retry_delay)
def organizations() -> list[dict[str, Any]]:
    """Read and check the list, and see that Meltano and the warehouse work, before anything is loaded."""
    with _final():
        found = _list()
        check_dbt_variables(SETTINGS.project, SETTINGS.dbt_variables)
        warehouse = _warehouse()
    # Otherwise the first loads would all create the schema, and Meltano's database, at the same time.
    _create_schema(warehouse)
    ended = run(
        [SETTINGS.meltano, "state", "list"], folder=SETTINGS.project, environment=inherited(os.environ)
    )
    if ended.status:
        kind = AirflowException if ended.may_help else AirflowFailException
        raise kind(f"Meltano does not work in {SETTINGS.project}: {ended.error}")
    return found


def _list() -> list[dict[str, Any]]:
    """Read the list: the Variable, or else the file."""
    known = known_settings(SETTINGS.project)
    text, source = Variable.get(LIST, default=None), f"The Variable {LIST}"
    file = SETTINGS.project / "organizations.yml"
    if text is None:
        text, source = read_file(file, f"Write this file, or the Airflow Variable {LIST}"), str(file)
    elif file.exists():
        print(f"{file} is not read, because there is the Variable {LIST}")  # noqa: T201  # into the log
    found = read_organizations(text, source, known, most=conf.getint("core", "max_map_length", fallback=1024))
    print(f"{source} has {len(found)} organizations")  # noqa: T201  # into the log of the task
    return found


@task(
    map_index_template="{{ task.op_kwargs['organization']['organization'] }}",
    max_active_tis_per_dag=SETTINGS.at_once,
    pool=SETTINGS.pool,
    retries=SETTINGS.retries,
    retry_delay=SETTINGS.retry_delay,
    retry_exponential_backoff=True,
    execution_timeout=SETTINGS.longest_load,
)
def load(organization: dict[str, Any]) -> None:
    """Load one organization, with a state of its own. Its secrets are in the environment of Meltano alone."""
    entry, started = Organization(**organization), datetime.now(timezone.utc)
    try:
        ended = _meltano_run(entry)
    except OrganizationsError as error:
        ended = Ended(1, str(error), final=True)
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


def _meltano_run(entry: Organization) -> Ended:
    client, warehouse = _client(entry), _warehouse()
    try:
        own = own_system_folder(SETTINGS.project, entry.organization)
    except OSError as error:
        return Ended(1, f"this worker cannot write into the Meltano project: {error}")
    return run(
        [SETTINGS.meltano, "run", "--no-install", TAP, TARGET, "--state-id-suffix", entry.organization],
        folder=SETTINGS.project,
        environment={
            **load_environment(entry, client, warehouse, os.environ),
            "MELTANO_SYS_DIR_ROOT": str(own),
        },
        secrets=[client["client_secret"], *secrets_of(warehouse)],
    )


@task(trigger_rule="all_done", retries=SETTINGS.retries, retry_delay=SETTINGS.retry_delay)
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
        [
            SETTINGS.meltano,
            "invoke",
            "--no-install",
            "dbt-postgres:build",
            "--vars",
            json.dumps(SETTINGS.dbt_variables),
        ],
        folder=SETTINGS.project,
        environment={**inherited(os.environ), **warehouse},
        secrets=secrets_of(warehouse),
    )
    if ended.status:
        raise AirflowFailException(not_built(ended.error))
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
    text = summary(outcomes, recorded=bool(recorded), built=bool(built))
    if not (recorded and built and all(each["status"] == "success" for each in outcomes)):
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


def _connection(name: str, parts: str) -> Any:  # noqa: ANN401  # Airflow's Connection
    try:
        return Connection.get(name)
    except AirflowNotFoundException:
        raise OrganizationsError(
            f"Airflow has no connection {name!r}, or cannot read it. Add it: airflow connections add {name} "
            f"--conn-type generic {parts}"
        ) from None


def _client(entry: Organization) -> dict[str, Any]:
    found = _connection(entry.connection, "--conn-login … --conn-password …")
    return access(entry, found.login, found.password, found.extra, known_settings(SETTINGS.project))


def _warehouse() -> dict[str, str]:
    """The variables of target-postgres and of dbt, from the connection of the warehouse."""
    found = _connection(
        WAREHOUSE, "--conn-host … --conn-port … --conn-login … --conn-password … --conn-schema …"
    )
    fields = {
        "host": found.host,
        "port": found.port or 5432,
        "login": found.login,
        "password": found.password or "",
        "schema": found.schema,
    }
    known = known_settings(SETTINGS.project, "loaders", TARGET)
    return warehouse_variables(WAREHOUSE, fields, found.extra, known)


def _create_schema(place: dict[str, str]) -> None:
    """Create the schema of the tables, unless it is there: then this needs no right to create one."""
    schema = place["TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA"]
    problem = f"The schema {schema} cannot be found or created with the Airflow connection {WAREHOUSE!r}"
    with _connected(place, problem) as connection:
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


try:
    genesys().validate()
except AirflowTimetableInvalid as error:
    raise SettingsError(
        "GENESYS_DAG_SCHEDULE must be a cron expression such as '17 * * * *', or a name such as @daily: "
        f"{error}"
    ) from None
