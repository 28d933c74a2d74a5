"""The Postgres to load into: an embedded one, or the user's own."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from demo import urls
from demo.errors import DemoError
from demo.paths import CLONE
from demo.postgres_process import BUNDLED_PSQL, KEEP

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SCHEMA = "genesys_demo"
"""The schema of every table that the demo creates, so that none collides with a table of yours."""

MARTS_SCHEMA = "genesys_demo_marts"
"""The schema in which dbt builds the demo's marts."""

_STOPPING_SECONDS = 30
_PLAIN = "postgresql://"


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server.

    Attributes:
        url: ``postgresql://…``. It may contain a password, so never show it.
        name: A short description without the password, to show to the user.
    """

    url: str
    name: str

    @property
    def settings(self) -> dict[str, str]:
        """Environment variables that make target-postgres load into this server."""
        return {
            "TARGET_POSTGRES_SQLALCHEMY_URL": self.url.replace(_PLAIN, "postgresql+psycopg://", 1),
            "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": SCHEMA,
        }

    @property
    def psql(self) -> str:
        """A command that shows the demo's tables, for an embedded server."""
        program = "psql" if shutil.which("psql") else str(BUNDLED_PSQL)
        return shlex.join([program, f"{self.url}&options=-csearch_path%3D{SCHEMA}"])

    @contextlib.contextmanager
    def connect(self) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
        """Connect, in UTC, with the demo's schema as the search path.

        Raises:
            DemoError: The server cannot be reached.
        """
        try:
            connection = psycopg.connect(self.url, options=f"-c search_path={SCHEMA} -c timezone=UTC")
        except psycopg.OperationalError as error:
            message = f"Postgres ({self.name}) cannot be reached: {error}"
            raise DemoError(message) from None
        with connection:
            yield connection

    def drop_tables(self, tables: list[str]) -> None:
        """Drop these tables of the demo's schema if they exist, and the marts that dbt made from them."""
        with self.connect() as connection:
            marts = psycopg.sql.Identifier(MARTS_SCHEMA)
            connection.execute(psycopg.sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(marts))
            for table in tables:
                name = psycopg.sql.Identifier(SCHEMA, table)
                connection.execute(psycopg.sql.SQL("DROP TABLE IF EXISTS {}").format(name))


@contextlib.contextmanager
def embedded(folder: Path, *, keep: bool = False) -> Iterator[Postgres]:
    """Start an embedded Postgres, and stop it at the end of the block.

    Args:
        folder: The data folder; it is kept for the next time.
        keep: Let the server run on if the block ends without an exception.

    Yields:
        The server.

    Raises:
        DemoError: The server does not start.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "demo.postgres_process", str(folder.resolve())],
        cwd=CLONE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C must not reach it: it stops when its input is closed
    )
    with contextlib.ExitStack() as stack:
        stack.enter_context(process)
        stack.callback(_stop, process)
        assert process.stdin is not None  # noqa: S101  # it is a pipe
        assert process.stdout is not None  # noqa: S101  # it is a pipe
        url = process.stdout.readline().strip()
        if not url:
            _, errors = process.communicate()
            message = f"The embedded Postgres did not start:\n{errors[-2000:]}"
            raise DemoError(message)
        yield Postgres(url, f"embedded, in {folder.parent}")
        if keep:
            process.stdin.write(KEEP)
            process.stdin.flush()
            stack.pop_all()  # neither stop it nor wait for it


def _stop(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(BrokenPipeError, ValueError):
        process.communicate(timeout=_STOPPING_SECONDS)


def from_environment(variables: Mapping[str, str] = os.environ) -> Postgres | None:
    """Return the server that environment variables point to; see ``demo.urls``.

    Returns:
        The server; None if no variable is set, which means the embedded server.

    Raises:
        DemoError: The URL is not a Postgres URL.
    """
    found = urls.from_environment(variables)
    return None if found is None else Postgres(*found)
