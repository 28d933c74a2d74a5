"""Random worlds, random faults, random kills: the target always ends with the truth."""

from __future__ import annotations

import pytest

from tests.simulation.life import live

QUICK = 20
SEEDS = 300
CHUNK = 15


@pytest.mark.parametrize("seed", range(QUICK))
def test_a_life_ends_with_the_truth(seed: int) -> None:
    """Whatever went wrong on the way, no check failed, and the target ends with what the platform says."""
    assert live(seed).wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("first", range(QUICK, QUICK + SEEDS, CHUNK))
def test_many_lives_end_with_the_truth(first: int) -> None:
    """The same for many seeds; ``./run simulate --seed N`` tells the story of the one that is named."""
    wrong = {seed: said for seed in range(first, first + CHUNK) if (said := live(seed).wrong)}
    assert wrong == {}


def test_a_seed_is_one_life() -> None:
    """A seed whose requests come one at a time tells the same story every time."""
    alone = next(seed for seed in range(100) if live(seed).world.settings["concurrency"] == 1)
    first, again = live(alone), live(alone)
    assert (first.story, first.met, first.rows) == (again.story, again.met, again.rows)
