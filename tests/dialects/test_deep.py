from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tap_genesys_aggregates.dialects import deep_json
from tests.core.making import examples

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
)
TOKENS = (
    "{", "}", "[", "]", ",", ":", '"', '"a"', '"\\u00e9"', '"\\ud83d\\ude00"', '"\\x"', '"\n"', "0", "01",
    "-", "-1", "1.5", "1.",
    "1e5", "1e", ".5", "+1", "true", "false", "null", "nul", "True", " ", "\n", "\t", "\xa0", "\ufeff", "//",
    "'a'", "1_0", "٣",
)  # fmt: skip
SPOILT = st.lists(st.sampled_from(TOKENS), max_size=12).map("".join)


def agrees(text: str) -> None:
    """Check that a text is read like ``json.loads`` reads it, or refused like it refuses it."""
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError, match=r".+"):
            deep_json.parse(text)
    else:
        found = deep_json.parse(text)
        assert found == expected
        assert json.dumps(found) == json.dumps(expected)  # 1, 1.0 and true are not the same


@given(VALUES, st.sampled_from([None, 0, 3, "\t"]), st.booleans())
@examples(60)
def test_every_value_is_read_as_json_has_it(value: object, indent: int | str | None, escaped: bool) -> None:  # noqa: FBT001
    """Any document comes out as ``json.loads`` would have it, with or without space and escapes in it."""
    agrees(json.dumps(value, indent=indent, ensure_ascii=escaped))


@given(SPOILT)
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
def test_what_json_refuses_is_refused(text: str) -> None:
    """Tokens in any order are a document exactly where ``json.loads`` says so."""
    agrees(text)


@given(VALUES, st.integers(0, 400), st.sampled_from(["", *TOKENS]), st.integers(0, 3))
@examples(60)
def test_a_spoilt_document_is_refused_like_json_refuses_it(
    value: object, place: int, token: str, gone: int
) -> None:
    """One token put in, one character left out: both readers agree on what is left."""
    text = json.dumps(value)
    place = place % (len(text) + 1)
    agrees(text[:place] + token + text[place + gone :])


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}'])
def test_words_that_are_no_json_are_refused(text: str) -> None:
    """Python's reader takes these words; JSON has none of them, and no number of an answer may be one."""
    with pytest.raises(ValueError, match="malformed"):
        deep_json.parse(text)


@pytest.mark.parametrize("depth", [3, 2_000, 20_000])
def test_depth_is_no_obstacle(depth: int) -> None:
    """What is deeper than Python's stack is read whole: as many levels, and the value at the bottom."""
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        found = deep_json.parse(opening * depth + "7" + closing * depth)
        levels = 0
        while isinstance(found, (list, dict)):
            found = found[0] if isinstance(found, list) else found["a"]
            levels += 1
        assert (levels, found) == (depth, 7)


def test_the_message_has_a_place_and_not_the_text() -> None:
    """Malformed text is told by its position: the rest may be long, or a customer's."""
    text = '{"secret": "s3cr3t" "x"}'
    with pytest.raises(ValueError, match="malformed JSON at character 19") as refused:
        deep_json.parse(text)
    assert "s3cr3t" not in str(refused.value)
