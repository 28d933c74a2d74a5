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


def test_the_place_is_added_to_an_error_once() -> None:
    error = TapError("the answer was cut").within("query 'calls', window a/b")
    assert str(error) == "query 'calls', window a/b: the answer was cut"
    assert str(error.within("query 'other'")) == "query 'calls', window a/b: the answer was cut"


@pytest.mark.parametrize("kind", [TapError, SettingError])
def test_adding_the_place_keeps_the_class_of_the_error(kind: type[TapError]) -> None:
    error = kind("what", "advice")
    assert error.within("query 'x'") is error
    assert type(error) is kind
