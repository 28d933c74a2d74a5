"""Errors: one printable line, with its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.core.errors import SettingError, TapError
from tests.core.making import examples


def test_an_error_is_one_line_with_what_happened_and_what_to_do() -> None:
    assert str(TapError("the server said no.", "Ask it nicely")) == "the server said no. Ask it nicely"
    assert str(TapError("the server said no", "Ask it nicely")) == "the server said no. Ask it nicely"
    assert str(TapError("the server said no")) == "the server said no"


@given(st.text(), st.text())
@examples()
def test_an_error_is_one_printable_line(what: str, advice: str) -> None:
    """Whatever a server wrote, no line breaks and no control characters reach the log."""
    assert str(TapError(what, advice)).isprintable()


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        pytest.param("the answer was cut", "query 'calls', window a/b: the answer was cut", id="no place"),
        pytest.param(
            "query 'calls': a row is odd", "query 'calls', window a/b: a row is odd", id="the query"
        ),
        pytest.param(
            "query 'calls', window a/m: it was cut", "query 'calls', window a/m: it was cut", id="all"
        ),
        pytest.param("query 'others': a row is odd", "query 'others': a row is odd", id="another query"),
    ],
)
def test_a_message_gets_as_much_of_the_place_as_it_lacks(what: str, expected: str) -> None:
    error = TapError(what).within("query 'calls', window a/b")
    assert str(error) == expected
    assert str(error.within("query 'calls', window a/z")) == expected, "the first place stays"
    assert str(error.within("query 'calls'")) == expected


@pytest.mark.parametrize("kind", [TapError, SettingError])
def test_adding_the_place_keeps_the_class_of_the_error(kind: type[TapError]) -> None:
    error = kind("what", "advice")
    assert error.within("query 'x'") is error
    assert type(error) is kind
