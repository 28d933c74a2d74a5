"""Whole lists, however the platform pages them."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from tap_genesys_aggregates.core.listing import MOST_PAGES, Entries, Listing, read
from tap_genesys_aggregates.core.lookup_table import lookups
from tap_genesys_aggregates.core.refusal import UnreadableError
from tap_genesys_aggregates.errors import RefusedError, StrayError
from tap_genesys_aggregates.sandbox import Rule
from tap_genesys_aggregates.sandbox.faults import put, same_page, status
from tests.lookups.scene import PATHS, SmallPages, always, asked, facts, pull, sandbox

if TYPE_CHECKING:
    from tap_genesys_aggregates.sandbox import Answer, Request


def names(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Id → name."""
    return {row["id"]: row["name"] for row in rows}


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


def test_pages_of_a_hundred() -> None:
    """250 users are three pages of a hundred, in every state, so that those who left have names too."""
    centre = sandbox(agents=250)
    outcome = pull(centre, "users")
    assert names(outcome.rows("users")) == facts(centre)["users"]
    assert asked(centre, PATHS["users"]) == [
        {"state": "any", "pageSize": "100", "pageNumber": number} for number in "123"
    ]


def test_a_cursor_is_followed() -> None:
    """Teams have no page numbers: each page but the first is asked for by the mark of the one before."""
    centre = sandbox(small=True)
    ids = [row["id"] for row in pull(centre, "teams").rows("teams")]
    assert [each.get("after") for each in asked(centre, PATHS["teams"])] == [None, ids[1]]
    assert all("pageNumber" not in each for each in asked(centre, PATHS["teams"]))


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
        f"look-up 'queues': {field} of 05f1c285-6777-4ccc-806f-8db085ae0793 is"
    )
    assert len(asked(centre, PATHS["queues"])) == 1
    assert outcome.rows("queues") == []


def test_an_entry_that_comes_twice_counts_once() -> None:
    """Pages that shift bring an entry again: the later one counts; what was passed over is read anew."""
    first, second, third, *others = known = list(facts(sandbox())["queues"])
    shifted = put(("entities", 0), {"id": second, "name": "Renamed"})
    centre = sandbox(Rule(shifted, match="pageNumber=2"), small=True)
    rows = pull(centre, "queues").rows("queues")
    assert [row["id"] for row in rows] == [first, second, *others, third]
    assert len(asked(centre, PATHS["queues"])) == len(known)


def test_the_later_of_two_entries_counts() -> None:
    """Where an entry comes on two pages, the row is made of the second."""
    entries = Entries()
    entries.add(Listing([{"id": "a", "name": "old"}, {"id": "b"}]))
    entries.add(Listing([{"id": "a", "name": "new"}]))
    assert list(entries.by_id.values()) == [{"id": "a", "name": "new"}, {"id": "b"}]


def test_a_count_that_never_comes_true_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """A list that says that it has more than it shows is read twice, then loaded with a warning."""
    centre = sandbox(always(put(("total",), 9), "queues"))
    with caplog.at_level(logging.WARNING):
        outcome = pull(centre, "queues")
    assert outcome.error is None
    assert names(outcome.rows("queues")) == facts(centre)["queues"]
    assert len(asked(centre, PATHS["queues"])) == 2
    assert "look-up 'queues' says that it has 3 entries more than came" in caplog.text


def test_an_empty_page_is_not_the_end() -> None:
    """A page without entries between others does not cut the list."""
    centre = sandbox(Rule(put(("entities",), None), match="pageNumber=2", times=None), small=True)
    outcome = pull(centre, "queues")
    known = list(facts(centre)["queues"])
    assert [row["id"] for row in outcome.rows("queues")] == [*known[:2], *known[4:]]


def test_pages_that_nobody_counts_go_on_while_they_are_full() -> None:
    """Without ``pageCount`` a full page has a successor, and so has one with ``nextUri``."""
    silent = [always(put(("pageCount",), None), "users")]
    centre = sandbox(*silent, agents=250)
    assert len(pull(centre, "users").rows("users")) == 250
    centre = sandbox(*silent, agents=11, small=True)
    assert len(pull(centre, "users").rows("users")) == 11


@pytest.mark.parametrize(("entries", "more"), [(100, True), (99, False), (0, False)])
def test_a_full_page_without_count_or_link_has_a_successor(entries: int, more: bool) -> None:  # noqa: FBT001
    """A page says nothing of others: one that is not full is the last."""
    page = Listing([{"id": str(number)} for number in range(entries)])
    following = lookups()["queues"].following({}, page, 4)
    assert following == ("/api/v2/routing/queues?pageSize=100&pageNumber=5" if more else None)


class Stubborn(SmallPages):
    """A platform that ignores the number of the page."""

    @override
    def handle(self, request: Request) -> Answer:
        return super().handle(replace(request, target=re.sub("pageNumber=.", "pageNumber=1", request.target)))


def test_a_page_that_comes_again_is_refused() -> None:
    """A server that gives one page for every number is not believed."""
    centre = Stubborn(now=sandbox().now)
    outcome = pull(centre, "queues")
    assert isinstance(outcome.error, UnreadableError)
    assert "look-up 'queues': page 2 of the list came before" in str(outcome.error)
    assert outcome.rows("queues") == []


def test_a_cursor_that_goes_round_is_refused() -> None:
    """A next link that leads back ends the run, not in a circle."""
    outcome = pull(sandbox(always(same_page(), "after="), small=True), "teams")
    assert isinstance(outcome.error, UnreadableError)
    assert "round in a circle" in str(outcome.error)


def test_a_list_without_end_is_refused() -> None:
    """Pages that are always new are read up to a bound."""
    entries = Entries()
    for number in range(MOST_PAGES):
        entries.add(Listing([{"id": str(number)}]))
    with pytest.raises(UnreadableError, match="has no end"):
        entries.add(Listing([{"id": "one more"}]))


@pytest.mark.parametrize(
    "link",
    [
        "https://elsewhere.invalid/api/v2/teams?after=x",
        "http://sandbox.invalid/api/v2/teams?after=x",
        "https://sandbox.invalid:8443/api/v2/teams?after=x",
        "//elsewhere.invalid/api/v2/teams?after=x",
        "https://sandbox.invalid@elsewhere.invalid/api/v2/teams?after=x",
    ],
)
@pytest.mark.parametrize("name", ["teams", "presence_definitions"])
def test_a_link_to_another_host_is_refused(name: str, link: str) -> None:
    """A ``nextUri`` that leads to another scheme, host or port is not handed the token."""
    centre = sandbox(always(put(("nextUri",), link), PATHS[name]))
    outcome = pull(centre, name)
    assert isinstance(outcome.error, StrayError)
    assert f"look-up {name!r}: the next page's link leads away" in str(outcome.error)
    assert len(asked(centre, PATHS[name])) == 1


def test_numbered_pages_need_no_link() -> None:
    """Where pages are numbered, what ``nextUri`` says is not even looked at."""
    centre = sandbox(always(put(("nextUri",), "https://elsewhere.invalid/"), "queues"), small=True)
    assert names(pull(centre, "queues").rows("queues")) == facts(centre)["queues"]


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
        read(body)


@pytest.mark.parametrize("body", [b"{}", b'{"entities": null}', b'{"entities": []}'])
def test_an_empty_list_is_a_list(body: bytes) -> None:
    """A list without entries, however it says so, is read."""
    assert not read(body).entities


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
    assert str(outcome.error).startswith("look-up 'flows': ")
    assert outcome.rows("calls")
    assert outcome.rows("queues") == []
