"""Random scenarios, faults and kills: the target always ends with exactly the expected rows."""

from __future__ import annotations

import pytest

from tests.simulation.simulate import simulate

QUICK = 20
SEEDS = 300
CHUNK = 15


@pytest.mark.parametrize("seed", range(QUICK))
def test_a_scenario_ends_with_the_expected_rows(seed: int) -> None:
    """Whatever went wrong before, no check fails, and the target holds what the platform has."""
    assert simulate(seed).failures == []


@pytest.mark.slow
@pytest.mark.parametrize("first", range(QUICK, QUICK + SEEDS, CHUNK))
def test_many_scenarios_end_with_the_expected_rows(first: int) -> None:
    """The same for many seeds; ``./run simulate --seed N`` shows the details of one."""
    failures = {seed: found for seed in range(first, first + CHUNK) if (found := simulate(seed).failures)}
    assert failures == {}


def test_a_seed_always_gives_the_same_scenario() -> None:
    """A seed whose requests come one at a time gives the same result every time."""
    seed = next(seed for seed in range(100) if simulate(seed).scenario.settings["concurrency"] == 1)
    first, again = simulate(seed), simulate(seed)
    assert (first.log, first.faults, first.rows) == (again.log, again.faults, again.rows)
