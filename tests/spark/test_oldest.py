"""Starts the tests of the data source again, with the oldest versions that the extra allows."""

from __future__ import annotations

import subprocess

import pytest

from tests.project.generated_settings import ROOT
from tests.project.installed import compare

ENVIRONMENT = ROOT / ".demo" / "spark-oldest"
"""Installed from requirements-spark-oldest.lock, which ``./run test spark`` does."""
LEAK = "ignore:unclosed <socket:ResourceWarning"
"""Spark 4.0 leaves a connection to its own virtual machine open."""


@pytest.mark.slow
def test_the_data_source_works_with_the_oldest_spark() -> None:
    assert compare(ENVIRONMENT, "requirements-spark-oldest.lock").differences == []
    command = [str(ENVIRONMENT / "bin" / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["-W", LEAK, "-m", "not slow", "tests/spark"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]
    assert "skipped" not in done.stdout
