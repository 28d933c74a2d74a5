"""Lookup lists: read to the last page and no further, and how entries become rows."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from genesys_sandbox import Rule
from genesys_sandbox.faults import put, same_page, status
from tap_genesys_aggregates.config.queries import RESERVED, presets
from tap_genesys_aggregates.config.settings import Settings
from tap_genesys_aggregates.core.errors import IncompleteError, SettingError, UnreadableError
from tap_genesys_aggregates.dialects.lookup_lists import MAX_PAGES, Entries, ListPage, lookups, read_list_page
from tap_genesys_aggregates.http.errors import OtherHostError, RefusedError
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.extract.lookups import (
    CALLS,
    PATHS,
    SmallPages,
    always,
    expected_names,
    names_by_id,
    put_all,
    requests_to,
    run_with,
    sandbox_with,
)
from tests.pipeline.running import config

if TYPE_CHECKING:
    from genesys_sandbox import Request, Response

# The definitions in data/lookups.json


def test_there_are_ten_lookups_at_their_documented_paths() -> None:
    assert {name: lookup.path for name, lookup in lookups().items()} == PATHS


@pytest.mark.parametrize("name", PATHS)
def test_every_lookup_has_an_id_a_name_and_described_columns(name: str) -> None:
    columns = lookups()[name].table
    assert [each.name for each in columns if each.key] == ["id"]
    assert len({each.name for each in columns}) == len(columns)
    assert {"id", "name", "extracted_at"} <= {each.name for each in columns}
    assert all(re.fullmatch("[a-z][a-z0-9_]*", each.name) for each in columns)
    assert all(re.fullmatch(r"\w.*[^.]\. \[(response: [\w.]+|tap)\]", each.description) for each in columns)


@pytest.mark.parametrize("name", [*PATHS, "extractions"])
def test_a_query_or_preset_cannot_have_the_name_of_a_lookup_or_of_the_ledger(name: str) -> None:
    with pytest.raises(
        SettingError, match="is the name of one of the tap's own streams or views; choose another"
    ):
        Settings.read(config(queries=[{**CALLS, "name": name}]))
    assert name in RESERVED
    assert name not in presets()


def test_the_group_tree_api_has_no_lookups() -> None:
    settings = config(api="group_tree", queries=[{"preset": "conversation_aggregates"}])
    assert set(TapGenesysAggregates(config=settings).streams) == {"conversation_aggregates", "extractions"}


# Rows


@pytest.mark.parametrize("name", PATHS)
def test_every_entry_arrives_once_over_several_pages(name: str) -> None:
    sandbox = sandbox_with(small=True, agents=11)
    outcome = run_with(sandbox, name)
    assert outcome.error is None
    rows = outcome.rows(name)
    assert names_by_id(rows) == expected_names(sandbox)[name]
    assert len(rows) == len(expected_names(sandbox)[name])
    assert len(requests_to(sandbox, PATHS[name])) >= len(rows) // 2 > 0


def test_active_and_deactivated_presences_are_requested_separately_and_without_pages() -> None:
    sandbox = sandbox_with()
    run_with(sandbox, "presence_definitions")
    assert requests_to(sandbox, PATHS["presence_definitions"]) == [
        {"deactivated": "false", "localeCode": "ALL"},
        {"deactivated": "true", "localeCode": "ALL"},
    ]


def test_the_presences_of_both_requests_are_in_the_table() -> None:
    retired = {"id": "old", "languageLabels": {"de": "Pause", "fr": "Repos"}, "deactivated": True}
    sandbox = sandbox_with(Rule(put(("entities",), [retired]), match="deactivated=true"))
    rows = run_with(sandbox, "presence_definitions").rows("presence_definitions")
    expected = expected_names(sandbox_with())["presence_definitions"]
    assert names_by_id(rows) == {**expected, "old": "Pause"}


def test_declared_values_become_columns_and_absent_ones_null() -> None:
    """Instants are in UTC with milliseconds; a field that is not declared has no column."""
    entry = {
        "id": "q1",
        "name": "Sales",
        "division": {"id": "d1"},
        "memberCount": 3.0,
        "dateModified": "2024-05-01T02:00:00.5+02:00",
        "mediaSettings": {"call": {"serviceLevel": {"percentage": 0.8, "durationMs": 20000}}, "chat": None},
        "bullseye": {"rings": []},
    }
    sandbox = sandbox_with(always(put_all(("entities", [entry]), ("total", 1)), "queues"))
    outcome = run_with(sandbox, "queues")
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
def test_a_value_of_the_wrong_type_ends_the_run_and_the_message_names_field_and_entry(
    field: str, value: object
) -> None:
    sandbox = sandbox_with(always(put(("entities", 1, field), value), "queues"))
    outcome = run_with(sandbox, "queues")
    assert isinstance(outcome.error, UnreadableError)
    assert str(outcome.error).startswith(
        f"lookup 'queues': {field} of 05f1c285-6777-4ccc-806f-8db085ae0793 is"
    )
    assert len(requests_to(sandbox, PATHS["queues"])) == 1
    assert outcome.rows("queues") == []


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
def test_an_answer_that_is_not_a_list_is_not_mistaken_for_an_empty_one(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_list_page(body)


@pytest.mark.parametrize("body", [b"{}", b'{"entities": null}', b'{"entities": []}'])
def test_a_list_may_be_empty(body: bytes) -> None:
    assert not read_list_page(body).entities


def test_transient_errors_are_retried() -> None:
    sandbox = sandbox_with(
        Rule(status(503), match="queues"), Rule(status(401), match="pageNumber=2"), small=True
    )
    outcome = run_with(sandbox, "queues")
    assert outcome.error is None
    assert names_by_id(outcome.rows("queues")) == expected_names(sandbox)["queues"]


def test_an_error_other_than_a_missing_permission_does_not_stop_the_other_streams() -> None:
    sandbox = sandbox_with(always(status(400), "/flows"))
    outcome = run_with(sandbox, "flows", "queues", "calls")
    assert isinstance(outcome.error, RefusedError)
    assert str(outcome.error).startswith("lookup 'flows': ")
    assert outcome.rows("calls")
    assert names_by_id(outcome.rows("queues")) == expected_names(sandbox)["queues"]
    assert "flows" not in {message.get("stream") for message in outcome.messages}


# Pages


def test_250_users_in_any_state_are_three_pages_of_100() -> None:
    """Users who have left are included, so that their ids have names."""
    sandbox = sandbox_with(agents=250)
    outcome = run_with(sandbox, "users")
    assert names_by_id(outcome.rows("users")) == expected_names(sandbox)["users"]
    assert requests_to(sandbox, PATHS["users"]) == [
        {"state": "any", "pageSize": "100", "pageNumber": number} for number in "123"
    ]


def test_teams_are_paged_by_cursor() -> None:
    sandbox = sandbox_with(small=True)
    ids = [row["id"] for row in run_with(sandbox, "teams").rows("teams")]
    requests = requests_to(sandbox, PATHS["teams"])
    assert [each.get("after") for each in requests] == [None, ids[1]]
    assert all("pageNumber" not in each for each in requests)


def test_an_entry_that_comes_twice_is_one_row_and_the_list_is_read_again() -> None:
    """Pages that shift while they are read repeat one entry and skip another."""
    first, second, third, *others = known = list(expected_names(sandbox_with())["queues"])
    shifted = put(("entities", 0), {"id": second, "name": "Renamed"})
    sandbox = sandbox_with(Rule(shifted, match="pageNumber=2"), small=True)
    rows = run_with(sandbox, "queues").rows("queues")
    assert [row["id"] for row in rows] == [first, second, *others, third]
    assert len(requests_to(sandbox, PATHS["queues"])) == len(known)


def test_the_later_of_two_entries_with_one_id_counts() -> None:
    entries = Entries()
    entries.add(ListPage([{"id": "a", "name": "old"}, {"id": "b"}]))
    entries.add(ListPage([{"id": "a", "name": "new"}]))
    assert list(entries.by_id.values()) == [{"id": "a", "name": "new"}, {"id": "b"}]


def test_a_list_shorter_than_its_total_is_read_three_times_then_an_error() -> None:
    """Smallest reproducer: six queues and ``"total": 9``, a warning in an otherwise successful run."""
    sandbox = sandbox_with(always(put(("total",), 9), "queues"))
    outcome = run_with(sandbox, "queues")
    assert isinstance(outcome.error, IncompleteError)
    line = "lookup 'queues': the list reports 3 more entries than it returned, 3 times in a row"
    assert str(outcome.error).startswith(line)
    assert "Give the OAuth client a role with routing:queue:view in all divisions" in str(outcome.error)
    assert outcome.rows("queues") == []
    assert len(requests_to(sandbox, PATHS["queues"])) == 3


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_list_whose_total_changes_between_pages_is_read_again(times: int) -> None:
    """Three times in all, then it is an error.

    Smallest reproducer: ``"total": 6`` on page 1 and ``"total": 5`` on page 2, taken as a whole list.
    """
    sandbox = sandbox_with(Rule(put(("total",), 5), match="pageNumber=2", times=times), small=True)
    outcome = run_with(sandbox, "queues")
    if times == 3:
        assert isinstance(outcome.error, IncompleteError)
        assert "the list changed each of the 3 times that it was read. Run again" in str(outcome.error)
        assert outcome.rows("queues") == []
    else:
        assert outcome.error is None
        assert names_by_id(outcome.rows("queues")) == expected_names(sandbox)["queues"]
    pages = -(-len(expected_names(sandbox)["queues"]) // 2)
    assert len(requests_to(sandbox, PATHS["queues"])) == pages * min(times + 1, 3)


def test_a_total_of_another_type_stops_nothing() -> None:
    """Smallest reproducer: ``"total": "6"``, which made the list unreadable."""
    sandbox = sandbox_with(always(put_all(("total", "6"), ("message", {})), "queues"))
    outcome = run_with(sandbox, "queues")
    assert outcome.error is None
    assert names_by_id(outcome.rows("queues")) == expected_names(sandbox)["queues"]


def test_an_empty_page_between_others_is_not_the_last() -> None:
    removed = always(put_all(("entities", None), ("total", None)), "pageNumber=2")
    sandbox = sandbox_with(removed, always(put(("total",), None), "queues"), small=True)
    outcome = run_with(sandbox, "queues")
    known = list(expected_names(sandbox)["queues"])
    assert [row["id"] for row in outcome.rows("queues")] == [*known[:2], *known[4:]]


def test_without_a_page_count_a_full_page_or_a_next_link_means_that_there_are_more() -> None:
    without_count = always(put(("pageCount",), None), "users")
    full = sandbox_with(without_count, agents=250)
    assert len(run_with(full, "users").rows("users")) == 250
    linked = sandbox_with(without_count, agents=11, small=True)
    assert len(run_with(linked, "users").rows("users")) == 11


@pytest.mark.parametrize(("entries", "more"), [(100, True), (99, False), (0, False)])
def test_without_a_page_count_or_a_next_link_only_a_full_page_has_a_next(
    entries: int,
    more: bool,  # noqa: FBT001
) -> None:
    page = ListPage([{"id": str(number)} for number in range(entries)])
    following = lookups()["queues"].next_link({}, page, 4)
    assert following == ("/api/v2/routing/queues?pageSize=100&pageNumber=5" if more else None)


class FirstPageOnly(SmallPages):
    """A sandbox that returns the first page for every page number."""

    @override
    def handle(self, request: Request) -> Response:
        return super().handle(replace(request, target=re.sub("pageNumber=.", "pageNumber=1", request.target)))


def test_a_page_that_repeats_is_refused() -> None:
    outcome = run_with(FirstPageOnly(now=sandbox_with().now), "queues")
    assert isinstance(outcome.error, UnreadableError)
    assert "lookup 'queues': page 2 of the list repeats an earlier page" in str(outcome.error)
    assert outcome.rows("queues") == []


def test_next_links_that_form_a_loop_are_refused() -> None:
    outcome = run_with(sandbox_with(always(same_page(), "after="), small=True), "teams")
    assert isinstance(outcome.error, UnreadableError)
    assert "form a loop" in str(outcome.error)


def test_a_list_with_too_many_pages_is_refused() -> None:
    entries = Entries()
    for number in range(MAX_PAGES):
        entries.add(ListPage([{"id": str(number)}]))
    with pytest.raises(UnreadableError, match="never ends"):
        entries.add(ListPage([{"id": "one more"}]))


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
def test_a_next_link_to_another_origin_is_not_followed(name: str, link: str) -> None:
    """The token would be sent there."""
    sandbox = sandbox_with(always(put(("nextUri",), link), PATHS[name]))
    outcome = run_with(sandbox, name)
    assert isinstance(outcome.error, OtherHostError)
    assert f"lookup {name!r}: the link to the next page leads away" in str(outcome.error)
    assert len(requests_to(sandbox, PATHS[name])) == 1


def test_the_next_link_of_numbered_pages_is_ignored() -> None:
    sandbox = sandbox_with(always(put(("nextUri",), "https://elsewhere.invalid/"), "queues"), small=True)
    rows = run_with(sandbox, "queues").rows("queues")
    assert names_by_id(rows) == expected_names(sandbox)["queues"]
