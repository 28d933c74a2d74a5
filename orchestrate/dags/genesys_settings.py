"""The settings of the DAG: variables of the environment of Airflow. Nothing of Airflow."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULTS = {
    "GENESYS_DAG_PROJECT": "/srv/genesys",
    "GENESYS_DAG_MELTANO": "meltano",
    "GENESYS_DAG_SCHEDULE": "17 * * * *",
    "GENESYS_DAG_AT_ONCE": "4",
    "GENESYS_DAG_POOL": "default_pool",
    "GENESYS_DAG_RETRIES": "2",
    "GENESYS_DAG_RETRY_SECONDS": "600",
    "GENESYS_DAG_LONGEST_HOURS": "12",
    "GENESYS_DAG_DBT_VARIABLES": "{}",
}
"""Every variable, and what it is if it is not set or empty."""

_WHOLE = re.compile(r"[0-9]{1,6}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?", re.ASCII)


class SettingsError(ValueError):
    """A variable has a value that cannot be used. Airflow shows the message as an import error of the DAG."""


@dataclass(frozen=True)
class Settings:
    """The settings of the DAG.

    Attributes:
        project: The folder of the Meltano project, on every worker.
        meltano: The command.
        schedule: When the DAG runs, as Airflow writes it.
        at_once: How many organizations are loaded at the same time.
        pool: The pool of their tasks.
        retries: How often a task is tried again.
        retry_delay: How long it waits before.
        longest_load: When a load is stopped.
        dbt_variables: The variables of dbt.
    """

    project: Path
    meltano: str
    schedule: str
    at_once: int
    pool: str
    retries: int
    retry_delay: timedelta
    longest_load: timedelta
    dbt_variables: dict[str, Any]


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read and check the variables.

    Args:
        environment: The environment of Airflow.

    Raises:
        SettingsError: A variable has a value that cannot be used.
    """
    given = {name: environment.get(name, "").strip() or default for name, default in DEFAULTS.items()}
    return Settings(
        project=_folder(given, "GENESYS_DAG_PROJECT"),
        meltano=given["GENESYS_DAG_MELTANO"],
        schedule=given["GENESYS_DAG_SCHEDULE"],
        at_once=int(_number(given, "GENESYS_DAG_AT_ONCE", _WHOLE, "a whole number above 0", above=0)),
        pool=given["GENESYS_DAG_POOL"],
        retries=int(_number(given, "GENESYS_DAG_RETRIES", _WHOLE, "a whole number, or 0")),
        retry_delay=timedelta(
            seconds=_number(given, "GENESYS_DAG_RETRY_SECONDS", _NUMBER, "a number of seconds, or 0")
        ),
        longest_load=timedelta(
            hours=_number(given, "GENESYS_DAG_LONGEST_HOURS", _NUMBER, "a number of hours above 0", above=0)
        ),
        dbt_variables={"using_organizations": True, **_object(given, "GENESYS_DAG_DBT_VARIABLES")},
    )


def _number(
    given: Mapping[str, str], name: str, form: re.Pattern[str], wanted: str, above: float = -1
) -> float:
    text = given[name]
    if not form.fullmatch(text) or float(text) <= above:
        raise SettingsError(f"{name} must be {wanted}, such as {DEFAULTS[name]}, not {text!r}")
    return float(text)


def _folder(given: Mapping[str, str], name: str) -> Path:
    folder = Path(given[name])
    if not folder.is_absolute():
        raise SettingsError(
            f"{name} must be the whole path of the Meltano project, such as {DEFAULTS[name]}, "
            f"not {given[name]!r}"
        )
    return folder


def _object(given: Mapping[str, str], name: str) -> dict[str, Any]:
    try:
        found = json.loads(given[name])
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise SettingsError(f'{name} must be a JSON object, such as {{"genesys_time_zone": "Europe/London"}}')
    return found
