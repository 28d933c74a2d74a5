"""Responses that are cut, garbled or of other types are refused, and never quoted at length."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tap_genesys_aggregates.core.errors import UnforeseenError, UnreadableError
from tap_genesys_aggregates.dialects import dialect_of
from tap_genesys_aggregates.dialects.lookup_lists import read_list_page
from tap_genesys_aggregates.dialects.results_jobs import JobsDialect
from tests.dialects.responses import TREE, hour, results, rows, window

if TYPE_CHECKING:
    from tap_genesys_aggregates.core.query import Query

_SECRET = "s3cr3t-of-a-customer"
_TREE_RESPONSE = {
    "entities": [{"id": _SECRET, "groups": [{"id": hour(0), "metrics": {"conversationCount": {"value": 1}}}]}]
}
_RESULTS_RESPONSE = {
    "results": [
        {
            "group": {"queueId": _SECRET},
            "data": [
                {
                    "interval": f"{hour(0)}/{hour(1)}",
                    "metrics": [{"metric": "nOffered", "stats": {"count": 1}}],
                }
            ],
        }
    ]
}
_WITH_COUNT = json.dumps(_RESULTS_RESPONSE).replace('"count": 1', '"count": COUNT')
_BOTH = [(TREE, json.dumps(_TREE_RESPONSE)), (results(), json.dumps(_RESULTS_RESPONSE))]


def _refusal(query: Query, body: bytes) -> str:
    """The message of the error for a response."""
    with pytest.raises(UnreadableError) as error:
        rows(query, body)
    return str(error.value)


@pytest.mark.parametrize(("query", "whole"), _BOTH)
def test_the_samples_are_valid(query: Query, whole: str) -> None:
    """The samples of this file are readable before they are damaged."""
    assert len(rows(query, whole.encode())) == 1


@pytest.mark.parametrize(("query", "whole"), _BOTH)
def test_a_response_that_is_cut_anywhere_is_refused(query: Query, whole: str) -> None:
    """Half a response never counts as a small one, and none of it is shown."""
    for length in range(len(whole)):
        message = _refusal(query, whole[:length].encode())
        assert _SECRET not in message
        assert len(message) < 250


@pytest.mark.parametrize(("query", "whole"), _BOTH)
@pytest.mark.parametrize(
    "damage",
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
def test_a_garbled_response_is_refused(query: Query, whole: str, damage: object) -> None:
    """The message does not contain its text."""
    assert callable(damage)
    message = _refusal(query, damage(whole.encode()))
    assert _SECRET not in message
    assert "customer" not in message
    assert len(message) < 250


@pytest.mark.parametrize(
    "document",
    ["null", "[]", '"s3cr3t"', "7", "true", '{"entities": {}}', '{"entities": "s3cr3t"}',
    '{"entities": ["s3cr3t"]}',
     '{"entities": [null]}', '{"entities": [{"groups": {}}]}',
     '{"entities": [{"metrics": []}]}',
     '{"entities": [{"metrics": {"conversationCount": 5}}]}',
     '{"entities": [{"metrics": {"a": {"value": "5"}}}]}',
     '{"entities": [{"metrics": {"a": {"value": true}}}]}', '{"entities": [], "links": []}',
     '{"entities": [], "links": {"next": 2}}', '{"entities": [{"groups": [[]]}]}',
     "[" * 3000 + "]" * 3000],
)  # fmt: skip
def test_a_tree_with_other_types_is_refused(document: str) -> None:
    """The message has the place and not the value."""
    message = _refusal(TREE, document.encode())
    assert "group-tree API" in message
    assert "s3cr3t" not in message


@pytest.mark.parametrize(
    "document",
    ["null", "[]", '"s3cr3t"', '{"results": {}}', '{"results": ["s3cr3t"]}', '{"results": [{"group": []}]}',
     '{"results": [{"data": {}}]}',
     '{"results": [{"data": [{}]}]}',
     '{"results": [{"data": [{"interval": 5}]}]}',
     '{"results": [{"data": [{"interval": "x", "metrics": {}}]}]}',
     '{"results": [{"data": [{"interval": "x", "metrics": [{}]}]}]}',
     _WITH_COUNT.replace("COUNT", '"5"'), _WITH_COUNT.replace("COUNT", "true"),
     '{"results": [{"data": [{"interval": "x", "views": [{"stats": {}}]}]}]}'],
)  # fmt: skip
def test_results_with_other_types_are_refused(document: str) -> None:
    message = _refusal(results(), document.encode())
    assert "results API" in message
    assert "s3cr3t" not in message


@pytest.mark.parametrize(("query", "part"), [(TREE, "entities"), (results(), "results")])
def test_an_error_with_status_200_is_not_an_empty_response(query: Query, part: str) -> None:
    """It must not leave a gap in the data; the message quotes only its beginning."""
    response = json.dumps({"code": "internal\x1b[31m.error", "message": "try later\n" + "x" * 100_000})
    message = _refusal(query, response.encode())
    assert f"the response is an error instead of {part}" in message
    assert "internal" in message
    assert "try later" in message
    assert len(message) < 500
    assert message.isprintable()


_ERRORS = [
    ({"error": "boom", "status": 500}, "500: boom"),
    ({"errors": [{"message": "boom"}]}, '[{"message":"boom"}]'),
    ({"error": {"code": "internal"}}, '{"code":"internal"}'),
    ({"status": 0, "message": "boom"}, "0: boom"),
    ({"code": "internal.error"}, "internal.error"),
]


@pytest.mark.parametrize("none", [{}, {"entities": None, "results": None}, {"entities": [], "results": []}])
@pytest.mark.parametrize(("error", "words"), _ERRORS)
@pytest.mark.parametrize("part", ["results", "job results", "entities", "list entities"])
def test_an_error_beside_no_rows_is_refused_with_the_servers_words(
    none: dict[str, object], error: dict[str, object], words: str, part: str
) -> None:
    """Committed as an empty window, it would remove settled days for good.

    Smallest reproducer: ``{"error": "boom", "status": 500}`` with status 200.
    """
    body = json.dumps({**{name: each for name, each in none.items() if name in part}, **error}).encode()
    with pytest.raises(UnreadableError) as refused:
        _read(part, body)
    assert (
        f"the response is an error instead of {part.removeprefix('job ').removeprefix('list ')}: {words}"
        in str(refused.value)
    )


@pytest.mark.parametrize("error", [{"error": "boom"}, {"errors": [{"message": "boom"}]}])
@pytest.mark.parametrize("part", ["results", "job results", "entities", "list entities"])
def test_an_error_beside_rows_is_refused(error: dict[str, object], part: str) -> None:
    """Such a response has some of the rows at most. The fast readers look too.

    Smallest reproducer: a plain response with ``"errors": [{"message": "boom"}]`` after its rows.
    """
    whole = _TREE_RESPONSE if part.endswith("entities") else _RESULTS_RESPONSE
    _read(part, json.dumps({**whole, "error": None, "errors": []}).encode())
    with pytest.raises(UnreadableError, match=r"an error instead of .*boom"):
        _read(part, json.dumps({**whole, **error}).encode())


def test_what_is_unknown_beside_no_rows_is_refused_by_name() -> None:
    """Smallest reproducer: ``{"results": [], "pending": true}``."""
    with pytest.raises(
        UnreadableError, match="the response has no results, but 'pending', so it may be an error"
    ):
        _read("results", b'{"results": [], "pending": true}')


@pytest.mark.parametrize(
    ("part", "empty"),
    [
        ("results", '{"results": [], "systemToOrganizationMappings": {"AWAY": ["a"]}}'),
        ("job results", '{"results": [], "cursor": "c", "dataAvailabilityDate": "2023-11-01T00:00:00Z"}'),
        ("entities", '{"summary": {"n": 1}, "pageSize": 25, "pageNumber": 1, "total": 0, "links": {}}'),
        (
            "list entities",
            '{"entities": [], "pageSize": 25, "pageNumber": 1, "pageCount": 0, "selfUri": "/x"}',
        ),
    ],
)
def test_documented_fields_beside_no_rows_are_not_an_error(part: str, empty: str) -> None:
    _read(part, empty.encode())


@pytest.mark.parametrize(
    ("part", "extra"),
    [
        ("results", {"message": {}, "code": 5, "status": []}),
        ("job results", {"message": {}}),
        ("entities", {"message": {}, "total": "1", "summary": 5, "pageSize": "x"}),
        ("list entities", {"message": {}, "total": "5", "pageCount": "1", "nextUri": 5}),
    ],
)
def test_a_field_of_another_type_that_no_column_needs_stops_nothing(
    part: str, extra: dict[str, object]
) -> None:
    """Smallest reproducer: ``"total": "5"`` in a list, and ``"message": {}`` beside rows."""
    whole = _TREE_RESPONSE if part.endswith("entities") else _RESULTS_RESPONSE
    _read(part, json.dumps({**whole, **extra}).encode())


def _read(part: str, body: bytes) -> None:
    """Read a response of an API as that API's reader does."""
    if part == "list entities":
        read_list_page(body)
    elif part == "job results":
        JobsDialect(results()).read_results(body, window())
    else:
        list(dialect_of(TREE if part == "entities" else results()).read(body, window()).leaves)


@pytest.mark.parametrize("status", ['{"state": "FULFILLED", "error": "boom"}', '{"error": "boom"}'])
def test_an_error_instead_of_a_job_status_is_refused_with_its_words(status: str) -> None:
    with pytest.raises(UnreadableError, match="an error instead of state: boom"):
        JobsDialect(results()).read_status(status.encode())


def test_the_error_message_of_a_job_may_have_any_type() -> None:
    found = JobsDialect(results()).read_status(b'{"state": "FAILED", "errorMessage": {"why": 1}}')
    assert found.error_message == '{"why":1}'


@pytest.mark.parametrize("name", ["x" * 100_000, "a\nb", "\x1b[31m"])
def test_names_from_a_response_are_shortened(name: str) -> None:
    """A dimension, metric, qualifier or interval is cut, and shown on one line."""
    interval = f"{hour(0)}/{hour(1)}"
    one, other = ({"metric": name, "stats": {"count": number}} for number in (1, 2))
    parts = [
        {"group": {name: "x"}, "data": []},
        {"group": {}, "data": [{"interval": interval, "metrics": [{"metric": name, "qualifier": name}]}]},
        {"group": {}, "data": [{"interval": interval, "metrics": [one, other]}]},
        {
            "group": {"queueId": name},
            "data": [{"interval": interval, "metrics": [one]}, {"interval": interval, "metrics": [other]}],
        },
        {"group": {}, "data": [{"interval": name}]},
    ]
    for part in parts:
        with pytest.raises((UnforeseenError, UnreadableError)) as error:
            rows(results(), {"results": [part]})
        assert len(str(error.value)) < 800
        assert str(error.value).isprintable()
