"""A Postgres to load into: one of the demo's own, or the user's."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg

from demo.places import CLONE
from demo.trouble import TroubleError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SCHEMA = "genesys_demo"
"""Of every table that the demo makes, so that it cannot meet tables of yours."""

_STOPPING_SECONDS = 30
_PLAIN = "postgresql://"


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server that answers.

    Attributes:
        url: ``postgresql://…``, with its password if it has one: not to be shown.
        name: What to call it before people.
    """

    url: str
    name: str

    @property
    def settings(self) -> dict[str, str]:
        """Environment variables that send target-postgres here."""
        return {
            "TARGET_POSTGRES_SQLALCHEMY_URL": self.url.replace(_PLAIN, "postgresql+psycopg://", 1),
            "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": SCHEMA,
        }

    @contextlib.contextmanager
    def connect(self) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
        """A connection, in UTC and in the demo's schema.

        Raises:
            TroubleError: The server is not to be reached.
        """
        try:
            connection = psycopg.connect(self.url, options=f"-c search_path={SCHEMA} -c timezone=UTC")
        except psycopg.OperationalError as error:
            message = f"Postgres ({self.name}) cannot be reached: {error}"
            raise TroubleError(message) from None
        with connection:
            yield connection

    def forget(self, tables: list[str]) -> None:
        """Drop tables of the demo."""
        with self.connect() as connection:
            for table in tables:
                name = psycopg.sql.Identifier(SCHEMA, table)
                connection.execute(psycopg.sql.SQL("DROP TABLE IF EXISTS {}").format(name))


@contextlib.contextmanager
def embedded(folder: Path) -> Iterator[Postgres]:
    """Start a Postgres of our own, and stop it at the end of the block.

    Args:
        folder: Its data, kept for the next time.

    Yields:
        The server.

    Raises:
        TroubleError: It does not start.
    """
    keeper = subprocess.Popen(
        [sys.executable, "-m", "demo.keeper", str(folder)],
        cwd=CLONE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for us; the keeper ends when its input does
    )
    with keeper:
        try:
            assert keeper.stdin is not None  # noqa: S101  # it is a pipe
            assert keeper.stdout is not None  # noqa: S101  # it is a pipe
            url = keeper.stdout.readline().strip()
            if not url:
                _, complaint = keeper.communicate()
                message = f"The embedded Postgres does not start:\n{complaint[-2000:]}"
                raise TroubleError(message)
            yield Postgres(url, f"embedded, in {folder.parent}")
        finally:
            with contextlib.suppress(BrokenPipeError, ValueError):
                keeper.communicate(timeout=_STOPPING_SECONDS)


def of_the_user(variables: Mapping[str, str] = os.environ) -> Postgres | None:
    """The server that the environment names, if any.

    Args:
        variables: ``TARGET_POSTGRES_SQLALCHEMY_URL``, or ``DATABASE_URL``, or ``TARGET_POSTGRES_HOST`` and
            its fellows.

    Returns:
        The server; None for the demo's own.
    """
    url = variables.get("TARGET_POSTGRES_SQLALCHEMY_URL") or variables.get("DATABASE_URL")
    if url:
        scheme, separator, rest = url.partition("://")
        if not separator or scheme.partition("+")[0] not in {"postgres", "postgresql"}:
            message = "DATABASE_URL wants to be like postgresql://user:password@host:5432/database"
            raise TroubleError(message)
        return Postgres(_PLAIN + rest, f"yours, {rest.rpartition('@')[2].partition('?')[0]}")
    host = variables.get("TARGET_POSTGRES_HOST")
    if not host:
        return None

    def part(name: str, default: str) -> str:
        return quote(variables.get(f"TARGET_POSTGRES_{name}") or default, safe="")

    password = part("PASSWORD", "")
    login = part("USER", "postgres") + (f":{password}" if password else "")
    place = f"{host}:{part('PORT', '5432')}/{part('DATABASE', 'postgres')}"
    return Postgres(f"{_PLAIN}{login}@{place}", f"yours, {place}")
