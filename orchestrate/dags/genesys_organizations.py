"""The list of organizations, and what Meltano needs to know to load one of them. Nothing of Airflow."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

TAP = "tap-genesys-aggregates"
TARGET = "target-postgres"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_KEYS = {"organization", "connection", "settings"}
_FIELDS = {"client_id": "login", "client_secret": "password"}
"""Settings of the tap that are fields of an organization's connection."""
_WAREHOUSE_FIELDS = {
    "host": "host",
    "port": "port",
    "user": "login",
    "password": "password",
    "database": "schema",
}
"""Settings of the target that are fields of the warehouse's connection."""
_MARTS_SCHEMA = "marts_schema"
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
    elsewhere = {
        name: "does not belong into the list, which everyone can read. It is the "
        f"{field} of the Airflow connection {connection!r}: write it there"
        for name, field in _FIELDS.items()
    }
    elsewhere["organization"] = "must not be in settings: it is the entry's name. Remove it"
    _check_names(settings, place, TAP, known, elsewhere)
    return {str(name): _text(value) for name, value in settings.items() if value is not None}


def _check_names(
    names: Iterable[object],
    place: str,
    plugin: str,
    known: Iterable[str],
    elsewhere: Mapping[str, str],
) -> None:
    """Refuse names that Meltano would ignore in silence, and those that are set elsewhere."""
    for name in map(str, names):
        if name in elsewhere:
            raise OrganizationsError(f"{place}: {name} {elsewhere[name]}")
        if name not in known:
            possible = sorted(set(known) - set(elsewhere))
            close = difflib.get_close_matches(name.lower(), possible, n=1)
            advice = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(possible)}"
            raise OrganizationsError(f"{place}: {plugin} has no setting {name!r} in meltano.yml; {advice}")


def _text(value: object) -> str:
    """A value as Meltano reads it from a variable."""
    if isinstance(value, str):
        return value
    if isinstance(value, date):
        return value.isoformat()  # YAML turns 2025-01-01 into a date
    return json.dumps(value, default=_text)


def known_settings(project: Path, kind: str = "extractors", plugin: str = TAP) -> frozenset[str]:
    """The settings of a plugin, as ``meltano.yml`` declares them.

    Args:
        project: The folder of the Meltano project.
        kind: The kind of the plugin.
        plugin: Its name.

    Raises:
        OrganizationsError: There is no such project, or it does not have the plugin with its settings.
    """
    file = project / "meltano.yml"
    advice = "Set GENESYS_DAG_PROJECT, for the scheduler and the workers of Airflow, to the folder of"
    try:
        plugins = yaml.safe_load(file.read_text(encoding="utf-8"))["plugins"][kind]
        (found,) = (each for each in plugins if each["name"] == plugin)
        return frozenset(each["name"] for each in found["settings"])
    except OSError as error:
        raise OrganizationsError(
            f"{file} cannot be read: {error.strerror}. {advice} the Meltano project"
        ) from None
    except (yaml.YAMLError, KeyError, TypeError, ValueError):
        raise OrganizationsError(
            f"{file} does not define {plugin} with its settings. {advice} a project that does, "
            "or copy the definition from the meltano.yml of this repository"
        ) from None


def access(
    organization: Organization,
    login: str | None,
    password: str | None,
    extra: str | None,
    known: frozenset[str],
) -> dict[str, Any]:
    """The settings of the tap in the Airflow connection of an organization.

    Args:
        organization: The organization.
        login: The OAuth client's ID.
        password: Its secret.
        extra: More settings of the tap, such as region, as JSON.
        known: The settings of the tap.

    Raises:
        OrganizationsError: The client is incomplete, or the extra is wrong.
    """
    if not login or not password:
        raise OrganizationsError(
            f"the Airflow connection {organization.connection!r} must have the OAuth client's ID as login "
            "and its secret as password"
        )
    elsewhere = _elsewhere(_FIELDS)
    elsewhere["organization"] = f"is {organization.organization!r} in the list. Remove it from the extra"
    settings = _extra(organization.connection, extra, TAP, known, elsewhere)
    return {**settings, "client_id": login, "client_secret": password}


def warehouse_extra(connection: str, extra: str | None, known: frozenset[str]) -> dict[str, Any]:
    """The settings of the target in the warehouse's Airflow connection, beside its fields, and both schemas.

    Args:
        connection: The ID of the connection.
        extra: The extra, as JSON.
        known: The settings of the target.

    Raises:
        OrganizationsError: The extra is wrong.
    """
    settings = _extra(connection, extra, TARGET, known | {_MARTS_SCHEMA}, _elsewhere(_WAREHOUSE_FIELDS))
    return {"default_target_schema": "genesys", _MARTS_SCHEMA: "genesys_marts", **settings}


def _elsewhere(fields: Mapping[str, str]) -> dict[str, str]:
    return {
        name: f"is the connection's {field}. Write it there, and remove it from the extra"
        for name, field in fields.items()
    }


def _extra(
    connection: str,
    text: str | None,
    plugin: str,
    known: frozenset[str],
    elsewhere: Mapping[str, str],
) -> dict[str, Any]:
    """Read the extra of a connection, which may contain secrets: no message shows a value."""
    place = f"the extra of the Airflow connection {connection!r}"
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise OrganizationsError(f"{place} must be a JSON object of settings of {plugin}, or empty")
    _check_names(found, place, plugin, known, elsewhere)
    return {name: value for name, value in found.items() if value is not None}


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
