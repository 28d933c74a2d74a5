"""Parsing JSON without recursion gives what ``json.loads`` gives, at any depth."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tap_genesys_aggregates.dialects import deep_json
from tests.core.making import examples

_SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
)
_TOKENS = (
    "{", "}", "[", "]", ",", ":", '"', '"a"', '"\\u00e9"', '"\\ud83d\\ude00"', '"\\x"', '"\n"', "0", "01",
    "-", "-1", "1.5", "1.",
    "1e5", "1e", ".5", "+1", "true", "false", "null", "nul", "True", " ", "\n", "\t", "\xa0", "\ufeff", "//",
    "'a'", "1_0", "٣",
)  # fmt: skip
_TOKEN_SEQUENCES = st.lists(st.sampled_from(_TOKENS), max_size=12).map("".join)


def _assert_same_as_json(text: str) -> None:
    """Check that a text is parsed or refused exactly as ``json.loads`` does."""
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError, match=r".+"):
            deep_json.parse(text)
    else:
        found = deep_json.parse(text)
        assert found == expected
        assert json.dumps(found) == json.dumps(expected)  # 1, 1.0 and true are not the same


@given(_VALUES, st.sampled_from([None, 0, 3, "\t"]), st.booleans())
@examples(60)
def test_every_document_is_parsed_like_json_loads(
    value: object,
    indent: int | str | None,
    escaped: bool,  # noqa: FBT001
) -> None:
    """With or without whitespace and escapes."""
    _assert_same_as_json(json.dumps(value, indent=indent, ensure_ascii=escaped))


@given(_TOKEN_SEQUENCES)
@example("[1,]")
@example('{"a":1,}')
@example('{"a" 1}')
@example("{1:2}")
@example("[1 2]")
@example("[}")
@example("{]")
@example("]")
@example("1 2")
@example("")
@example('{"a":1,"a":2}')
@examples(120)
def test_any_sequence_of_tokens_is_treated_like_json_loads(text: str) -> None:
    """It is a document exactly if it is one for ``json.loads``."""
    _assert_same_as_json(text)


@given(_VALUES, st.integers(0, 400), st.sampled_from(["", *_TOKENS]), st.integers(0, 3))
@examples(60)
def test_a_damaged_document_is_treated_like_json_loads(
    value: object, position: int, token: str, removed: int
) -> None:
    """One token inserted, and up to three characters removed."""
    text = json.dumps(value)
    position = position % (len(text) + 1)
    _assert_same_as_json(text[:position] + token + text[position + removed :])


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}'])
def test_words_that_are_not_json_are_refused(text: str) -> None:
    """Python's parser accepts these words, but they are not JSON and must not become numbers."""
    with pytest.raises(ValueError, match="malformed"):
        deep_json.parse(text)


@pytest.mark.parametrize("depth", [3, 2_000, 20_000])
def test_any_depth_is_parsed(depth: int) -> None:
    """Deeper than Python's stack: every level, and the value at the bottom."""
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        found = deep_json.parse(opening * depth + "7" + closing * depth)
        levels = 0
        while isinstance(found, (list, dict)):
            found = found[0] if isinstance(found, list) else found["a"]
            levels += 1
        assert (levels, found) == (depth, 7)


def test_the_message_has_a_position_and_not_the_text() -> None:
    """The text may be long, or customer data."""
    text = '{"secret": "s3cr3t" "x"}'
    with pytest.raises(ValueError, match="malformed JSON at character 19") as refused:
        deep_json.parse(text)
    assert "s3cr3t" not in str(refused.value)
