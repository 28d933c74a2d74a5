"""A query that changed is noticed, named, and dealt with as the user says."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tap_genesys_aggregates.core.bookmarks import Bookmark
from tap_genesys_aggregates.core.errors import SettingError
from tap_genesys_aggregates.core.periods import Period
from tap_genesys_aggregates.core.query import View
from tap_genesys_aggregates.core.query_changes import definition, reconcile_query
from tests.core.making import at, query

LOADED = at("2023-11-20T00:00Z")
TOP = {"queryType": "topN", "sortMetric": {"name": "nOffered", "function": "count"}, "limit": 5}
VIEW = View("short", "tHandle", {"name": "short", "target": "tHandle", "function": "rangeBound"})
FILTER = {"type": "and", "predicates": [{"dimension": "mediaType", "value": "voice"}]}
LONG_FILTER = {"type": "or", "predicates": [{"dimension": "queueId", "value": str(n)} for n in range(50)]}

MEANING: dict[str, tuple[dict[str, Any], str]] = {
    "path": ({"path": "/api/v2/analytics/flows/aggregates/query"}, "path from "),
    "granularity": ({"granularity": Period.parse("P1D")}, "granularity from PT1H to P1D"),
    "time zone": ({"zone": ZoneInfo("Europe/Berlin")}, "time_zone from UTC to Europe/Berlin"),
    "filter": ({"filter": FILTER}, "filter from nothing to {"),
    "long filter": ({"filter": LONG_FILTER}, "filter from nothing to sha256:"),
    "views": ({"views": (VIEW,)}, "views from nothing to ["),
    "ranking": ({"extra": TOP}, "queryType from nothing to topN"),
    "time": ({"extra": {"alternateTimeDimension": "formDate"}}, "alternateTimeDimension from nothing to"),
}
KEY: dict[str, tuple[dict[str, Any], str]] = {
    "dimension": ({"group_by": ("queueId", "userId")}, '"user_id"'),
    "shape": ({"shape": "long"}, '"metric", "qualifier"'),
    "status": ({"qualified": True}, '"qualifier"'),
}


def loaded(**changes: Any) -> Bookmark:
    """The bookmark of a query that has rows."""
    return Bookmark(LOADED, LOADED, query=definition(query(**changes)))


@pytest.mark.parametrize("change", MEANING)
def test_a_change_of_grid_or_meaning_stops_the_query_and_names_the_field(change: str) -> None:
    changes, told = MEANING[change]
    with pytest.raises(SettingError) as refused:
        reconcile_query(query(**changes), loaded())
    line = str(refused.value)
    assert told in line
    assert "new name" in line
    assert "on_query_change: reload" in line
    assert "on_query_change: continue" in line


@pytest.mark.parametrize("change", MEANING)
def test_continue_goes_on_from_the_bookmark_with_a_warning(change: str) -> None:
    changed = query(**MEANING[change][0], on_change="continue")
    bookmark, warnings = reconcile_query(changed, loaded())
    assert (bookmark.loaded_before, bookmark.final_before) == (LOADED, LOADED)
    assert bookmark.query == definition(changed)
    assert len(warnings) == 1
    assert reconcile_query(changed, bookmark) == (bookmark, [])


@pytest.mark.parametrize("change", MEANING)
def test_reload_starts_over_once(change: str) -> None:
    changed = query(**MEANING[change][0], on_change="reload")
    bookmark, warnings = reconcile_query(changed, loaded())
    assert bookmark == Bookmark(query=definition(changed), reload_before=loaded().loaded_before)
    assert len(warnings) == 1
    again = Bookmark(LOADED, LOADED, query=bookmark.query)
    assert reconcile_query(changed, again) == (again, [])


@pytest.mark.parametrize("mode", ["stop", "continue", "reload"])
@pytest.mark.parametrize("change", KEY)
def test_a_new_key_is_refused_in_every_mode(change: str, mode: str) -> None:
    """A target cannot change the key of a table that exists."""
    changes, told = KEY[change]
    with pytest.raises(SettingError) as refused:
        reconcile_query(query(**changes, on_change=mode), loaded())
    line = str(refused.value)
    assert "has another primary key than its table" in line
    assert told in line
    assert "drop the table calls and remove bookmarks.calls from the state" in line


@pytest.mark.parametrize("mode", ["stop", "continue"])
def test_added_metrics_warn_and_go_on(mode: str) -> None:
    changed = query(metrics=("nOffered", "tDialing"), on_change=mode)
    bookmark, (warning,) = reconcile_query(changed, loaded(metrics=("nOffered",)))
    assert bookmark.loaded_before == LOADED
    assert bookmark.metrics_without_history == ("tDialing",)
    assert "metrics tDialing were added" in warning
    assert "on_query_change: reload" in warning


def test_removed_metrics_warn_and_go_on() -> None:
    bookmark, (warning,) = reconcile_query(query(metrics=("nOffered",)), loaded(metrics=("nOffered", "tAcw")))
    assert bookmark.loaded_before == LOADED
    assert "metrics tAcw were removed" in warning


def test_reload_brings_the_history_of_metrics_that_were_added_long_ago() -> None:
    """The warning about an added metric names this way, so it works after other runs too."""
    changed = query(metrics=("nOffered", "tDialing"))
    later, _ = reconcile_query(changed, loaded(metrics=("nOffered",)))
    again, warnings = reconcile_query(changed, later)
    assert (again, warnings) == (later, [])
    reloaded, warnings = reconcile_query(query(metrics=("nOffered", "tDialing"), on_change="reload"), again)
    assert reloaded.loaded_before is None
    assert reloaded.metrics_without_history == ()
    assert len(warnings) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"lookback": timedelta(days=14)},
        {"window": Period.parse("P7D")},
        {"page_size": 100},
        {"mode": "async", "jobs_path": "/jobs"},
        {"anchor": date(2020, 1, 1)},  # buckets of an hour do not depend on it
        {"group_by": tuple(reversed(query().group_by))},
        {"metrics": tuple(reversed(query().metrics))},
    ],
)
def test_what_does_not_change_rows_is_no_change(changes: dict[str, Any]) -> None:
    before = loaded()
    assert reconcile_query(query(**changes), before) == (before, [])


def test_the_anchor_matters_to_buckets_of_weeks() -> None:
    week = {"granularity": Period.parse("P1W")}
    with pytest.raises(SettingError, match="anchor from 2023-11-01 to 2020-01-01"):
        reconcile_query(query(**week, anchor=date(2020, 1, 1)), loaded(**week))


def test_the_window_matters_to_a_ranking() -> None:
    """It ranks within its window, so another window gives other rows."""
    with pytest.raises(SettingError, match="window from P1D to P7D"):
        reconcile_query(query(extra=TOP, window=Period.parse("P7D")), loaded(extra=TOP))


def test_a_state_without_a_definition_takes_on_the_present_one() -> None:
    """States of earlier versions do not have it."""
    old = Bookmark(LOADED, LOADED)
    bookmark, warnings = reconcile_query(query(), old)
    assert warnings == []
    assert bookmark == Bookmark(LOADED, LOADED, query=definition(query()))


def test_a_statistic_that_is_added_later_has_no_history_until_it_is_reloaded() -> None:
    """The warning names it; a metric that is new is named alone, without its statistics."""
    counts = loaded(statistics={"tHandle": ("count",)})
    wider = query(metrics=("nOffered", "tHandle", "nError"), statistics={"tHandle": ("count", "p95")})
    bookmark, (line,) = reconcile_query(wider, counts)
    assert "metrics nError, tHandle.p95 were added" in line
    assert bookmark.metrics_without_history == ("nError", "tHandle.p95")
    reloaded, _ = reconcile_query(replace(wider, on_change="reload"), bookmark)
    assert reloaded.loaded_before is None


def test_before_anything_is_loaded_a_query_may_change_but_for_its_key() -> None:
    """After a reload that has not committed yet, only the table is there."""
    started = Bookmark(query=definition(query()))
    changed = query(granularity=Period.parse("P1D"))
    assert reconcile_query(changed, started) == (Bookmark(query=definition(changed)), [])
    with pytest.raises(SettingError, match="another primary key"):
        reconcile_query(query(shape="long"), started)


def test_a_definition_is_short_json() -> None:
    found = definition(query(filter=LONG_FILTER, views=(VIEW,), extra=TOP))
    assert json.loads(json.dumps(found)) == found
    assert len(json.dumps(found)) < 700


WEEKS = {"granularity": Period.parse("P1W")}
EXAMPLES: list[list[tuple[dict[str, Any], dict[str, Any]]]] = [
    [
        ({}, {"lookback": timedelta(days=1)}),
        ({}, {"window": Period.parse("P7D")}),
        ({}, {"page_size": 100}),
        ({}, {"mode": "async"}),
        ({}, {"metrics": ("tHandle", "nOffered")}),
    ],
    [
        ({}, {"metrics": ("nOffered", "tHandle", "nError")}),
        ({}, {"statistics": {"nOffered": ("count", "p95")}}),
        ({"statistics": {"tHandle": ("count",)}}, {}),
    ],
    [
        ({}, {"metrics": ("nOffered",)}),
        ({}, {"statistics": {"tHandle": ("count", "sum")}}),
        ({"statistics": {"nOffered": ("count", "p95")}}, {}),
    ],
    [
        *(({}, changes) for changes, _ in MEANING.values()),
        ({}, {"extra": {"flattenMultivaluedDimensions": True}}),
        (WEEKS, {**WEEKS, "anchor": date(2023, 11, 2)}),
        ({"extra": TOP}, {"extra": TOP, "window": Period.parse("P7D")}),
    ],
    [({}, changes) for changes, _ in KEY.values()],
]
"""For each row of the table in the docs: a query as it was, and as it is."""


def documented() -> list[list[str]]:
    """The cells of the table in the docs, without what follows a colon."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    head = "| what you change | `stop` (the default) | `continue` | `reload` |\n|---|---|---|---|\n"
    lines = page.split(head)[1].split("\n\n")[0].splitlines()
    return [[cell.partition(":")[0].strip() for cell in line.strip("|").split("|")[1:]] for line in lines]


@pytest.mark.parametrize("row", range(len(EXAMPLES)))
def test_a_change_does_what_the_table_in_the_docs_says(row: int) -> None:
    assert len(documented()) == len(EXAMPLES)
    expected = ""
    for mode, cell in zip(("stop", "continue", "reload"), documented()[row], strict=True):
        expected = expected if cell == "the same" else cell
        for before, after in EXAMPLES[row]:
            assert _outcome(before, {**after, "on_change": mode}) == expected, after


def _outcome(before: dict[str, Any], after: dict[str, Any]) -> str:
    try:
        bookmark, warned = reconcile_query(query(**after), loaded(**before))
    except SettingError:
        return "stops"
    if bookmark.loaded_before is None:
        return "loads everything again"
    return "goes on, warns" if warned else "goes on"
