"""A Python of Spark in which the tap is not installed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.project.generated_settings import ROOT
from tests.spark.organizations import organizations, reader
from tests.spark.sessions import session

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def test_spark_does_not_find_the_data_source_if_its_python_lacks_the_tap(tmp_path: Path) -> None:
    """The page names the error and what to do, since the error itself says nothing about Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path)], check=True, timeout=60)
    with (
        session("local[2]", python=f"{tmp_path}/bin/python") as spark,
        organizations() as served,
        pytest.raises(Exception, match="DATA_SOURCE_NOT_FOUND"),
    ):
        reader(spark, served).load("calls")
    page = (ROOT / "docs" / "many-organizations.md").read_text(encoding="utf-8")
    said = "`DATA_SOURCE_NOT_FOUND`, `PYSPARK_PYTHON` or `PYSPARK_DRIVER_PYTHON` is a Python in which the tap"
    assert said in " ".join(page.split())
