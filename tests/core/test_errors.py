from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.core.errors import SettingError, TapError
from tests.core.making import examples


def test_an_error_says_what_happened_and_what_to_do() -> None:
    """One line: what, then advice, with one full stop between them."""
    assert str(TapError("the server said no.", "Ask it nicely")) == "the server said no. Ask it nicely"
    assert str(TapError("the server said no", "Ask it nicely")) == "the server said no. Ask it nicely"
    assert str(TapError("the server said no")) == "the server said no"


@given(st.text(), st.text())
@examples()
def test_an_error_is_one_printable_line(what: str, advice: str) -> None:
    """Whatever a server wrote, no line break and no control character reaches the log."""
    assert str(TapError(what, advice)).isprintable()


def test_an_error_is_told_with_its_place_once() -> None:
    """Query and window are put in front, unless the message has a query already."""
    error = TapError("the answer was cut").within("query 'calls', window a/b")
    assert str(error) == "query 'calls', window a/b: the answer was cut"
    assert str(error.within("query 'other'")) == "query 'calls', window a/b: the answer was cut"


@pytest.mark.parametrize("kind", [TapError, SettingError])
def test_an_error_keeps_its_kind(kind: type[TapError]) -> None:
    """Telling the place changes the text, not the kind by which it is handled."""
    error = kind("what", "advice")
    assert error.within("query 'x'") is error
    assert type(error) is kind
