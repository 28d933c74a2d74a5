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
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

TAP = "tap-genesys-aggregates"
TARGET = "target-postgres"
_LONGEST_NAME = 100
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.-]{{0,{_LONGEST_NAME - 1}}}")
_KINDS: dict[type, str] = {
    type(None): "nothing",
    bool: "yes or no",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}
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

_ADVICE = "Set GENESYS_DAG_PROJECT, for the scheduler and the workers of Airflow, to the folder of"

EXAMPLE = "[{organization: acme, connection: genesys_acme, settings: {region: eu_west_1}}]"


class OrganizationsError(ValueError):
    """The list, a connection or the project is wrong. The message says where, and what to write."""


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


def read_file(file: Path, advice: str) -> str:
    """Read a file of the project.

    Args:
        file: The file.
        advice: What to do if it is missing.

    Raises:
        OrganizationsError: It cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise OrganizationsError(f"{file} does not exist. {advice}") from None
    except OSError as error:
        raise OrganizationsError(
            f"{file} cannot be read: {error.strerror}. Let the user of Airflow's workers read it"
        ) from None
    except UnicodeDecodeError:
        raise OrganizationsError(f"{file} is not in UTF-8. Save it with this encoding") from None


def read_organizations(
    text: str, source: str, known: frozenset[str], most: int = 1024
) -> list[dict[str, Any]]:
    """Read and check the list.

    Args:
        text: A list in YAML or JSON.
        source: Where it was found, for messages.
        known: The settings of the tap.
        most: How many tasks Airflow makes of one list.

    Returns:
        An ``Organization`` for each entry, as a dictionary.

    Raises:
        OrganizationsError: The list is wrong.
    """
    entries = _entries(text, source)
    if not isinstance(entries, list) or not entries:
        raise OrganizationsError(f"{source} must be a list with at least one organization: {EXAMPLE}")
    if len(entries) > most:
        raise OrganizationsError(
            f"{source} has {len(entries)} organizations, but Airflow makes at most {most} tasks of a list. "
            f"Set AIRFLOW__CORE__MAX_MAP_LENGTH={len(entries)} or more for every part of Airflow, and "
            "restart it"
        )
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


def _entries(text: str, source: str) -> object:
    """The list as it is written. A key that is there twice is refused: the first would be lost in silence."""
    try:
        node = yaml.compose(text, yaml.SafeLoader)
        for key in _repeated(node):
            raise OrganizationsError(
                f"{source}, line {key.start_mark.line + 1}: {key.value!r} is there twice in one entry. "
                "Begin each organization with a dash, and write each key once"
            )
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise OrganizationsError(
            f"{source} is neither YAML nor JSON{place}. Write a list: {EXAMPLE}"
        ) from None


def _repeated(node: yaml.Node | None) -> Iterator[yaml.Node]:
    """The keys of entries, and of their settings, that were there before."""
    entries = node.value if isinstance(node, yaml.SequenceNode) else []
    for entry in entries:
        values = [value for _, value in entry.value] if isinstance(entry, yaml.MappingNode) else []
        for each in (entry, *values):
            keys = [key for key, _ in each.value] if isinstance(each, yaml.MappingNode) else []
            names = [str(key.value) for key in keys]
            yield from (key for number, key in enumerate(keys) if names[number] in names[:number])


def _organization(entry: object, place: str, known: frozenset[str]) -> Organization:
    if not isinstance(entry, dict):
        raise OrganizationsError(f"{place} must be an object, not {_kind(entry)}. Write {EXAMPLE[1:-1]}")
    name = entry.get("organization")
    if isinstance(name, str):
        place = f"{place} ({name if _NAME.fullmatch(name) else repr(name[:_LONGEST_NAME])})"
    connection = entry.get("connection", f"genesys_{name}")
    _check_keys(entry, place, connection)
    _check_name(name, place)
    if not isinstance(connection, str) or not connection:
        raise OrganizationsError(
            f"{place}: connection must be the ID of an Airflow connection, not {_kind(connection)}"
        )
    settings = entry.get("settings") or {}
    if not isinstance(settings, dict):
        raise OrganizationsError(f"{place}: settings must be an object of the tap's settings, such as region")
    return Organization(str(name), connection, _settings(settings, place, connection, known))


def _check_keys(entry: Iterable[object], place: str, connection: object) -> None:
    for key in map(str, entry):
        if key in _FIELDS:
            raise OrganizationsError(f"{place}: {key} {_not_in_the_list(key, connection)}")
        if key not in _KEYS:
            raise OrganizationsError(
                f"{place}: {key!r} is not known there. Write organization, connection and settings; "
                "settings of the tap go into settings"
            )


def _check_name(name: object, place: str) -> None:
    if not isinstance(name, str | None):
        raise OrganizationsError(
            f"{place}: organization must be text, but YAML reads {_kind(name)} there. "
            "Put the name into quotes"
        )
    if name is None or not _NAME.fullmatch(name):
        raise OrganizationsError(
            f"{place}: organization must be a name of up to {_LONGEST_NAME} letters from a to z, digits, "
            "'.', '_' and '-', which begins with a letter or a digit. Choose one; it need not be the name "
            "in Genesys Cloud"
        )


def _kind(value: object) -> str:
    """What a value is; not the value itself, which may be a secret in the wrong place."""
    return _KINDS.get(type(value), "a date" if isinstance(value, date) else "something else")


def _not_in_the_list(name: str, connection: object) -> str:
    return (
        "does not belong in the list, which everyone can read. It is the "
        f"{_FIELDS[name]} of the Airflow connection {connection!r}: write it there"
    )


def _settings(
    settings: Mapping[object, object], place: str, connection: str, known: frozenset[str]
) -> dict[str, str]:
    elsewhere = {name: _not_in_the_list(name, connection) for name in _FIELDS}
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
            advice = _closest(name, set(known) - set(elsewhere))
            raise OrganizationsError(f"{place}: {plugin} has no setting {name!r} in meltano.yml; {advice}")


def _closest(name: str, known: Iterable[str]) -> str:
    possible = sorted(known)
    close = difflib.get_close_matches(name.lower(), possible, n=1)
    return f"did you mean {close[0]!r}?" if close else f"it has {', '.join(possible)}"


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
    try:
        plugins = yaml.safe_load(file.read_text(encoding="utf-8"))["plugins"][kind]
        (found,) = (each for each in plugins if each["name"] == plugin)
        return frozenset(each["name"] for each in found["settings"])
    except OSError as error:
        raise OrganizationsError(
            f"{file} cannot be read: {error.strerror}. {_ADVICE} the Meltano project"
        ) from None
    except (yaml.YAMLError, KeyError, TypeError, ValueError):
        raise OrganizationsError(
            f"{file} does not define {plugin} with its settings. {_ADVICE} a project that does, "
            "or copy the definition from the meltano.yml of this repository"
        ) from None


def check_dbt_variables(project: Path, names: Iterable[str]) -> None:
    """Refuse variables that dbt would ignore in silence, since its project does not have them.

    Args:
        project: The folder of the Meltano project.
        names: The variables.

    Raises:
        OrganizationsError: The dbt project does not have one of them.
    """
    file = project / "transform" / "dbt_project.yml"
    try:
        given = yaml.safe_load(file.read_text(encoding="utf-8"))["vars"]
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
        return  # it is elsewhere, or dbt says what is wrong with it
    known = {*given, *(name for each in given.values() if isinstance(each, dict) for name in each)}
    for name in names:
        if name not in known:
            raise OrganizationsError(
                f"GENESYS_DAG_DBT_VARIABLES: {file} has no variable {name!r}; {_closest(name, known)}"
            )


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


def warehouse_variables(
    connection: str, fields: Mapping[str, Any], extra: str | None, known: frozenset[str]
) -> dict[str, str]:
    """The variables of target-postgres and of dbt, from the Airflow connection of the warehouse.

    Args:
        connection: The ID of the connection.
        fields: Its fields: host, port, login, password, schema.
        extra: Its extra, as JSON: more settings of the target, and both schemas.
        known: The settings of the target.

    Raises:
        OrganizationsError: A field is missing, or the extra is wrong.
    """
    missing = [each for each in ("host", "login", "schema") if not fields[each]]
    if missing:
        raise OrganizationsError(
            f"the Airflow connection {connection!r} has no {' and no '.join(missing)}. It must have the "
            "warehouse's host, login and password, and the name of the database as schema"
        )
    more = _extra(connection, extra, TARGET, known | {_MARTS_SCHEMA}, _elsewhere(_WAREHOUSE_FIELDS))
    settings = {
        "default_target_schema": "genesys",
        **more,
        **{name: fields[field] for name, field in _WAREHOUSE_FIELDS.items()},
    }
    marts = settings.pop(_MARTS_SCHEMA, "genesys_marts")
    return {"DBT_MARTS_SCHEMA": str(marts), **variables(TARGET, settings)}


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
