"""Pages, links and cursors: followed to the end, and not beyond."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from genesys_sandbox import Rule
from genesys_sandbox.faults import put, same_page
from tap_genesys_aggregates.core.errors import UnreadableError
from tap_genesys_aggregates.dialects.lookup_lists import MOST_PAGES, Entries, Listing, lookups
from tap_genesys_aggregates.http.errors import OtherHostError
from tests.lookups.scene import PATHS, SmallPages, always, asked, facts, names, pull, sandbox

if TYPE_CHECKING:
    from genesys_sandbox import Request, Response


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
    def handle(self, request: Request) -> Response:
        return super().handle(replace(request, target=re.sub("pageNumber=.", "pageNumber=1", request.target)))


def test_a_page_that_comes_again_is_refused() -> None:
    """A server that gives one page for every number is not believed."""
    centre = Stubborn(now=sandbox().now)
    outcome = pull(centre, "queues")
    assert isinstance(outcome.error, UnreadableError)
    assert "lookup 'queues': page 2 of the list came before" in str(outcome.error)
    assert outcome.rows("queues") == []


def test_a_cursor_that_goes_round_is_refused() -> None:
    """A next link that leads back ends the run, not in a circle."""
    outcome = pull(sandbox(always(same_page(), "after="), small=True), "teams")
    assert isinstance(outcome.error, UnreadableError)
    assert "form a loop" in str(outcome.error)


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
    assert isinstance(outcome.error, OtherHostError)
    assert f"lookup {name!r}: the link to the next page leads away" in str(outcome.error)
    assert len(asked(centre, PATHS[name])) == 1


def test_numbered_pages_need_no_link() -> None:
    """Where pages are numbered, what ``nextUri`` says is not even looked at."""
    centre = sandbox(always(put(("nextUri",), "https://elsewhere.invalid/"), "queues"), small=True)
    assert names(pull(centre, "queues").rows("queues")) == facts(centre)["queues"]
