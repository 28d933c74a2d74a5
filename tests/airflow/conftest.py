"""What the tests in Airflow share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.airflow import fleet as fleets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.airflow.fleet import Fleet


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with fleets.fleet(tmp_path) as found:
        yield found
