"""The SDK's log on the command line: set up, and without the lines that mislead."""

from __future__ import annotations

import logging
import sys

from singer_sdk._logging import _setup_console_logging
from singer_sdk.plugin_base import _plugin_log_level
from typing_extensions import override

from tap_genesys_aggregates.core.errors import SettingError, TapError

_VARIABLES = "SINGER_SDK_LOG_CONFIG, TAP_GENESYS_AGGREGATES_LOGLEVEL and LOGLEVEL"


class _WithoutMisleadingLines(logging.Filter):
    """Drops what is not true: that variables are not read, and that a handled error is unhandled."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        text = str(record.msg)
        if text.startswith("Skipping parse of env var settings"):
            return False  # what the config lacks is taken from variables (config/settings.py)
        return not (text.startswith("An unhandled error") and isinstance(sys.exc_info()[1], TapError))


def set_up_log(plugin: str) -> None:
    """Set up logging as the SDK does, with its format, its level and the user's own file.

    Args:
        plugin: Name of the tap.

    Raises:
        SettingError: The user's file or a level is wrong.
    """
    try:
        _setup_console_logging(log_level=_plugin_log_level(plugin_name=plugin))
    except Exception as error:  # noqa: BLE001  # YAML, and whatever the classes in the file raise
        cause = f": {error.__cause__}" if error.__cause__ else ""
        what = f"logging cannot be set up ({type(error).__name__}: {error}{cause})"
        raise SettingError(what, f"Check {_VARIABLES}") from None
    for handler in logging.getLogger().handlers:
        handler.addFilter(_WithoutMisleadingLines())
