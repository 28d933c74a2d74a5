"""Bugs put in on purpose are seen: the checks of the simulation are able to fail."""

from __future__ import annotations

import pytest

from tap_genesys_aggregates.core import windows
from tests.simulation.catching import caught, written
from tests.simulation.mutating import StaleError, mutation
from tests.simulation.mutations import MUTATIONS

_QUICK = 3
_WRITTEN = written()
CHEAP = [each for each in MUTATIONS if 0 < _WRITTEN.get(each.says, 0) <= _QUICK]


@pytest.mark.parametrize("number", range(len(MUTATIONS)), ids=[each.says for each in MUTATIONS])
def test_every_bug_can_be_put_in(number: int) -> None:
    """The text that a mutation changes is still there, and what it makes of it is another function."""
    for edit in MUTATIONS[number].edits:
        assert edit.made() is not getattr(edit.owner, edit.name)


def test_a_stale_bug_is_noticed() -> None:
    """A mutation whose text is gone does not pass for one that nobody could see."""
    stale = mutation("of something that is gone", (windows, "plan", "not there", "anything"))
    with pytest.raises(StaleError, match=r"windows\.plan does not hold 'not there'"):
        stale.edits[0].made()


def test_the_docs_list_exactly_the_bugs() -> None:
    """docs/simulation.md has each bug, in order, and the number of seeds that saw it."""
    assert list(_WRITTEN) == [each.says for each in MUTATIONS]
    assert all(_WRITTEN.values()), "every bug was seen"
    assert len(MUTATIONS) >= 20


def test_some_bugs_are_cheap() -> None:
    """Enough of them are seen by a few seeds for the next test to mean something."""
    assert len(CHEAP) >= 10


@pytest.mark.parametrize("number", range(len(CHEAP)), ids=[each.says for each in CHEAP])
def test_a_cheap_bug_is_seen(number: int) -> None:
    """With the bug in, a check fails within as many seeds as the docs say, give or take the threads."""
    seeds, seen = caught(CHEAP[number], 3 * _QUICK)
    assert seeds, "no seed saw it"
    assert seen
