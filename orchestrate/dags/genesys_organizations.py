"""The list of organizations, and what Meltano needs to know to load one of them. Nothing of Airflow."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TAP = "tap-genesys-aggregates"
TARGET = "target-postgres"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_KEYS = {"organization", "connection", "settings"}
_OF_THE_CONNECTION = {"client_id", "client_secret"}
_NOT_INHERITED = ("AIRFLOW", "TAP_GENESYS_", "GENESYS_", "TARGET_", "DATABASE_URL", "VIRTUAL_ENV", "PYTHON")
"""Variables of the worker that a load does not see: settings of somebody else, and Airflow's own secrets."""

EXAMPLE = "[{organization: acme, connection: genesys_acme, settings: {region: eu_west_1}}]"


class OrganizationsError(ValueError):
    """The list, or a connection that it names, is wrong. The message says where, and what to write."""


@dataclass(frozen=True)
class Organization:
    """One entry of the list. It contains no secret.

    Attributes:
        organization: The name, which is the tap's setting of that name and the suffix of the state's ID.
        connection: ID of the Airflow connection with the OAuth client.
        settings: Settings of the tap, as text.
    """

    organization: str
    connection: str
    settings: dict[str, str] = field(default_factory=dict)


def read_organizations(text: str, source: str, known: frozenset[str]) -> list[dict[str, Any]]:
    """Read and check the list.

    Args:
        text: A list in YAML or JSON.
        source: Where it was found, for messages.
        known: The settings of the tap.

    Returns:
        An ``Organization`` for each entry, as a dictionary.

    Raises:
        OrganizationsError: The list is wrong.
    """
    try:
        entries = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise OrganizationsError(
            f"{source} is neither YAML nor JSON{place}. Write a list: {EXAMPLE}"
        ) from None
    if not isinstance(entries, list) or not entries:
        raise OrganizationsError(f"{source} must be a list with at least one organization: {EXAMPLE}")
    found = [
        _organization(entry, f"{source}, entry {number}", known) for number, entry in enumerate(entries, 1)
    ]
    names = [each.organization.casefold() for each in found]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise OrganizationsError(
                f"{source}, entry {number + 1}: the organization {found[number].organization!r} is in the "
                "list twice. Their states and rows would meet: remove one, or give it another name"
            )
    return [asdict(each) for each in found]


def _organization(entry: object, place: str, known: frozenset[str]) -> Organization:
    if not isinstance(entry, dict):
        raise OrganizationsError(f"{place} must be an object, not {entry!r}. Write {EXAMPLE[1:-1]}")
    unknown = sorted(map(str, set(entry) - _KEYS))
    if unknown:
        raise OrganizationsError(
            f"{place}: {unknown[0]!r} is not known there. Write organization, connection and settings; "
            "settings of the tap go into settings"
        )
    name = entry.get("organization")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise OrganizationsError(
            f"{place}: organization must be a name of up to 100 letters, digits, '.', '_' and '-', "
            f"not {name!r}"
        )
    connection = entry.get("connection", f"genesys_{name}")
    if not isinstance(connection, str) or not connection:
        raise OrganizationsError(
            f"{place}: connection must be the ID of an Airflow connection, not {connection!r}"
        )
    settings = entry.get("settings") or {}
    if not isinstance(settings, dict):
        raise OrganizationsError(f"{place}: settings must be an object of the tap's settings, such as region")
    return Organization(name, connection, _settings(settings, f"{place} ({name})", connection, known))


def _settings(
    settings: Mapping[object, object], place: str, connection: str, known: frozenset[str]
) -> dict[str, str]:
    for name in settings:
        if name == "organization":
            raise OrganizationsError(f"{place}: remove organization from settings: it is the entry's name")
        if name in _OF_THE_CONNECTION:
            raise OrganizationsError(
                f"{place}: {name} does not belong into the list, which everyone can read. Write it into the "
                f"Airflow connection {connection!r}: client_id is its login, client_secret its password"
            )
        if name not in known:
            raise OrganizationsError(
                f"{place}: {name!r} is not a setting of the tap. Its settings are {', '.join(sorted(known))}"
            )
    return {str(name): _text(value) for name, value in settings.items() if value is not None}


def _text(value: object) -> str:
    """A value as Meltano reads it from a variable."""
    if isinstance(value, str):
        return value
    if isinstance(value, date):
        return value.isoformat()  # YAML turns 2025-01-01 into a date
    return json.dumps(value, default=_text)


def known_settings(project: Path) -> frozenset[str]:
    """The settings of the tap, as ``meltano.yml`` declares them; Meltano would ignore others in silence.

    Args:
        project: The folder of the Meltano project.

    Raises:
        OrganizationsError: There is no such project, or it does not have the tap.
    """
    file = project / "meltano.yml"
    try:
        plugins = yaml.safe_load(file.read_text(encoding="utf-8"))["plugins"]["extractors"]
        (tap,) = (each for each in plugins if each["name"] == TAP)
        return frozenset(each["name"] for each in tap["settings"])
    except OSError as error:
        raise OrganizationsError(
            f"{file} cannot be read: {error.strerror}. Set GENESYS_DAG_PROJECT to the folder of the Meltano "
            "project, for Airflow's scheduler and workers"
        ) from None
    except (yaml.YAMLError, KeyError, TypeError, ValueError):
        raise OrganizationsError(
            f"{file} does not define {TAP} with its settings. Start from the meltano.yml of this repository"
        ) from None


def access(
    connection: str, login: str | None, password: str | None, extra: Mapping[str, Any]
) -> dict[str, Any]:
    """The settings of the tap in an Airflow connection.

    Args:
        connection: The ID of the connection.
        login: The OAuth client's ID.
        password: Its secret.
        extra: More settings of the tap, such as region.

    Raises:
        OrganizationsError: The client is incomplete.
    """
    if not login or not password:
        raise OrganizationsError(
            f"The Airflow connection {connection!r} must have the OAuth client's ID as login and its secret "
            "as password"
        )
    return {**extra, "client_id": login, "client_secret": password}


def load_environment(
    organization: Organization,
    client: Mapping[str, Any],
    warehouse: Mapping[str, str],
    worker: Mapping[str, str],
) -> dict[str, str]:
    """The environment of the load of an organization.

    Args:
        organization: The organization.
        client: The settings in its connection. They take precedence over the list.
        warehouse: The variables of the warehouse.
        worker: The environment of the worker.
    """
    settings = {**organization.settings, **client, "organization": organization.organization}
    return {**inherited(worker), **warehouse, **variables(TAP, settings)}


def variables(plugin: str, settings: Mapping[str, Any]) -> dict[str, str]:
    """Settings of a plugin, as Meltano reads them from the environment."""
    prefix = plugin.upper().replace("-", "_")
    found = {name: value for name, value in settings.items() if value is not None}
    return {f"{prefix}_{name.upper()}": _text(value) for name, value in found.items()}


def secrets_of(warehouse: Mapping[str, str]) -> list[str]:
    """What must not be shown of the variables of the warehouse."""
    url = warehouse.get("TARGET_POSTGRES_SQLALCHEMY_URL", "")
    password = urlsplit(url).password or ""
    return [warehouse.get("TARGET_POSTGRES_PASSWORD", ""), url, password, unquote(password)]


def inherited(worker: Mapping[str, str]) -> dict[str, str]:
    """The environment of the worker, without settings of the tap and without what is Airflow's."""
    return {name: value for name, value in worker.items() if not name.startswith(_NOT_INHERITED)}
