"""The config as the SDK passes it: from files and variables, with the settings that the SDK adds."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from jsonschema.exceptions import best_match
from singer_sdk.configuration._dict_config import parse_environment_config
from singer_sdk.plugin_base import _ConfigInput
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR

from tap_genesys_aggregates.config.settings_table import SETTINGS
from tap_genesys_aggregates.core.errors import SettingError
from tap_genesys_aggregates.singer.input_files import read_json_object

if TYPE_CHECKING:
    from collections.abc import Mapping


def config_input(paths: tuple[str, ...]) -> _ConfigInput:
    """What ``--config`` options name.

    Args:
        paths: Paths of JSON files, of which later ones take precedence, and ENV.

    Returns:
        The config of the files, and whether variables are read too.

    Raises:
        SettingError: A file does not hold a config.
    """
    found = _ConfigInput(parse_env="ENV" in paths)
    for path in paths:
        if path != "ENV":
            found.config.update(read_json_object(path, "--config"))
    return found


def settings_of_environment(properties: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The settings that environment variables hold.

    Args:
        properties: JSON schema of every setting, by name.
        prefix: What the names of the variables begin with.

    Returns:
        The settings. Our own are text, which ``Settings.read`` converts.

    Raises:
        SettingError: The variable of one of the SDK's settings is not valid.
    """
    parse_environment_config({}, prefix)  # reads .env
    found: dict[str, Any] = {}
    for name, schema in properties.items():
        variable = f"{prefix}{name.upper()}"
        text = os.environ.get(variable)
        if text and name in SETTINGS:
            found[name] = text
        elif text:
            try:
                found |= parse_environment_config({"properties": {name: schema}}, prefix)
            except ValueError:
                raise SettingError(f"{variable} is not valid", schema.get("description", "")) from None
    return found


def check_sdk_settings(config: Mapping[str, object], properties: Mapping[str, Any]) -> None:
    """Check the settings that the SDK adds, such as ``stream_maps``, against the SDK's own schema.

    Args:
        config: The config.
        properties: JSON schema of every setting, by name.

    Raises:
        SettingError: One of them is not valid.
    """
    for name in sorted(config.keys() - SETTINGS.keys()):
        try:
            error = best_match(DEFAULT_JSONSCHEMA_VALIDATOR(properties[name]).iter_errors(config[name]))
        except AttributeError:  # the SDK's schema of __else__ is not a schema; the mapper itself checks it
            continue
        if error is not None:
            raise SettingError(f"{name}: {error.message[:200]}", properties[name].get("description", ""))
