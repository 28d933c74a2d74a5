"""What the headers of an answer say of the budget, right or wrong."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.http.rate_limit import INITIAL_BUDGET, UNLIMITED_BUDGET, Budget, read_budget
from tests.core.making import examples

NOW = 1000.0
LONGEST = 300.0


def headers(allowed: object, count: object, reset: object) -> dict[str, str]:
    """The three headers; one that is None is missing."""
    named = {"allowed": allowed, "count": count, "reset": reset}
    return {f"inin-ratelimit-{name}": str(each) for name, each in named.items() if each is not None}


@pytest.mark.parametrize(
    ("said", "budget"),
    [
        (headers(300, 12, 40), Budget(288, NOW + 41)),
        (headers(" 300 ", "300", "0"), Budget(0, NOW + 1)),
        (headers(300, 12, "39.5"), Budget(288, NOW + 40.5)),
        (headers(300, 5000, 40), Budget(0, NOW + 41)),
        (headers(300, 0, 10**14), Budget(300, NOW + LONGEST)),
        (headers(10**14, 12, 40), Budget(10**14 - 12, NOW + 41)),
    ],
    ids=["usual", "used up", "fractions", "more than allowed", "huge reset", "huge budget"],
)
def test_a_budget_is_read(said: dict[str, str], budget: Budget) -> None:
    """What is left is what is allowed less the count, until a second after the reset at the most."""
    assert read_budget(said, NOW, LONGEST) == budget


WRONG = (None, "", "many", "-1", "1e9", "\N{ARABIC-INDIC DIGIT THREE}", "nan", "inf", "0x10", "9" * 99, "1,2")


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_headers_that_are_no_numbers_say_nothing(wrong: str | None, place: int) -> None:
    """One that is missing or garbled makes the others worthless."""
    values: list[object] = [300, 12, 40]
    values[place] = wrong
    assert read_budget(headers(*values), NOW, LONGEST) is None


def test_a_budget_of_nothing_says_nothing() -> None:
    """An answer that says that no request is ever allowed contradicts itself."""
    assert read_budget(headers(0, 0, 40), NOW, LONGEST) is None


@given(st.tuples(*[st.text() | st.integers().map(str) | st.floats().map(str)] * 3))
@examples(300)
def test_whatever_they_say_the_wait_is_bounded(values: tuple[str, str, str]) -> None:
    """Nothing in the headers ends a run, or holds it for longer than the longest wait."""
    found = read_budget(headers(*values), NOW, LONGEST)
    assert found is None or (found.remaining >= 0 and NOW <= found.resets_at <= NOW + LONGEST)


def test_the_least_counts() -> None:
    """Answers may overtake each other: of what they say, the least is left, and the first reset comes."""
    first, second = Budget(20, NOW + 31), Budget(22, NOW + 30)
    assert first.updated(second) == second.updated(first) == Budget(20, NOW + 30)


def test_what_was_presumed_gives_way() -> None:
    """Any answer knows better than a presumption, whichever says more."""
    said = Budget(20, NOW + 30)
    assert [each.updated(said) for each in (INITIAL_BUDGET, UNLIMITED_BUDGET, Budget(250, math.inf))] == [
        said
    ] * 3


@pytest.mark.parametrize(("left", "presumed"), [(250, 250), (1, 1), (0, 1), (-3, 1)])
def test_a_new_budget_is_presumed_to_be_like_the_old(left: float, presumed: float) -> None:
    """After the reset as much is presumed as was left before it, and one that may go and see."""
    old = Budget(left, NOW)
    assert old.at(NOW - 0.001) is old
    assert old.at(NOW) == Budget(presumed, math.inf)


def test_what_ends_without_a_word_may_be_counted() -> None:
    """It is taken off what is known; where nothing is known, only an answer says that there is no budget."""
    known = Budget(20, NOW)
    assert known.without_report(answered=True) == known.without_report(answered=False) == Budget(19, NOW)
    assert INITIAL_BUDGET.without_report(answered=False) is INITIAL_BUDGET
    assert INITIAL_BUDGET.without_report(answered=True) is UNLIMITED_BUDGET
