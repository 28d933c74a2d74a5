from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.core.reach import ROWS_WANTED, Reach
from tests.core.making import examples

DAY = timedelta(days=1)
MONTH = timedelta(days=31)


@pytest.mark.parametrize(
    ("rows", "days"),
    [(0, 8), (1, 8), (ROWS_WANTED // 8, 8), (ROWS_WANTED // 2, 2), (ROWS_WANTED, 1), (10**6, 1)],
)
def test_windows_grow_while_answers_are_small(rows: int, days: int) -> None:
    """A window goes on so far that it should bring the rows wanted, eight times as far at the most."""
    assert Reach(DAY, MONTH).after_rows(DAY, rows).length == days * DAY


def test_growth_ends_at_max_window() -> None:
    """No window is ever longer than ``max_window``."""
    reach = Reach(DAY, MONTH)
    for _ in range(9):
        reach = reach.after_rows(reach.length, 0)
    assert reach.length == MONTH


def test_what_did_not_fit_is_not_tried_again() -> None:
    """After a failure the reach is half, and no answer however small makes it as long as what failed."""
    reach = Reach(8 * DAY, MONTH).after_failure(8 * DAY)
    assert reach.length == 4 * DAY
    assert (reach.fits(8 * DAY), reach.fits(9 * DAY), reach.fits(8 * DAY - timedelta(seconds=1))) == (
        False,
        False,
        True,
    )
    assert reach.after_rows(4 * DAY, 0).length == 4 * DAY


def test_the_shortest_failure_counts() -> None:
    """A longer stretch that fails later teaches nothing new."""
    reach = Reach(8 * DAY, MONTH).after_failure(4 * DAY).after_failure(8 * DAY)
    assert (reach.failed, reach.length) == (4 * DAY, 2 * DAY)


@given(
    st.lists(st.tuples(st.booleans(), st.timedeltas(timedelta(minutes=1), 2 * MONTH), st.integers(0, 99_999)))
)
@examples()
def test_reach_stays_within_its_bounds(lessons: list[tuple[bool, timedelta, int]]) -> None:
    """Whatever is learnt, the reach never passes the ceiling and never meets a length that failed."""
    reach = Reach(DAY, MONTH)
    failures = []
    for failed, length, rows in lessons:
        reach = reach.after_failure(length) if failed else reach.after_rows(length, rows)
        failures += [length] if failed else []
        assert timedelta() < reach.length <= MONTH
        assert all(reach.length < each for each in failures)
        assert all(not reach.fits(each) for each in failures)
