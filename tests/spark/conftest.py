"""These tests run in the environment of Spark; elsewhere, only the one that starts them is collected."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

STARTS_THE_OTHERS = "test_environment.py"
collect_ignore_glob = [] if find_spec("pyspark") else ["test_[!e]*.py"]
if find_spec("pyspark"):
    collect_ignore = [STARTS_THE_OTHERS]


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    """One session for the tests of a module: two tasks at a time, in a time zone that is not UTC."""
    from tests.spark.sessions import session  # noqa: PLC0415  # it needs pyspark

    with session("local[2]") as found:
        yield found
