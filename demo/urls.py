"""The URL of a Postgres, and the variables that name its server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

from demo.errors import DemoError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLAIN = "postgresql://"
_PARTS = {"HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password", "DATABASE": "dbname"}
"""Settings of target-postgres → parameters of libpq."""


def settings(url: str) -> dict[str, str]:
    """The settings of target-postgres, and of the profile of dbt, that name the server of a URL."""
    parts = conninfo_to_dict(url)
    return {f"TARGET_POSTGRES_{name}": str(parts[key]) for name, key in _PARTS.items() if parts.get(key)}


def from_environment(variables: Mapping[str, str] = os.environ) -> tuple[str, str] | None:
    """Return the URL of the server that environment variables point to, and a name without the password.

    Args:
        variables: The environment. ``TARGET_POSTGRES_SQLALCHEMY_URL`` is read first, then ``DATABASE_URL``,
            then ``TARGET_POSTGRES_HOST`` with ``_PORT``, ``_USER``, ``_PASSWORD`` and ``_DATABASE``.

    Returns:
        Both; None if no variable is set.

    Raises:
        DemoError: The URL is not a Postgres URL.
    """
    url = variables.get("TARGET_POSTGRES_SQLALCHEMY_URL") or variables.get("DATABASE_URL")
    if url:
        scheme, separator, rest = url.partition("://")
        if not separator or scheme.partition("+")[0] not in {"postgres", "postgresql"}:
            message = "DATABASE_URL must look like postgresql://user:password@host:5432/database"
            raise DemoError(message)
        return _PLAIN + rest, f"yours, {rest.rpartition('@')[2].partition('?')[0]}"
    host = variables.get("TARGET_POSTGRES_HOST")
    if not host:
        return None

    def part(name: str, default: str) -> str:
        return quote(variables.get(f"TARGET_POSTGRES_{name}") or default, safe="")

    password = part("PASSWORD", "")
    login = part("USER", "postgres") + (f":{password}" if password else "")
    place = f"{host}:{part('PORT', '5432')}/{part('DATABASE', 'postgres')}"
    return f"{_PLAIN}{login}@{place}", f"yours, {place}"
