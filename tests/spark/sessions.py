"""Spark sessions, and what they read."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from pyspark import SparkContext
from pyspark.sql import SparkSession

from tests.spark.java import java_home
from tests.spark.organizations import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterator

ZONE = "Asia/Kathmandu"
"""Of sessions: neither UTC nor a whole number of hours away from it."""


@contextmanager
def session(
    master: str, *, packaged_java: bool = False, python: str = sys.executable, **settings: str
) -> Iterator[Any]:
    """A session with everything that it writes in a folder of its own.

    Args:
        master: Where it runs.
        packaged_java: Whether it runs on the package's Java, even if the machine has one.
        python: The Python of its workers, and of the one that looks for data sources.
        settings: Further settings of Spark, with ``_`` for ``.``.
    """
    assert SparkSession.getActiveSession() is None, "a process has one session, which would be taken instead"
    with TemporaryDirectory(prefix="spark-") as folder:
        home = java_home(Path(folder, "java"), packaged=packaged_java)
        variables = {
            "JAVA_HOME": str(home),
            "PYSPARK_PYTHON": python,
            "PYSPARK_DRIVER_PYTHON": python,
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_DIRS": folder,
            **ENVIRONMENT,
        }
        with patch.dict(os.environ, variables):
            builder = SparkSession.builder.master(master).appName("genesys_aggregates")
            wanted = {
                "spark.ui.enabled": "false",
                "spark.sql.session.timeZone": ZONE,
                "spark.sql.shuffle.partitions": "2",
                "spark.sql.warehouse.dir": f"{folder}/warehouse",
                **{name.replace("_", "."): value for name, value in settings.items()},
            }
            for name, value in wanted.items():
                builder = builder.config(name, value)
            spark = builder.getOrCreate()
            spark.sparkContext.setLogLevel("OFF")
            try:
                yield spark
            finally:
                spark.stop()
                _stop_java()


def _stop_java() -> None:
    """End the virtual machine, which would outlive its session and keep its settings."""
    gateway: Any = SparkContext._gateway  # noqa: SLF001  # there is no public way
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait(30)
    SparkContext._gateway = SparkContext._jvm = None  # noqa: SLF001
