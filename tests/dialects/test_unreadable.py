"""Answers that are none: cut, garbled, of another kind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tap_genesys_aggregates.core.errors import UnforeseenError, UnreadableError
from tests.dialects.making import TREE, hour, results, rows

if TYPE_CHECKING:
    from tap_genesys_aggregates.core.query import Query

SECRET = "s3cr3t-of-a-customer"
TREE_ANSWER = {
    "entities": [{"id": SECRET, "groups": [{"id": hour(0), "metrics": {"conversationCount": {"value": 1}}}]}]
}
RESULTS_ANSWER = {
    "results": [
        {
            "group": {"queueId": SECRET},
            "data": [
                {
                    "interval": f"{hour(0)}/{hour(1)}",
                    "metrics": [{"metric": "nOffered", "stats": {"count": 1}}],
                }
            ],
        }
    ]
}
BOTH = [(TREE, json.dumps(TREE_ANSWER)), (results(), json.dumps(RESULTS_ANSWER))]


def refused(query: Query, body: bytes) -> str:
    """What the run says when it is given such an answer."""
    with pytest.raises(UnreadableError) as error:
        rows(query, body)
    return str(error.value)


@pytest.mark.parametrize(("query", "whole"), BOTH)
def test_the_whole_answer_is_readable(query: Query, whole: str) -> None:
    """The samples of this file are answers before they are spoilt."""
    assert len(rows(query, whole.encode())) == 1


@pytest.mark.parametrize(("query", "whole"), BOTH)
def test_a_cut_answer_is_unreadable_wherever_it_is_cut(query: Query, whole: str) -> None:
    """Half an answer is never taken for a small one, and nothing of it is shown."""
    for length in range(len(whole)):
        message = refused(query, whole[:length].encode())
        assert SECRET not in message
        assert len(message) < 250


@pytest.mark.parametrize(("query", "whole"), BOTH)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: body + b"}",
        lambda body: body + body,
        lambda body: b"\xef\xbb\xbf" + body,
        lambda body: body.replace(b"s3cr3t", b"\xff\xfe"),
        lambda body: body.replace(b"s3cr3t", b"a\x00b"),
        lambda body: body.replace(b":", b"="),
        lambda body: body.replace(b": 1", b": NaN"),
        lambda body: body.replace(b": 1", b": 1e999"),
        lambda body: body.decode().encode("utf-16"),
        lambda _: b"<html><body>Bad gateway s3cr3t-of-a-customer</body></html>",
        lambda _: b"upstream s3cr3t-of-a-customer timed out",
        lambda _: b"",
        lambda _: b"\x1f\x8b\x08garbled s3cr3t-of-a-customer",
    ],
)  # fmt: skip
def test_a_garbled_answer_is_unreadable(query: Query, whole: str, spoil: object) -> None:
    """What is no JSON of the right form is asked for again; its text is in no message."""
    assert callable(spoil)
    message = refused(query, spoil(whole.encode()))
    assert SECRET not in message
    assert "customer" not in message
    assert len(message) < 250


@pytest.mark.parametrize(
    "document",
    ["null", "[]", '"s3cr3t"', "7", "true", '{"entities": {}}', '{"entities": "s3cr3t"}',
    '{"entities": ["s3cr3t"]}',
     '{"entities": [null]}', '{"entities": [{"id": 5}]}', '{"entities": [{"groups": {}}]}',
     '{"entities": [{"metrics": []}]}',
     '{"entities": [{"metrics": {"conversationCount": 5}}]}',
     '{"entities": [{"metrics": {"a": {"value": "5"}}}]}',
     '{"entities": [{"metrics": {"a": {"value": true}}}]}', '{"entities": [], "links": []}',
     '{"entities": [], "links": {"next": 2}}', '{"entities": [{"groups": [[]]}]}',
     "[" * 3000 + "]" * 3000],
)  # fmt: skip
def test_a_tree_of_other_types_is_unreadable(document: str) -> None:
    """A number where a list belongs is not guessed at; the message has the place and not the value."""
    message = refused(TREE, document.encode())
    assert "group-tree API" in message
    assert "s3cr3t" not in message


@pytest.mark.parametrize(
    "document",
    ["null", "[]", '"s3cr3t"', '{"results": {}}', '{"results": ["s3cr3t"]}', '{"results": [{"group": []}]}',
     '{"results": [{"group": {"queueId": 5}}]}', '{"results": [{"data": {}}]}',
     '{"results": [{"data": [{}]}]}',
     '{"results": [{"data": [{"interval": 5}]}]}',
     '{"results": [{"data": [{"interval": "x", "metrics": {}}]}]}',
     '{"results": [{"data": [{"interval": "x", "metrics": [{}]}]}]}',
     '{"results": [{"data": [{"interval": "x", "metrics": [{"metric": "n", "stats": {"count": "5"}}]}]}]}',
     '{"results": [{"data": [{"interval": "x", "metrics": [{"metric": "n", "stats": {"count": true}}]}]}]}',
     '{"results": [{"data": [{"interval": "x", "views": [{"stats": {}}]}]}]}'],
)  # fmt: skip
def test_results_of_other_types_are_unreadable(document: str) -> None:
    """The same for the results contract."""
    message = refused(results(), document.encode())
    assert "results API" in message
    assert "s3cr3t" not in message


@pytest.mark.parametrize(("query", "part"), [(TREE, "entities"), (results(), "results")])
def test_an_error_that_comes_as_an_answer_is_no_empty_answer(query: Query, part: str) -> None:
    """A gateway's 200 that means an error must not make a gap: it is asked again, and quoted shorten."""
    said = json.dumps({"code": "internal\x1b[31m.error", "message": "try later\n" + "x" * 100_000})
    message = refused(query, said.encode())
    assert f"the response is an error instead of {part}" in message
    assert "internal" in message
    assert "try later" in message
    assert len(message) < 500
    assert message.isprintable()


@pytest.mark.parametrize("name", ["x" * 100_000, "a\nb", "\x1b[31m"])
def test_names_of_the_answer_are_shown_shortly(name: str) -> None:
    """A key, a metric, a status or a bucket of the server's making is cut and on one line."""
    interval = f"{hour(0)}/{hour(1)}"
    parts = [
        {"group": {name: "x"}, "data": []},
        {"group": {}, "data": [{"interval": interval, "metrics": [{"metric": name, "qualifier": name}]}]},
        {"group": {}, "data": [{"interval": interval, "metrics": [{"metric": name}, {"metric": name}]}]},
        {"group": {"queueId": name}, "data": [{"interval": interval}, {"interval": interval}]},
        {"group": {}, "data": [{"interval": name}]},
    ]
    for part in parts:
        with pytest.raises((UnforeseenError, UnreadableError)) as error:
            rows(results(), {"results": [part]})
        assert len(str(error.value)) < 800
        assert str(error.value).isprintable()
