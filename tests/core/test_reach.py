from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.core.window_growth import ROWS_WANTED, WindowGrowth
from tests.core.making import examples

DAY = timedelta(days=1)
MONTH = timedelta(days=31)


@pytest.mark.parametrize(
    ("rows", "days"),
    [(0, 8), (1, 8), (ROWS_WANTED // 8, 8), (ROWS_WANTED // 2, 2), (ROWS_WANTED, 1), (10**6, 1)],
)
def test_windows_grow_while_answers_are_small(rows: int, days: int) -> None:
    """A window goes on so far that it should bring the rows wanted, eight times as far at the most."""
    assert WindowGrowth(DAY, MONTH).after_rows(DAY, rows).length == days * DAY


def test_growth_ends_at_max_window() -> None:
    """No window is ever longer than ``max_window``."""
    growth = WindowGrowth(DAY, MONTH)
    for _ in range(9):
        growth = growth.after_rows(growth.length, 0)
    assert growth.length == MONTH


def test_what_did_not_fit_is_not_tried_again() -> None:
    """After a failure the growth is half, and no answer however small makes it as long as what failed."""
    growth = WindowGrowth(8 * DAY, MONTH).after_failure(8 * DAY)
    assert growth.length == 4 * DAY
    assert (growth.fits(8 * DAY), growth.fits(9 * DAY), growth.fits(8 * DAY - timedelta(seconds=1))) == (
        False,
        False,
        True,
    )
    assert growth.after_rows(4 * DAY, 0).length == 4 * DAY


def test_the_shortest_failure_counts() -> None:
    """A longer stretch that fails later teaches nothing new."""
    growth = WindowGrowth(8 * DAY, MONTH).after_failure(4 * DAY).after_failure(8 * DAY)
    assert (growth.failed, growth.length) == (4 * DAY, 2 * DAY)


@given(
    st.lists(st.tuples(st.booleans(), st.timedeltas(timedelta(minutes=1), 2 * MONTH), st.integers(0, 99_999)))
)
@examples()
def test_growth_stays_within_its_bounds(lessons: list[tuple[bool, timedelta, int]]) -> None:
    """Whatever is learnt, the growth never passes the ceiling and never meets a length that failed."""
    growth = WindowGrowth(DAY, MONTH)
    failures = []
    for failed, length, rows in lessons:
        growth = growth.after_failure(length) if failed else growth.after_rows(length, rows)
        failures += [length] if failed else []
        assert timedelta() < growth.length <= MONTH
        assert all(growth.length < each for each in failures)
        assert all(not growth.fits(each) for each in failures)
