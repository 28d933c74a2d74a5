"""Options of the data source: the tap's settings by their names, for one organization or a list of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tap_genesys_aggregates.config.settings import Settings
from tap_genesys_aggregates.config.settings_table import SETTINGS
from tap_genesys_aggregates.core.errors import SettingError, TapError
from tap_genesys_aggregates.spark.references import Reference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ORGANIZATIONS = "organizations"
"""The option with a list of organizations. What an entry sets overrides the option of the same name."""
TABLE = "path"
"""The option that holds the argument of ``load``."""
_LATER = "-"
"""Stands for what only executors look up. It is too short to be masked in messages."""

Config = dict[str, object]


def read_configs(options: Mapping[str, str]) -> list[Config]:
    """The config of each organization, its references not looked up.

    Args:
        options: The options, without ``TABLE``.

    Returns:
        At least one config. If there are several, each has another ``organization``.

    Raises:
        SettingError: ``organizations`` is not a list of organizations.
    """
    shared: Config = {name: value for name, value in options.items() if name != ORGANIZATIONS}
    if ORGANIZATIONS not in options:
        return [shared]
    try:
        entries = json.loads(options[ORGANIZATIONS])
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, list) or not entries or not all(isinstance(each, dict) for each in entries):
        raise SettingError(
            f"{ORGANIZATIONS} must be a list of objects as JSON text, one for each organization",
            'Such as [{"organization": "acme", "client_id": "…", "client_secret": {"env": "ACME_SECRET"}}]',
        )
    names = [each.get("organization") for each in entries]
    for number, name in enumerate(names):
        if not isinstance(name, str) or not name:
            raise SettingError(f"{ORGANIZATIONS}[{number}] needs a name, as the setting organization")
        if name in names[:number]:
            raise SettingError(f"{ORGANIZATIONS} has {name!r} twice", "Remove one, or give it its own name")
    return [{**shared, **each} for each in entries]


def planned_settings(config: Config) -> Settings:
    """The settings as far as the driver knows them: without the values of references.

    Raises:
        SettingError: A setting is wrong.
    """
    return _settings(config, lambda _name, _reference: _LATER)


def resolved_settings(config: Config) -> Settings:
    """The settings on an executor, with the values of references.

    Raises:
        SettingError: A value cannot be looked up, or it is wrong.
    """
    return _settings(config, lambda name, reference: reference.look_up(name))


def of_organization(config: Config, error: TapError) -> TapError:
    """An error with the organization in front, if it has a name, and without the way to it."""
    if config.get("organization"):
        error.what = f"organization {config['organization']!r}: {error.what}"
    return error.with_traceback(None)


def _settings(config: Config, value_of: Callable[[str, Reference], str]) -> Settings:
    """The settings; the values of references are what a function returns."""
    filled = dict(config)
    for name, value in config.items():
        reference = Reference.read(name, value)
        if reference is not None:
            filled[name] = value_of(name, reference)
    for setting in SETTINGS.values():
        # The tap's own message advises an environment variable, and those do not count here.
        if setting.required and filled.get(setting.name) is None:
            advice = f"{setting.description} Set it as an option, or in the entry of the organization"
            raise SettingError(f"{setting.name} is required", advice)
    return Settings.read(filled)
