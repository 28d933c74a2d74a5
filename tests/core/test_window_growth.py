"""Window growth: what an answer teaches about the length of the next window, and what the next run knows."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.core.periods import Period
from tap_genesys_aggregates.core.window_growth import (
    BYTES_WANTED,
    ROWS_WANTED,
    SECONDS_WANTED,
    AnswerSize,
    Learnt,
    WindowGrowth,
    growth_at_start,
)
from tests.core.making import at, examples, query

_OPERATIONS = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
DAY = timedelta(days=1)
MONTH = timedelta(days=31)


NOW = at("2026-01-01T00:00Z")
START = WindowGrowth(DAY, MONTH, DAY)
BY_DAY = query(window=Period.parse("P1D"))
UP_TO_A_MONTH = Period.parse("P31D")


def size(length: timedelta, rows: int = 0, size_: int = 0, seconds: float = 0.0) -> AnswerSize:
    return AnswerSize(length, rows, size_, seconds)


@pytest.mark.parametrize(
    ("answer", "days"),
    [
        (size(DAY), 8),
        (size(DAY, 1), 8),
        (size(DAY, ROWS_WANTED // 8), 8),
        (size(DAY, ROWS_WANTED // 2), 2),
        (size(DAY, ROWS_WANTED), 1),
        (size(DAY, 10**6), 1),
        (size(DAY, 1, BYTES_WANTED // 4), 4),
        (size(DAY, 1, 2 * BYTES_WANTED), 1),
        (size(DAY, 1, 1, SECONDS_WANTED / 5), 5),
        (size(DAY, 1, 1, 2 * SECONDS_WANTED), 1),
        (size(DAY, ROWS_WANTED // 4, BYTES_WANTED // 3, SECONDS_WANTED / 2), 2),
    ],
)
def test_windows_grow_while_answers_are_small_and_quick(answer: AnswerSize, days: float) -> None:
    """At most eightfold, and not beyond the strictest of the bounds on rows, bytes and seconds."""
    assert START.after_answer(answer).length / DAY == pytest.approx(days, rel=1e-3)


@pytest.mark.parametrize(
    "answer",
    [
        size(8 * DAY, 2 * ROWS_WANTED),
        size(8 * DAY, 1, 2 * BYTES_WANTED),
        size(8 * DAY, 1, 1, 2 * SECONDS_WANTED),
    ],
)
def test_windows_that_have_grown_shrink_after_an_answer_that_was_too_large_or_slow(
    answer: AnswerSize,
) -> None:
    assert WindowGrowth(DAY, MONTH, 8 * DAY).after_answer(answer).length == 4 * DAY


def test_windows_do_not_shrink_below_the_plain_length_because_of_an_answer_that_fitted() -> None:
    assert WindowGrowth(DAY, MONTH, 8 * DAY).after_answer(size(8 * DAY, 10**9)).length == DAY


def test_the_largest_of_the_batches_decides() -> None:
    growth = START.after_answer(size(DAY, 1), size(DAY, ROWS_WANTED // 2), size(DAY, 7))
    assert growth.length == 2 * DAY


def test_a_window_that_was_planned_before_growth_does_not_undo_it() -> None:
    assert WindowGrowth(DAY, MONTH, 8 * DAY).after_answer(size(DAY, ROWS_WANTED // 2)).length == 8 * DAY


def test_the_size_of_the_next_answer_is_expected_from_the_busiest_of_the_last() -> None:
    assert START.expected_bytes(DAY) is None
    growth = START.after_answer(size(2 * DAY, 1, 4_000))
    assert growth.expected_bytes(DAY) == 2_000
    assert growth.after_answer(size(DAY, 1, 9_000)).expected_bytes(3 * DAY) == 27_000
    assert growth.after_answer(size(DAY, 0, 10)).expected_bytes(DAY) == 1_500


def test_growth_ends_at_max_window() -> None:
    growth = START
    for _ in range(9):
        growth = growth.after_answer(size(growth.length))
    assert growth.length == MONTH


def test_a_length_that_failed_is_not_tried_again() -> None:
    """However few rows the next windows have."""
    growth = WindowGrowth(DAY, MONTH, 8 * DAY).after_failure(8 * DAY)
    assert growth.length == 4 * DAY
    assert (growth.fits(8 * DAY), growth.fits(9 * DAY), growth.fits(8 * DAY - timedelta(seconds=1))) == (
        False,
        False,
        True,
    )
    assert growth.after_answer(size(4 * DAY)).length == 4 * DAY


def test_the_shortest_failure_is_the_limit() -> None:
    growth = WindowGrowth(DAY, MONTH, 8 * DAY).after_failure(4 * DAY).after_failure(8 * DAY)
    assert (growth.failed, growth.length) == (4 * DAY, 2 * DAY)


_LENGTHS = st.timedeltas(timedelta(minutes=1), 2 * MONTH)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["answer", "failure", "refusal", "next run", "a month later"]),
            st.builds(AnswerSize, _LENGTHS, st.integers(0, 99_999), st.integers(0, 10**9), st.floats(0, 300)),
        )
    )
)
@examples()
def test_growth_stays_below_the_maximum_and_every_failure(lessons: list[tuple[str, AnswerSize]]) -> None:
    """Whatever comes, in one run or in many: a length that failed is not asked for, for a month."""
    growth, now, learnt_on = START, NOW, NOW
    failed, refused = list[timedelta](), list[timedelta]()
    for lesson, answer in lessons:
        if lesson == "answer":
            growth = growth.after_answer(answer)
        elif lesson == "failure":
            growth = growth.after_failure(answer.length)
            failed, learnt_on = [*failed, answer.length], now
        elif lesson == "refusal":
            growth = growth.after_refusal(max(answer.length, 2 * DAY))
            refused, learnt_on = [*refused, max(answer.length, 2 * DAY)], now
        else:
            learnt = Learnt.read(json.loads(json.dumps(growth.learnt(now).write())))
            now += DAY if lesson == "next run" else MONTH
            growth = growth_at_start(BY_DAY, UP_TO_A_MONTH, learnt, now)
            if now - learnt_on >= timedelta(days=30):
                failed, refused = [], []
        second = timedelta(seconds=1)  # the state keeps full seconds
        assert timedelta() < growth.length <= MONTH
        assert all(growth.length < each for each in failed)
        assert all(growth.length < each for each in refused)
        assert all(not growth.fits(each + second) for each in failed)
        assert all(not growth.is_accepted(each + second) for each in refused)


def test_the_next_run_goes_on_with_what_was_learnt() -> None:
    growth = growth_at_start(BY_DAY, UP_TO_A_MONTH).after_failure(20 * DAY).after_answer(size(DAY, 9, 5_000))
    state = growth.learnt(NOW).write()
    assert state == {"seconds": 691_200, "failed": 1_728_000, "since": "2026-01-01", "bytes_a_day": 5_000}
    again = growth_at_start(BY_DAY, UP_TO_A_MONTH, Learnt.read(state), NOW + 29 * DAY)
    assert (again.length, again.failed, again.expected_bytes(DAY)) == (8 * DAY, 20 * DAY, 5_000)
    assert again.learnt(NOW + 29 * DAY).write() == state, "how old a failure is does not change"


def test_a_failure_is_forgotten_after_a_month_so_that_windows_grow_again() -> None:
    state = growth_at_start(BY_DAY, UP_TO_A_MONTH).after_failure(4 * DAY).after_refusal(8 * DAY).learnt(NOW)
    again = growth_at_start(BY_DAY, UP_TO_A_MONTH, state, NOW + 30 * DAY)
    assert (again.failed, again.refused) == (None, None)
    assert again.after_answer(size(DAY)).length == 8 * DAY


def test_what_was_learnt_does_not_exceed_a_max_window_that_was_made_shorter() -> None:
    learnt = Learnt(seconds=30 * 86_400)
    start = growth_at_start(BY_DAY, Period.parse("P7D"), learnt, NOW)
    assert start.length == 7 * DAY


def test_nothing_is_kept_if_nothing_was_learnt() -> None:
    assert START.learnt(NOW).write() == {}


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ([], "windows is not an object"),
        ({"seconds": "8 days"}, "windows.seconds is not a whole number"),
        ({"failed": True}, "windows.failed is not a whole number"),
        ({"refused": -1}, "windows.refused is not a whole number"),
        ({"bytes_a_day": 10**13}, "windows.bytes_a_day is not a whole number"),
        ({"since": "yesterday"}, "Invalid isoformat string: 'yesterday'"),
    ],
)
def test_a_state_that_is_not_of_windows_is_refused(state: object, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Learnt.read(state)


def test_the_docs_name_the_bounds_and_show_a_state() -> None:
    _, _, page = _OPERATIONS.read_text(encoding="utf-8").partition("## How long windows are")
    page, _, _ = page.partition("\n## ")
    text = " ".join(page.split())
    assert SECONDS_WANTED == 10
    assert f"at most {ROWS_WANTED:,} rows and {BYTES_WANTED >> 20} MiB and take at most ten seconds" in text
    state = json.loads(page[page.index("{") : page.rindex("}") + 1])
    learnt = Learnt.read(state)
    assert learnt.write() == state
    assert growth_at_start(BY_DAY, UP_TO_A_MONTH, learnt, NOW).length == 10 * DAY
