"""The checks of the simulation can fail: they catch deliberate bugs."""

from __future__ import annotations

import pytest

from tap_genesys_aggregates.core import windows
from tests.simulation.mutations import (
    MUTATIONS,
    Mutation,
    StaleMutationError,
    mutation,
    recorded_seeds,
    seeds_until_caught,
)

_FEW_SEEDS = 3
_RECORDED = recorded_seeds()
EASY = [each for each in MUTATIONS if 0 < _RECORDED.get(each.description, 0) <= _FEW_SEEDS]


@pytest.mark.parametrize("bug", [pytest.param(each, id=each.description) for each in MUTATIONS])
def test_every_mutation_changes_a_function(bug: Mutation) -> None:
    """The text that a mutation replaces is still there, and the result is another function."""
    for each in bug.replacements:
        assert each.function() is not getattr(each.owner, each.name)


def test_a_stale_mutation_is_an_error() -> None:
    """A mutation whose text is gone does not count as one that no check catches."""
    stale = mutation("replaces text that is gone", (windows, "plan", "not there", "anything"))
    with pytest.raises(StaleMutationError, match=r"windows\.plan does not contain 'not there'"):
        stale.replacements[0].function()


def test_a_mutation_with_an_undefined_name_is_an_error() -> None:
    """The tap crashes with a NameError then, which does not count as caught."""
    broken = mutation("uses a name that is gone", (windows, "plan", "window.end", "name_that_is_gone"))
    with pytest.raises(StaleMutationError, match="name_that_is_gone"):
        seeds_until_caught(broken, 5)


def test_the_docs_list_exactly_the_mutations() -> None:
    """docs/simulation.md has every mutation, in order, with the number of seeds that caught it."""
    assert list(_RECORDED) == [each.description for each in MUTATIONS]
    assert all(_RECORDED.values()), "every mutation was caught"
    assert len(MUTATIONS) >= 20


def test_many_mutations_are_easy_to_catch() -> None:
    """A few seeds catch enough of them for the next test to mean something."""
    assert len(EASY) >= 10


@pytest.mark.parametrize("bug", [pytest.param(each, id=each.description) for each in EASY])
def test_an_easy_mutation_is_caught(bug: Mutation) -> None:
    """A check fails within a few seeds; more than the docs say, because threads vary."""
    seeds, failure = seeds_until_caught(bug, 3 * _FEW_SEEDS)
    assert seeds, "no check failed"
    assert failure
