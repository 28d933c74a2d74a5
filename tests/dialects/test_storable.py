"""What a warehouse could not store, or would store as something else, is refused before it gets there."""

from __future__ import annotations

import pytest

from tap_genesys_aggregates.core.errors import TapError, UnforeseenError, UnreadableError
from tests.dialects.answers import answer, bucket, metric, row
from tests.dialects.making import body, hour, results, rows, tree


@pytest.mark.parametrize("text", ["a\x00b", "\x00", "x" * 2001])
def test_what_no_warehouse_has_in_a_key_is_refused(text: str) -> None:
    """PostgreSQL stores no NUL, and indexes no long text; without it, or cut, two keys could be one."""
    message = "queue_id .* and a warehouse cannot store that in a key. Exclude that group with a filter"
    with pytest.raises(UnforeseenError, match=message) as refused:
        rows(results(), answer(bucket(0), group={"queueId": text}))
    assert len(str(refused.value)) < 300
    metrics = {"conversationCount": {"value": 1}}
    with pytest.raises(UnforeseenError, match=message):
        rows(
            tree("interval", "routing.queue.id"),
            {"entities": [{"id": text, "groups": [{"id": hour(0), "metrics": metrics}]}]},
        )


def test_a_key_of_two_thousand_characters_is_one() -> None:
    """That much fits in a row of an index."""
    assert rows(results(), answer(bucket(0), group={"queueId": "x" * 2000})) == [row(0, "x" * 2000)]


def test_what_only_looks_like_nul_is_not() -> None:
    r"""A backslash and then ``u0000`` is a text like any other; so is NUL where no key is."""
    assert rows(results(), answer(bucket(0), group={"queueId": "\\u0000"})) == [row(0, "\\u0000")]
    assert rows(results(), {**answer(bucket(0)), "comment": "\x00"}) == [row(0)]


@pytest.mark.parametrize("count", [2**63, -(2**63), 10**40, 1e19])
def test_a_count_beyond_integers_is_refused(count: float) -> None:
    """A warehouse's integers end at 2 to the 63rd: a larger count would fail there, or be another."""
    with pytest.raises(UnreadableError, match="n_offered_count is a count"):
        rows(results(), answer(bucket(0, metric("nOffered", count=count))))


@pytest.mark.parametrize("text", [b"1e400", b"-1e999", b"NaN", b"Infinity", b'"1"', b"true", b"[1]"])
def test_what_is_no_number_is_refused(text: bytes) -> None:
    """It would be written as null, or as something else: never in silence."""
    leaf = {"id": hour(0), "metrics": {"conversationCount": {"value": 12345}}}
    with pytest.raises(TapError):
        rows(results(), body(answer(bucket(0, metric("tHandle", sum=12345)))).replace(b"12345", text))
    with pytest.raises(TapError):
        rows(tree("interval"), body({"entities": [leaf]}).replace(b"12345", text))
