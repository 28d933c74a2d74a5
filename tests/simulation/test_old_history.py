"""Months of history that is rewritten at any age, while runs are killed."""

from __future__ import annotations

import pytest

from tests.simulation.old_history import failures

QUICK = 6
SEEDS = 40
CHUNK = 10


@pytest.mark.parametrize("seed", range(QUICK))
def test_settled_months_end_up_equal_to_the_platforms(seed: int) -> None:
    assert failures(seed) == []


@pytest.mark.slow
@pytest.mark.parametrize("first", range(QUICK, QUICK + SEEDS, CHUNK))
def test_many_histories_end_up_equal_to_the_platforms(first: int) -> None:
    assert {seed: found for seed in range(first, first + CHUNK) if (found := failures(seed))} == {}
