"""Starts the tests of the data source in the environment that has Spark."""

from __future__ import annotations

import subprocess

import pytest

from tests.project.generated_settings import ROOT

PYTHON = ROOT / ".demo" / "spark" / "bin" / "python"
"""Python of the environment installed from requirements-spark.lock, which ``./run test`` creates."""


@pytest.mark.slow
def test_the_tests_of_the_data_source_pass_where_spark_is() -> None:
    command = [str(PYTHON), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", "tests/spark"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]
    assert "skipped" not in done.stdout
