"""Sixty days of a platform that rewrites its history: the warehouse ends equal to the settled truth."""

from __future__ import annotations

import pytest

from tests.pipeline.drift import DAILY, LOOKBACKS, live, measure, settled, truth, written
from tests.pipeline.running import multiset

pytestmark = pytest.mark.slow

LIVES = {
    "ten days of outage": [day for day in DAILY if not 30 < day <= 40],
    "two runs an hour, some days": sorted(
        [*DAILY, *(day + half / 48 for day in (20.0, 21.0, 41.0) for half in range(1, 48))]
    ),
}


@pytest.mark.parametrize("name", ["daily", *LIVES])
def test_warehouse_ends_equal_to_the_settled_truth(name: str) -> None:
    """However often it runs, every settled day is to the number what the platform says in the end."""
    rows = settled(live(LIVES.get(name, DAILY)))
    assert multiset(rows) == multiset(truth())
    assert all(row["is_final"] for row in rows), "every settled bucket was read once after it had settled"


def test_killed_runs_lose_nothing() -> None:
    """Runs that die in the middle leave nothing behind that the next ones do not mend."""
    killed = frozenset({11.0, 12.0, 33.0, 50.0})
    assert multiset(settled(live(DAILY, killed))) == multiset(truth())


def test_without_look_back_the_numbers_drift() -> None:
    """The default has a reason: with no look-back the same sixty days end different from the truth."""
    found = measure(0)
    assert found.wrong > 0
    assert found.extra > 0
    assert found.missing > 0
    assert found.line(0) == written()[0]


@pytest.mark.parametrize("lookback", LOOKBACKS[1:])
def test_the_docs_tell_what_a_shorter_look_back_costs(lookback: int) -> None:
    """The figures of docs/operations.md are today's; ``python -m tests.pipeline.drift`` writes them."""
    found = measure(lookback)
    assert found.line(lookback) == written()[lookback]
    off = (found.wrong, found.extra, found.missing, found.offered[0], found.handled[0])
    assert (off == (0,) * 5) == (lookback >= 7)


def test_the_docs_measure_every_look_back() -> None:
    """The table has a line for each look-back that is measured, and no other."""
    assert tuple(written()) == LOOKBACKS
