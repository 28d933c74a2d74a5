"""What is hidden in a text, and what is not."""

from __future__ import annotations

import base64
import json
import logging
import os
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.core import redaction
from tap_genesys_aggregates.core.errors import TapError
from tap_genesys_aggregates.singer.log_redaction import RedactingFormatter
from tests.core.making import examples
from tests.hostile.running import CLIENT, SECRET
from tests.secrets.search import found


@pytest.fixture(autouse=True)
def _kept() -> None:
    """The secret is known."""
    redaction.remember_client(CLIENT, SECRET)


@pytest.mark.parametrize(
    "text", ["", "short", "the answer is not what the group-tree contract says", SECRET[:7], "*" * 500]
)
def test_other_text_is_left_alone(text: str) -> None:
    """No word of ours looks like a secret, and seven characters are no secret."""
    assert redaction.redact(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (SECRET, "***"),
        (f"a {SECRET} b", "a *** b"),
        (f"{SECRET}{SECRET}", "***"),
        (f"a{SECRET[:8]}b{SECRET[-9:]}c", "a***b***c"),
        (f"<{quote(SECRET, safe='')}>", "<***>"),
        (f"<{json.dumps(SECRET)[1:-1]}>", "<***>"),
        (f"Basic {base64.b64encode(f'{CLIENT}:{SECRET}'.encode()).decode()}", "Basic ***"),
        (SECRET.upper(), "***"),
    ],
)
def test_every_form_is_hidden(text: str, shown: str) -> None:
    """Whole, in part, in capitals, in base64, for a URL, in JSON; what stands beside it stays."""
    assert redaction.redact(text) == shown


@given(st.text(max_size=20), st.text(max_size=20), st.integers(0, 22), st.integers(8, 30))
@examples(100)
def test_any_part_is_hidden_wherever_it_stands(before: str, after: str, start: int, length: int) -> None:
    """Eight characters or more of it, between any other text."""
    assert found(redaction.redact(before + SECRET[start : start + max(8, length)] + after)) == []


def test_an_error_never_holds_one() -> None:
    """Neither its line nor its parts nor what Python shows of it; however long it is."""
    error = TapError(f"it said {SECRET}", f"do {SECRET}").within("a place")
    assert str(error) == "a place: it said ***. do ***"
    assert found(f"{error!r}{error.args}{error.what}{error.advice}") == []
    assert len(str(TapError("x" * 10_000_000))) < 10_000


def test_the_last_tokens_are_remembered_and_the_client_for_ever() -> None:
    """A run that renews its token a hundred times keeps the last few, and its secret."""
    for number in range(100):
        redaction.remember_token(f"token-number-{number:04d}-{number:08x}")
    assert redaction.redact("token-number-0099-00000063") == "***"
    assert redaction.redact(SECRET) == "***"


def test_a_log_with_a_traceback() -> None:
    """The message, its arguments and the traceback behind them."""
    with pytest.raises(KeyError) as raised:
        os.environ[SECRET]
    record = logging.LogRecord("x", 40, "x.py", 1, "it is %s", (SECRET,), raised._excinfo)  # noqa: SLF001
    text = RedactingFormatter(logging.Formatter("%(message)s")).format(record)
    assert text.startswith("it is ***\nTraceback")
    assert found(text) == []
