"""Bookmarks: where a run begins, and what the state says after it."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tap_genesys_aggregates.core.bookmarks import Bookmark, RunPeriod, run_periods
from tap_genesys_aggregates.core.errors import SettingError
from tap_genesys_aggregates.core.grid import Grid
from tap_genesys_aggregates.core.periods import Period
from tap_genesys_aggregates.core.windows import Window, align, plan
from tests.core.making import at, examples, moments, query

if TYPE_CHECKING:
    from datetime import datetime

START = at("2023-11-01T00:00Z")
WEEK = timedelta(days=7)
INSTANTS = moments("2020-01-01", "2030-01-01").map(
    lambda instant: instant.replace(microsecond=instant.microsecond // 1000 * 1000)
)
BOOKMARKS = st.builds(
    Bookmark,
    st.none() | INSTANTS,
    st.none() | INSTANTS,
    st.none() | INSTANTS,
    st.none() | st.builds(Window, INSTANTS, INSTANTS),
    st.lists(INSTANTS, max_size=3).map(tuple),
    st.none() | st.just({"path": "/x", "metrics": ["nOffered"]}),
    st.lists(st.sampled_from(["nOffered", "tHandle"]), max_size=2).map(tuple),
)
SPANS = st.timedeltas(timedelta(minutes=1), timedelta(days=40))
LOOKBACKS = st.timedeltas(timedelta(), timedelta(days=60))


def test_the_first_run_starts_at_the_start_date() -> None:
    assert Bookmark().next_start(START, at("2024-06-01T00:00Z"), WEEK) == START


def test_the_lookback_is_counted_from_now() -> None:
    """History changes, so every run reads what is younger than the lookback again."""
    loaded = Bookmark(at("2023-11-20T00:00Z"), at("2023-11-19T00:00Z"))
    assert loaded.next_start(START, at("2023-11-20T06:00Z"), WEEK) == at("2023-11-13T06:00Z")


def test_data_that_had_not_settled_is_read_again_after_an_outage() -> None:
    """After a month without runs, the next run starts where buckets were last read before they settled."""
    loaded = Bookmark(at("2023-11-20T00:00Z"), at("2023-11-13T00:00Z"))
    assert loaded.next_start(START, at("2023-12-20T00:00Z"), WEEK) == at("2023-11-13T00:00Z")


def test_a_run_can_start_from_a_state_without_final_before() -> None:
    """A state written by hand may have a bookmark only."""
    by_hand = Bookmark(at("2023-11-20T00:00Z"))
    assert by_hand.next_start(START, at("2023-11-21T00:00Z"), WEEK) == at("2023-11-14T00:00Z")
    assert by_hand.next_start(START, at("2024-01-01T00:00Z"), WEEK) == at("2023-11-20T00:00Z")


def test_a_longer_lookback_applies_to_the_next_run() -> None:
    """Whatever was considered final before."""
    loaded = Bookmark(at("2023-11-20T00:00Z"), at("2023-11-13T00:00Z"))
    assert loaded.next_start(START, at("2023-11-20T00:00Z"), timedelta(days=15)) == at("2023-11-05T00:00Z")


def test_a_window_moves_the_bookmark_to_its_end() -> None:
    """What is final ends with the lookback at the latest."""
    now = at("2023-11-20T06:00Z")
    old = Window(at("2023-11-01T00:00Z"), at("2023-11-02T00:00Z"))
    young = Window(at("2023-11-19T00:00Z"), at("2023-11-20T00:00Z"))
    assert Bookmark().after(old, now, WEEK) == Bookmark(old.end, old.end, loaded_since=old.start)
    assert Bookmark().after(young, now, WEEK) == Bookmark(
        young.end, at("2023-11-13T06:00Z"), loaded_since=young.start
    )


def test_reading_a_window_again_does_not_move_the_bookmark_back() -> None:
    loaded = Bookmark(at("2023-11-20T00:00Z"), at("2023-11-10T00:00Z"))
    again = Window(at("2023-11-10T00:00Z"), at("2023-11-11T00:00Z"))
    assert loaded.after(again, at("2023-11-20T06:00Z"), WEEK) == Bookmark(loaded.loaded_before, again.end)


@given(BOOKMARKS, INSTANTS, SPANS, INSTANTS, LOOKBACKS)
@examples()
def test_a_bookmark_never_moves_backwards(
    bookmark: Bookmark, start: datetime, span: timedelta, now: datetime, lookback: timedelta
) -> None:
    later = bookmark.after(Window(start, start + span), now, lookback)
    assert later.loaded_before is not None
    assert later.final_before is not None
    assert later.loaded_before >= (bookmark.loaded_before or later.loaded_before)
    assert later.final_before >= (bookmark.final_before or later.final_before)
    assert later.loaded_before >= start + span


@given(BOOKMARKS, INSTANTS, INSTANTS, LOOKBACKS)
@examples()
def test_a_run_never_starts_before_the_start_date(
    bookmark: Bookmark, start: datetime, now: datetime, lookback: timedelta
) -> None:
    """Nor after anything that is new or not final."""
    begin = bookmark.next_start(start, now, lookback)
    assert begin >= start
    for known in (bookmark.loaded_before, bookmark.final_before):
        if bookmark.loaded_before is not None and known is not None:
            assert begin <= max(known, start)


@given(BOOKMARKS)
@examples()
def test_a_bookmark_survives_a_round_trip_through_state(bookmark: Bookmark) -> None:
    """State contains texts of a fixed width."""
    state = bookmark.write()
    assert Bookmark.read(state, "calls") == bookmark
    assert state.pop("replication_key") == "interval_start"
    texts = [state[key] for key in ("replication_key_value", "final_before", "loaded_since") if key in state]
    assert all(len(str(text)) == 24 and str(text).endswith("Z") for text in texts)
    assert len(texts) == 3 - (bookmark.loaded_before, bookmark.final_before, bookmark.loaded_since).count(
        None
    )
    assert json.loads(json.dumps(state)) == state


@pytest.mark.parametrize(
    "state",
    [
        {"replication_key_value": "yesterday"},
        {"replication_key_value": ""},
        {"replication_key_value": 20231101},
        {"final_before": "2023-99-99T00:00:00.000Z"},
        {"replication_key_value": {"at": "2023-11-01"}},
    ],
)
def test_an_unreadable_state_is_refused(state: dict[str, object]) -> None:
    """Guessing would leave a gap."""
    with pytest.raises(SettingError, match="'calls'") as refused:
        Bookmark.read(state, "calls")
    assert "remove bookmarks.calls from the state" in str(refused.value)


def test_an_empty_state_is_no_bookmark() -> None:
    """So is one with nulls."""
    assert Bookmark.read({}, "calls") == Bookmark()
    assert Bookmark.read({"replication_key_value": None, "final_before": None}, "calls") == Bookmark()


LOADED = Bookmark(at("2023-11-20T00:00Z"), at("2023-11-13T00:00Z"))
THREE_DAYS = Period.parse("P3D")


@pytest.mark.parametrize(
    ("changes", "bookmark", "end_date", "expected"),
    [
        # The first run reads from the start date to the last bucket that is complete.
        ({}, Bookmark(), None, ("2023-11-01T05:30Z", "2023-11-20T06:00Z")),
        # A later run reads the lookback again, from the midnight before it.
        ({}, LOADED, None, ("2023-11-13T00:00Z", "2023-11-20T06:00Z")),
        # A window of three days starts at a boundary of three days from the anchor.
        ({"window": THREE_DAYS}, LOADED, None, ("2023-11-13T00:00Z", "2023-11-20T06:00Z")),
        ({"window": THREE_DAYS, "lookback": timedelta(days=5)}, Bookmark(at("2023-11-20T00:00Z")), None,
        ("2023-11-13T00:00Z", "2023-11-20T06:00Z")),
        # The boundary before the lookback may lie before the start date: nothing before that date is read.
        ({"lookback": timedelta(days=60)}, LOADED, None, ("2023-11-01T05:30Z", "2023-11-20T06:00Z")),
        # Buckets of a week start a run at a week's boundary and stop it there.
        ({"granularity": Period.parse("P1W")}, LOADED, None, ("2023-11-08T00:00Z", "2023-11-15T00:00Z")),
        # The end date stops a run, on the grid; one that lies in the future does not.
        ({}, LOADED, "2023-11-15T10:45Z", ("2023-11-13T00:00Z", "2023-11-15T10:00Z")),
        ({}, LOADED, "2024-01-01T00:00Z", ("2023-11-13T00:00Z", "2023-11-20T06:00Z")),
        # An end date that was loaded long ago leaves nothing to read.
        ({}, LOADED, "2023-11-10T00:00Z", ("2023-11-13T00:00Z", "2023-11-10T00:00Z")),
        # A tree without intervals has one bucket per window, so the granularity is the window.
        ({"api": "group_tree", "granularity": Period.parse("P1W")}, LOADED, None,
        ("2023-11-08T00:00Z", "2023-11-15T00:00Z")),
    ],
)  # fmt: skip
def test_a_run_reads_from_the_bookmark_to_the_last_complete_bucket(
    changes: dict[str, object], bookmark: Bookmark, end_date: str | None, expected: tuple[str, str]
) -> None:
    asked = query(**changes)
    now = at("2023-11-20T06:59Z")
    (period,) = run_periods(
        asked,
        bookmark,
        start_date=at("2023-11-01T05:30Z"),
        end_date=at(end_date) if end_date else None,
        now=now,
    )
    assert period == RunPeriod(at(expected[0]), now - asked.lookback, at(expected[1]))


FIRST = at("2023-11-01T00:00Z")
SINCE = at("2023-11-06T00:00Z")
NOW = at("2023-11-20T06:00Z")
FROM_SINCE = Bookmark(at("2023-11-20T00:00Z"), at("2023-11-13T00:00Z"), SINCE)


def test_a_start_date_moved_earlier_makes_the_missing_stretch_the_first_period() -> None:
    bookmark = FROM_SINCE.starting(FIRST)
    missing, main = run_periods(query(), bookmark, start_date=FIRST, end_date=None, now=NOW)
    assert missing == RunPeriod(FIRST, NOW - WEEK, SINCE, is_earlier=True)
    assert main.start == at("2023-11-13T00:00Z")
    assert not main.is_earlier


def test_the_missing_stretch_resumes_where_it_stopped_and_ends_once() -> None:
    day = Window(FIRST, at("2023-11-02T00:00Z"))
    stopped = FROM_SINCE.starting(FIRST).after_earlier(day)
    assert (stopped.loaded_before, stopped.loaded_since) == (FROM_SINCE.loaded_before, SINCE)
    resumed = Bookmark.read(json.loads(json.dumps(stopped.write())), "calls").starting(FIRST)
    missing, _ = run_periods(query(), resumed, start_date=FIRST, end_date=None, now=NOW)
    assert (missing.start, missing.stop) == (day.end, SINCE)
    done = resumed.after_earlier(Window(day.end, SINCE))
    assert (done.loaded_since, done.earlier) == (FIRST, None)
    assert done.starting(FIRST) == done
    (main,) = run_periods(query(), done, start_date=FIRST, end_date=None, now=NOW)
    assert not main.is_earlier


@pytest.mark.parametrize(
    ("start", "earlier", "since"),
    [
        (FIRST, Window(FIRST, at("2023-11-03T00:00Z")), SINCE),  # the same: it goes on
        (
            at("2023-10-01T00:00Z"),  # earlier still
            Window(at("2023-10-01T00:00Z"), at("2023-10-01T00:00Z")),
            SINCE,
        ),
        (SINCE, None, SINCE),  # moved back
        (at("2023-11-12T00:00Z"), None, SINCE),  # later, but nothing is skipped that is not final
        (at("2023-11-15T00:00Z"), None, None),  # beyond what is final
        (at("2023-12-15T00:00Z"), None, None),  # beyond what is loaded
    ],
)
def test_a_start_date_may_move_while_the_missing_stretch_is_loaded(
    start: datetime, earlier: Window | None, since: datetime | None
) -> None:
    part = FROM_SINCE.starting(FIRST).after_earlier(Window(FIRST, at("2023-11-03T00:00Z")))
    assert part.starting(start).earlier == earlier
    assert part.starting(start).loaded_since == since


def test_a_start_date_moved_to_and_fro_leaves_no_gap() -> None:
    """A bookmark at day 20, a run with start_date day 25, then one with the first start_date again.

    Days 20 to 25 were never loaded, since the bookmark claimed everything from ``loaded_since`` on. Nor was
    history read again that had not settled when the later start_date skipped it.
    """
    later, moved = NOW - timedelta(days=1), NOW + timedelta(days=1)
    over = FROM_SINCE.starting(later)
    assert (over.loaded_before, over.final_before) == (None, None)
    skipped = over.after(Window(later, NOW), moved, WEEK)
    assert skipped.loaded_since == later
    missing, _ = run_periods(query(), skipped.starting(SINCE), start_date=SINCE, end_date=None, now=moved)
    assert (missing.start, missing.stop) == (SINCE, later)


def test_a_state_that_does_not_say_since_when_takes_the_start_date() -> None:
    old = Bookmark(at("2023-11-20T00:00Z"), at("2023-11-13T00:00Z")).starting(FIRST)
    assert (old.loaded_since, old.earlier) == (FIRST, None)


def test_an_end_date_inside_the_missing_stretch_stops_it_there() -> None:
    end = at("2023-11-03T00:00Z")
    missing, main = run_periods(query(), FROM_SINCE.starting(FIRST), start_date=FIRST, end_date=end, now=NOW)
    assert missing.stop == end
    assert main.stop <= main.start


def test_a_bookmark_from_the_future_counts_as_now() -> None:
    """A run whose clock was nine days ahead must not hide nine days for good."""
    ahead = Bookmark(NOW + timedelta(days=9), NOW + timedelta(days=2), SINCE)
    clipped = ahead.clipped(NOW, WEEK)
    assert clipped == Bookmark(NOW, NOW - WEEK, SINCE)
    assert clipped.clipped(NOW, WEEK) == clipped
    assert FROM_SINCE.clipped(NOW, WEEK) == FROM_SINCE
    assert Bookmark().clipped(NOW, WEEK) == Bookmark()


def test_recent_windows_with_rows_are_remembered_until_they_settle() -> None:
    young = Window(at("2023-11-19T00:00Z"), at("2023-11-20T00:00Z"))
    full = Bookmark().after(young, NOW, WEEK, rows=5)
    assert full.had_rows(young)
    assert not full.had_rows(Window(young.end, young.end + timedelta(days=1)))
    assert not full.after(young, NOW, WEEK, rows=0).had_rows(young)
    assert not full.after(young, NOW + WEEK, WEEK, rows=5).had_rows(young)


def test_only_a_few_windows_are_remembered() -> None:
    bookmark = Bookmark()
    for hour in range(200):
        start = at("2023-11-10T00:00Z") + timedelta(hours=hour)
        bookmark = bookmark.after(Window(start, start + timedelta(hours=1)), NOW, 2 * WEEK, rows=1)
    assert len(bookmark.with_rows) == 40
    assert len(json.dumps(bookmark.write())) < 1500


@pytest.mark.parametrize(
    "state",
    [
        {"earlier": ["2023-11-01T00:00:00.000Z"]},
        {"earlier": "2023-11-01T00:00:00.000Z"},
        {"earlier": [1, 2]},
        {"with_rows": {"2023": 1}},
        {"query": "calls"},
        {"metrics_without_history": 5},
        {"loaded_since": "long ago"},
    ],
)
def test_malformed_parts_of_a_bookmark_are_refused(state: dict[str, object]) -> None:
    with pytest.raises(SettingError, match=r"remove bookmarks.calls from the state"):
        Bookmark.read(state, "calls")


def test_storing_a_bookmark_replaces_the_one_before_and_nothing_else() -> None:
    state: dict[str, object] = {"other": 1, **FROM_SINCE.starting(FIRST).write()}
    FROM_SINCE.store(state)
    assert state == {"other": 1, **FROM_SINCE.write()}


START = at("2023-03-10T05:30Z")


class BookmarkMachine(RuleBasedStateMachine):
    """A query that is loaded again and again. ``read_at`` is when each bucket was last read."""

    @initialize(
        zone=st.sampled_from(["UTC", "Europe/Berlin", "America/Sao_Paulo"]).map(ZoneInfo),
        granularity=st.sampled_from(["PT8H", "P1D", "P1W"]).map(Period.parse),
        length=st.sampled_from(["P1D", "P3D", "P10D"]).map(Period.parse),
        lookback=st.sampled_from([0.0, 0.3, 2.0, 7.0, 20.5]).map(lambda days: timedelta(days=days)),
    )
    def begin(self, zone: ZoneInfo, granularity: Period, length: Period, lookback: timedelta) -> None:
        """Choose the query."""
        self.grid = Grid(granularity, zone, date(2023, 3, 10))
        self.length = length
        self.lookback = lookback
        self.now = START
        self.state: dict[str, Any] = {}
        self.read_at: dict[datetime, datetime] = {}
        self.known = [(self.grid.floor(START), self.grid.following(self.grid.floor(START)))]

    @rule(
        pause=st.one_of(
            st.timedeltas(timedelta(), timedelta(hours=9)),
            st.timedeltas(timedelta(days=1), timedelta(days=14)),
        ),
        windows_before_crash=st.none() | st.integers(0, 9),
    )
    def run(self, pause: timedelta, windows_before_crash: int | None) -> None:
        """Some time later: read from the bookmark, commit each window, and perhaps crash."""
        self.now += pause
        begin = align(self.grid, self.length, self.bookmark.next_start(START, self.now, self.lookback))
        for number, window in enumerate(plan(self.grid, max(START, begin), self.now, self.length)):
            if number == windows_before_crash:
                return
            for start, _ in self.buckets(window.end):
                if start >= window.start:
                    self.read_at[start] = self.now
            before = dict(self.state)
            self.state = self.bookmark.after(window, self.now, self.lookback).write()
            assert all(self.state[name] >= value for name, value in before.items() if name != "with_rows")
        self.everything_settled_was_read_after_it_settled()

    @property
    def bookmark(self) -> Bookmark:
        """The bookmark in the state."""
        return Bookmark.read(self.state, "calls")

    def buckets(self, stop: datetime) -> list[tuple[datetime, datetime]]:
        """Every bucket from the start date that ends by an instant."""
        while self.known[-1][1] <= stop:
            end = self.known[-1][1]
            self.known.append((end, self.grid.following(end)))
        return [bucket for bucket in self.known if bucket[1] <= stop]

    def everything_settled_was_read_after_it_settled(self) -> None:
        """After a complete run, every bucket older than the lookback was last read when it was that old."""
        for start, end in self.buckets(self.now - self.lookback):
            assert self.read_at[start] >= end + self.lookback

    @invariant()
    def final_is_final(self) -> None:
        """``final_before`` covers no bucket that was last read while it was younger than the lookback."""
        for start, end in self.buckets(self.bookmark.final_before or START):
            assert self.read_at[start] >= end + self.lookback

    @invariant()
    def no_gap(self) -> None:
        """Every bucket from the start date to the bookmark was read."""
        assert all(start in self.read_at for start, _ in self.buckets(self.bookmark.loaded_before or START))


TestBookmarkMachine = BookmarkMachine.TestCase
TestBookmarkMachine.settings = settings(examples(30), stateful_step_count=10)
