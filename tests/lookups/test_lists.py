"""Whole lists, and what becomes of their entries."""

from __future__ import annotations

import logging

import pytest

from genesys_sandbox import Rule
from genesys_sandbox.faults import put, status
from tap_genesys_aggregates.core.errors import UnreadableError
from tap_genesys_aggregates.dialects.lookup_lists import read_listing
from tap_genesys_aggregates.http.errors import RefusedError
from tests.lookups.scene import PATHS, always, asked, facts, names, pull, sandbox


@pytest.mark.parametrize("name", PATHS)
def test_a_list_arrives_whole(name: str) -> None:
    """Each look-up has every entry of its list once, with its name, over several pages."""
    centre = sandbox(small=True, agents=11)
    outcome = pull(centre, name)
    assert outcome.error is None
    rows = outcome.rows(name)
    assert names(rows) == facts(centre)[name]
    assert len(rows) == len(facts(centre)[name])
    assert len(asked(centre, PATHS[name])) >= len(rows) // 2 > 0


def test_presences_come_whole_and_retired_ones_too() -> None:
    """No parameters of paging for a list that has no pages; what is deactivated is asked for apart."""
    centre = sandbox()
    pull(centre, "presence_definitions")
    assert asked(centre, PATHS["presence_definitions"]) == [
        {"deactivated": "false", "localeCode": "ALL"},
        {"deactivated": "true", "localeCode": "ALL"},
    ]


def test_both_halves_of_a_list_count() -> None:
    """What only the second ask brings is in the table beside what the first brings."""
    retired = {"id": "old", "languageLabels": {"de": "Pause", "fr": "Repos"}, "deactivated": True}
    rows = pull(
        sandbox(Rule(put(("entities",), [retired]), match="deactivated=true")), "presence_definitions"
    )
    found = names(rows.rows("presence_definitions"))
    assert found == {**facts(sandbox())["presence_definitions"], "old": "Pause"}


def test_declared_values_become_columns() -> None:
    """Paths lead to values, instants are UTC in 24 characters; absent is null, undeclared is no column."""
    entry = {
        "id": "q1",
        "name": "Sales",
        "division": {"id": "d1"},
        "memberCount": 3.0,
        "dateModified": "2024-05-01T02:00:00.5+02:00",
        "mediaSettings": {"call": {"serviceLevel": {"percentage": 0.8, "durationMs": 20000}}, "chat": None},
        "bullseye": {"rings": []},
    }
    outcome = pull(sandbox(Rule(put(("entities",), [entry]), match="queues", times=None)), "queues")
    (row,) = outcome.rows("queues")
    assert {name: value for name, value in row.items() if value is not None} == {
        "id": "q1",
        "name": "Sales",
        "division_id": "d1",
        "member_count": 3,
        "call_service_level_percentage": 0.8,
        "call_service_level_duration_ms": 20000,
        "date_modified": "2024-05-01T00:00:00.500Z",
        "extracted_at": "2026-03-04T12:00:00.000Z",
    }
    (schema,) = (m for m in outcome.messages if m["type"] == "SCHEMA" and m["stream"] == "queues")
    assert set(row) == set(schema["schema"]["properties"])
    assert schema["key_properties"] == ["id"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", 5), ("memberCount", "5"), ("memberCount", True), ("dateModified", "soon"), ("dateModified", 5)],
)
def test_a_value_of_another_kind_is_refused(field: str, value: object) -> None:
    """A value is never bent to fit its column: the run stops, once, and says where it stands."""
    centre = sandbox(always(put(("entities", 1, field), value), "queues"))
    outcome = pull(centre, "queues")
    assert isinstance(outcome.error, UnreadableError)
    assert str(outcome.error).startswith(
        f"lookup 'queues': {field} of 05f1c285-6777-4ccc-806f-8db085ae0793 is"
    )
    assert len(asked(centre, PATHS["queues"])) == 1
    assert outcome.rows("queues") == []


def test_a_count_that_never_comes_true_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """A list that says that it has more than it shows is read twice, then loaded with a warning."""
    centre = sandbox(always(put(("total",), 9), "queues"))
    with caplog.at_level(logging.WARNING):
        outcome = pull(centre, "queues")
    assert outcome.error is None
    assert names(outcome.rows("queues")) == facts(centre)["queues"]
    assert len(asked(centre, PATHS["queues"])) == 2
    assert "lookup 'queues' reports 3 more entries than it returned" in caplog.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"entities": 5}',
        b'{"entities": [5]}',
        b'{"entities": [{"name": "no id"}]}',
        b'{"entities": [{"id": ""}]}',
        b'{"code": "bad.gateway", "message": "later"}',
        b"\xff\xfe",
    ],
)
def test_what_is_no_list_is_not_taken_for_an_empty_one(body: bytes) -> None:
    """An answer that is no page of a list is an error, not a table without rows."""
    with pytest.raises(UnreadableError):
        read_listing(body)


@pytest.mark.parametrize("body", [b"{}", b'{"entities": null}', b'{"entities": []}'])
def test_an_empty_list_is_a_list(body: bytes) -> None:
    """A list without entries, however it says so, is read."""
    assert not read_listing(body).entities


def test_what_passes_is_tried_again() -> None:
    """A page that fails for a moment is asked for again, with the token and pace of every request."""
    centre = sandbox(Rule(status(503), match="queues"), Rule(status(401), match="pageNumber=2"), small=True)
    outcome = pull(centre, "queues")
    assert outcome.error is None
    assert names(outcome.rows("queues")) == facts(centre)["queues"]


def test_any_other_error_stops_the_run() -> None:
    """What is not a missing permission ends the run at once, before later streams."""
    outcome = pull(sandbox(always(status(400), "/flows")), "flows", "queues", "calls")
    assert isinstance(outcome.error, RefusedError)
    assert str(outcome.error).startswith("lookup 'flows': ")
    assert outcome.rows("calls")
    assert outcome.rows("queues") == []
