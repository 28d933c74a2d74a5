"""The database and the schema that target-postgres loads into, so that nobody has to configure them twice.

They are in its variables (``TARGET_POSTGRES_HOST``, …). In a Meltano project they may also be in
``meltano.yml`` or in Meltano's own database, so Meltano is asked: it passes a plugin its own settings only.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_genesys_aggregates.core.errors import SettingError
from tap_genesys_aggregates.core.redaction import remember_password

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_SCHEMA = "tap_genesys_aggregates"
"""Where target-postgres puts the tables of this tap if it is not told otherwise."""
URL_FORM = "postgresql://user:password@host/database"
LOADER = "target-postgres"
_PREFIX = "TARGET_POSTGRES_"
_PARTS = {
    "host": "host",
    "port": "port",
    "user": "user",
    "password": "password",
    "database": "dbname",
    "ssl_mode": "sslmode",
    "ssl_certificate_authority": "sslrootcert",
}
"""Settings of target-postgres → parameters of libpq."""
_OTHERS = ("sqlalchemy_url", "default_target_schema", "ssl_enable")
_TIMEOUT = 120
"""Seconds for Meltano to answer."""


@dataclass(frozen=True)
class Database:
    """How to connect to a database.

    Attributes:
        source: Where this was configured, for messages.
        url: A URL, as libpq or SQLAlchemy has it.
        parts: Parameters of libpq, if there is no URL.
    """

    source: str
    url: str = field(default="", repr=False)
    parts: Mapping[str, str] = field(default_factory=dict, repr=False)


class TargetPostgres:
    """The settings of target-postgres, which are only looked up once they are needed."""

    def __init__(self, environment: Mapping[str, str], loader: str | None = None) -> None:
        """Prepare; nothing is looked up yet.

        Args:
            environment: The environment variables.
            loader: The name of the loader in the Meltano project.
        """
        self._environment = environment
        self._loader = loader or LOADER

    def database(self) -> Database:
        """The database that target-postgres loads into.

        Raises:
            SettingError: It is not configured, or Meltano could not be asked.
        """
        source = f"the settings of {self._loader} ({_PREFIX}…)"
        if self._settings.get("sqlalchemy_url"):
            return Database(source, url=self._settings["sqlalchemy_url"])
        missing = [name for name in ("host", "user", "database") if not self._settings.get(name)]
        if missing:
            variables = ", ".join(f"{_PREFIX}{name.upper()}" for name in missing)
            raise SettingError(
                "DATABASE_URL is not set",
                f"Set this variable to {URL_FORM}, or configure {self._loader} (not set: {variables})",
            )
        if self._settings.get("ssl_enable", "").lower() not in {"true", "1", "yes"}:
            names = {name: part for name, part in _PARTS.items() if not name.startswith("ssl_")}
        else:
            names = _PARTS
        parts = {part: self._settings[name] for name, part in names.items() if self._settings.get(name)}
        return Database(source, parts=parts)

    def schema(self) -> str:
        """The schema of the tables.

        Raises:
            SettingError: Meltano could not be asked.
        """
        return self._settings.get("default_target_schema") or DEFAULT_SCHEMA

    @cached_property
    def _settings(self) -> dict[str, str]:
        """Every setting that is known; variables take precedence, as they do in Meltano."""
        found = self._of_meltano() if self._environment.get("MELTANO_PROJECT_ROOT") else {}
        for name in (*_PARTS, *_OTHERS):
            value = self._environment.get(_PREFIX + name.upper())
            if value:
                found[name] = value
        remember_password(found.get("password", ""))
        return found

    def _of_meltano(self) -> dict[str, str]:
        """What Meltano would pass to the loader. The secrets come through a pipe."""
        root = Path(self._environment["MELTANO_PROJECT_ROOT"])
        link = Path(self._environment.get("MELTANO_SYS_DIR_ROOT") or root / ".meltano") / "run" / "bin"
        meltano = str(link) if link.exists() else shutil.which("meltano")
        if meltano is None:
            raise self._not_told("the command meltano was not found")
        command = [meltano, "--log-level", "error", "config", "--unsafe", "print", "--plugin-type", "loader"]
        try:
            done = subprocess.run(  # noqa: S603  # Meltano itself, which has started this command
                [*command, "--format", "json", self._loader],
                cwd=root,
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise self._not_told(type(error).__name__) from None
        if done.returncode:
            raise self._not_told(" ".join(done.stderr.split())[-200:])
        settings: dict[str, Any] = json.loads(done.stdout)
        return {name: _text(value) for name, value in settings.items() if value is not None}

    def _not_told(self, reason: str) -> SettingError:
        return SettingError(
            f"Meltano did not give the settings of {self._loader}: {reason}",
            "Name the loader of PostgreSQL with --loader, or set DATABASE_URL and give --schema",
        )


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
