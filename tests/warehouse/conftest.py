"""A real PostgreSQL for the tests of the SQL, and a loader that upserts as the target does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from demo.postgres import embedded

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an embedded server that ends with the session."""
    with embedded(tmp_path_factory.mktemp("pg") / "data") as server:
        yield server.url


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection to an empty schema ``warehouse``."""
    with psycopg.connect(database_url, autocommit=True) as opened:
        opened.execute("drop schema if exists warehouse cascade")
        opened.execute("create schema warehouse")
        yield opened
