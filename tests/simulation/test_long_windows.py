"""Weeks of history in which windows grow, and are refused: they have the right lengths, stamps and rows."""

from __future__ import annotations

import pytest

from tests.simulation.long_windows import failures

QUICK = 6
SEEDS = 10


@pytest.mark.parametrize("seed", range(QUICK))
def test_weeks_are_loaded_in_windows_that_grow(seed: int) -> None:
    assert failures(seed) == []


@pytest.mark.slow
def test_many_weeks_are_loaded_in_windows_that_grow() -> None:
    seeds = range(QUICK, QUICK + SEEDS)
    assert {seed: found for seed in seeds if (found := failures(seed))} == {}
