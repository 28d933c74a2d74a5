"""Values that a warehouse cannot store, or would store as something else, are refused."""

from __future__ import annotations

import pytest

from tap_genesys_aggregates.core.errors import TapError, UnforeseenError, UnreadableError
from tests.dialects.responses import (
    body,
    bucket,
    hour,
    metric,
    results,
    results_response,
    results_row,
    rows,
    tree,
)


@pytest.mark.parametrize("text", ["a\x00b", "\x00", "x" * 2001])
def test_a_key_that_a_warehouse_cannot_store_is_refused(text: str) -> None:
    """PostgreSQL stores no NUL and indexes no long text; cutting it could turn two keys into one."""
    message = "queue_id .* and a warehouse cannot store that in a key. Exclude that group with a filter"
    with pytest.raises(UnforeseenError, match=message) as refused:
        rows(results(), results_response(bucket(0), group={"queueId": text}))
    assert len(str(refused.value)) < 300
    metrics = {"conversationCount": {"value": 1}}
    with pytest.raises(UnforeseenError, match=message):
        rows(
            tree("interval", "routing.queue.id"),
            {"entities": [{"id": text, "groups": [{"id": hour(0), "metrics": metrics}]}]},
        )


def test_a_key_may_have_two_thousand_characters() -> None:
    """They fit into a row of an index."""
    assert rows(results(), results_response(bucket(0), group={"queueId": "x" * 2000})) == [
        results_row(0, "x" * 2000)
    ]


def test_text_that_only_looks_like_nul_is_accepted() -> None:
    r"""A backslash followed by ``u0000``, and NUL outside of a key."""
    assert rows(results(), results_response(bucket(0), group={"queueId": "\\u0000"})) == [
        results_row(0, "\\u0000")
    ]
    assert rows(results(), {**results_response(bucket(0)), "comment": "\x00"}) == [results_row(0)]


@pytest.mark.parametrize("count", [2**63, -(2**63), 10**40, 1e19])
def test_a_count_larger_than_an_integer_is_refused(count: float) -> None:
    """A larger count than 2**63 - 1 would fail in a warehouse, or become another number."""
    with pytest.raises(UnreadableError, match="n_offered_count is a count"):
        rows(results(), results_response(bucket(0, metric("nOffered", count=count))))


@pytest.mark.parametrize("text", [b"1e400", b"-1e999", b"NaN", b"Infinity", b'"1"', b"true", b"[1]"])
def test_a_value_that_is_not_a_number_is_refused(text: bytes) -> None:
    """It is never replaced by null or by another number."""
    leaf = {"id": hour(0), "metrics": {"conversationCount": {"value": 12345}}}
    with pytest.raises(TapError):
        rows(
            results(), body(results_response(bucket(0, metric("tHandle", sum=12345)))).replace(b"12345", text)
        )
    with pytest.raises(TapError):
        rows(tree("interval"), body({"entities": [leaf]}).replace(b"12345", text))
