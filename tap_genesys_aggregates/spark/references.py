"""References: where the credentials of an organization are, to be looked up on an executor and nowhere else.

So no plan, no task and no event log of Spark has a secret in it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import msgspec

from tap_genesys_aggregates.core.errors import SettingError

REFERABLE = ("client_id", "client_secret")
"""The settings that may be references. The driver plans with every other one."""
_FORMS = '{"env": "NAME"}, {"file": "path"} or {"databricks": {"scope": "name", "key": "name"}}'

_Name = Annotated[str, msgspec.Meta(min_length=1)]


class DatabricksSecret(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A secret that Databricks keeps."""

    scope: _Name
    key: _Name


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the value of a setting is; exactly one attribute is set.

    Attributes:
        env: Name of an environment variable.
        file: Path of a file that holds the value and nothing else.
        databricks: A secret of the workspace.
    """

    env: _Name | None = None
    file: _Name | None = None
    databricks: DatabricksSecret | None = None

    @classmethod
    def read(cls, name: str, value: object) -> Reference | None:
        """The reference that is given as the value of a setting.

        Args:
            name: The setting.
            value: An object, the same as JSON text, or any other value.

        Returns:
            The reference; None if the value is not an object.

        Raises:
            SettingError: The object is not a reference, or this setting cannot be one.
        """
        if isinstance(value, str) and value.startswith("{"):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                return None
        if not isinstance(value, dict):
            return None
        if name not in REFERABLE:
            if value.keys() & set(cls.__struct_fields__):
                what = f"{name} cannot be a reference, because the driver plans with it"
                raise SettingError(what, f"Only {' and '.join(REFERABLE)} can; give the value itself")
            return None
        try:
            found = msgspec.convert(value, cls)
        except msgspec.ValidationError:
            found = cls()
        if [found.env, found.file, found.databricks].count(None) != len(cls.__struct_fields__) - 1:
            raise SettingError(f"{name} is not a reference", f"References are {_FORMS}")
        return found

    def look_up(self, name: str) -> str:
        """The value of a setting.

        Args:
            name: The setting.

        Raises:
            SettingError: There is none.
        """
        if self.env is not None:
            value = os.environ.get(self.env)
            if not value:
                what = f"{name}: the executor has no environment variable {self.env}"
                raise SettingError(what, "Set it for the Python workers of every executor")
            return value
        if self.file is not None:
            return _content(name, self.file)
        return _databricks(name, self.databricks or DatabricksSecret("", ""))


def _content(name: str, path: str) -> str:
    """The content of a file, without the line end that editors add."""
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        what = f"{name}: the executor cannot read {path}: {reason}"
        raise SettingError(what, "Put the file on every executor, readable for its Python workers") from None


def _databricks(name: str, secret: DatabricksSecret) -> str:
    """A secret of Databricks, through its SDK, which finds the workspace and who asks by itself."""
    place = f"{name}: the secret {secret.key} of scope {secret.scope}"
    try:
        from databricks.sdk import WorkspaceClient  # noqa: PLC0415  # only where it is used
    except ImportError:
        raise SettingError(
            f"{place} needs the package databricks-sdk", "Install it on every executor"
        ) from None
    try:
        return str(WorkspaceClient().dbutils.secrets.get(scope=secret.scope, key=secret.key))
    except Exception as error:  # noqa: BLE001  # whatever the SDK raises
        what = f"{place} cannot be read ({type(error).__name__}: {str(error)[:200]})"
        advice = (
            "Let the executor read it, or give its cluster an environment variable with it and refer to that"
        )
        raise SettingError(what, advice) from None
