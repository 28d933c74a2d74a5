"""What a run costs, planned without a request."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.core.bookmarks import Bookmark, RunPeriod, run_periods
from tap_genesys_aggregates.core.estimate import Estimate, Range, minutes, report
from tap_genesys_aggregates.core.periods import Period
from tap_genesys_aggregates.core.rechecks import Rechecks, Reread
from tap_genesys_aggregates.core.window_growth import AnswerSize, growth_at_start, run_windows
from tap_genesys_aggregates.core.windows import Window
from tests.core.making import at, examples, query

if TYPE_CHECKING:
    from datetime import datetime

    from tap_genesys_aggregates.core.query import Query

NOW = at("2024-01-01T06:30:00Z")
MAX = Period.parse("P31D")
TREE = query(name="tree", api="group_tree", path="/aggregates", group_by=("interval", "queue"))
JOBS = query(name="jobs", mode="async", window=MAX)
LOOKS = query(recheck_requests=1)
USERS = query(name="status", endpoint="users", group_by=("userId",))


def estimate(asked: Query, start: str, bookmark: Bookmark | None = None, longest: str = "P31D") -> Estimate:
    """The estimate of a run at ``NOW``."""
    known = (bookmark or Bookmark()).starting(at(start))
    periods = run_periods(asked, known, start_date=at(start), end_date=None, now=NOW)
    return Estimate.of(asked, periods, Period.parse(longest))


@pytest.mark.parametrize(
    ("asked", "start", "longest", "expected"),
    [
        (query(), "2023-01-01T00:00Z", "P1D", Range(366, 366)),  # 365 days, and six hours of today
        # 358 days until the lookback, in eleven windows of 31 days and one of 17; then eight of a day
        (query(), "2023-01-01T00:00Z", "P31D", Range(20, 366)),
        (query(window=Period.parse("P7D")), "2023-11-06T00:00Z", "P31D", Range(4, 9)),
        (query(window=Period.parse("P1M")), "2023-01-01T00:00Z", "P30D", Range(13, 13)),
        (query(extra={"queryType": "topN"}), "2023-12-01T00:00Z", "P31D", Range(32, 32)),
        (replace(TREE, group_by=("queue",)), "2023-12-31T00:00Z", "P31D", Range(30, 30)),  # one per bucket
        (query(granularity=Period.parse("P1D")), "2024-01-01T00:00Z", "P31D", Range(0, 0)),
    ],
)  # fmt: skip
def test_windows_are_counted_as_they_are_and_as_long_as_they_may_grow(
    asked: Query, start: str, longest: str, expected: Range
) -> None:
    assert estimate(asked, start, longest=longest).windows == expected


def test_a_second_run_costs_the_lookback() -> None:
    loaded = Bookmark(at("2023-12-31T00:00Z"), at("2023-12-24T00:00Z"), at("2023-01-01T00:00Z"))
    found = estimate(query(), "2023-01-01T00:00Z", loaded)
    assert found.windows == Range(9, 9)
    assert list(map(str, found.periods)) == ["2023-12-24T00:00:00.000Z/2024-01-01T06:00:00.000Z"]


def test_a_start_date_moved_earlier_costs_the_missing_stretch_as_well() -> None:
    loaded = Bookmark(at("2024-01-01T00:00Z"), at("2023-12-25T00:00Z"), at("2023-12-01T00:00Z"))
    found = estimate(query(), "2023-11-01T00:00Z", loaded)
    assert found.windows == Range(1 + 8, 30 + 8)
    assert [str(each)[:10] for each in found.periods] == ["2023-11-01", "2023-12-25"]


def test_a_job_is_at_least_three_requests() -> None:
    assert estimate(JOBS, "2023-12-01T00:00Z").requests == Range(6, 6)


@pytest.mark.parametrize(
    ("requests", "per_minute", "expected"),
    [(0, 300, 0), (1, 300, 0), (300, 300, 0), (301, 300, 1), (600, 300, 1), (601, 300, 2), (3, 1, 2)],
)
def test_a_minute_passes_whenever_the_pace_is_used_up(requests: int, per_minute: int, expected: int) -> None:
    assert minutes(Range(requests, requests), per_minute) == Range(expected, expected)


def test_the_report_says_what_is_known_and_what_is_not() -> None:
    start = "2023-01-01T00:00Z"
    estimates = [estimate(each, start) for each in (query(), TREE, JOBS, USERS)]
    estimates.append(estimate(query(name="none", granularity=Period.parse("P1D")), "2024-01-01T00:00Z"))
    read = "for 2023-01-01T00:00:00.000Z/2024-01-01T06:00:00.000Z"
    assert list(report(estimates, 1, max_window=MAX, per_minute=100)) == [
        f"calls: 20 to 366 requests, 0 to 3 minutes, {read}",
        f"tree: 20 to 366 requests, 0 to 3 minutes, {read}",
        f"jobs: 36 requests, 0 minutes, {read}",
        f"status: 20 to 366 requests for each 100 users, 0 to 3 minutes, {read}",
        "none: nothing to read",
        "lists (users, lookups): at least 1 request",
        "in all, with the token: 98 to 1,136 requests, at 100 a minute: 0 to 11 minutes or more",
        "fewer if windows have few rows and grow to P31D, more if they do not grow",
        "not known: the number of users; each 100 take requests of their own (status)",
        "not known: the number of pages; one for each window is counted (tree)",
        "not known: pages, and how long jobs take; one page and one look are counted (jobs)",
        (
            "not known: rows, failures, the server's time; windows with too many rows are asked for again in "
            "halves, failed requests as they are"
        ),
    ]


def with_rechecks(asked: Query, start: str, bookmark: Bookmark) -> Estimate:
    """The estimate of a run at ``NOW`` with its rechecks."""
    periods = run_periods(asked, bookmark.starting(at(start)), start_date=at(start), end_date=None, now=NOW)
    return estimate(asked, start, bookmark).with_rechecks(
        bookmark.starting(at(start)), periods[-1], at(start)
    )


LOADED = Bookmark(at("2023-12-31T00:00Z"), at("2023-12-24T00:00Z"), at("2023-09-15T00:00Z"))


@pytest.mark.parametrize(
    ("asked", "bookmark", "looks", "rereads"),
    [
        pytest.param(LOOKS, Bookmark(), Range(1, 1), Range(0, 0), id="what the run has just loaded"),
        pytest.param(LOOKS, LOADED, Range(1, 1), Range(1, 31), id="months without a fingerprint"),
        pytest.param(query(recheck_requests=9), Bookmark(), Range(3, 3), Range(0, 0), id="fewer months"),
        pytest.param(query(recheck_requests=0), LOADED, Range(0, 0), Range(0, 0), id="turned off"),
        pytest.param(
            LOOKS,
            replace(
                LOADED,
                rechecks=Rechecks(
                    at("2023-09-15T00:00Z"),
                    entries=dict.fromkeys(("2023-09", "2023-10", "2023-11"), "a1b2c 231201"),
                ),
            ),
            Range(1, 1),
            Range(0, 31),
            id="months with a fingerprint",
        ),
        pytest.param(
            LOOKS,
            replace(
                LOADED,
                rechecks=Rechecks(
                    at("2023-09-15T00:00Z"),
                    rereads=(
                        Reread("2023-10", Window(at("2023-10-01T00:00Z"), at("2023-11-01T00:00Z")), ""),
                    ),
                ),
            ),
            Range(0, 1),
            Range(1, 31),
            id="a month that is being read again",
        ),
    ],
)
def test_looks_and_what_they_may_read_again_are_counted(
    asked: Query, bookmark: Bookmark, looks: Range, rereads: Range
) -> None:
    found = with_rechecks(asked, "2023-09-15T00:00Z", bookmark)
    assert (found.looks, found.rereads) == (looks, rereads)


def test_rechecks_have_a_line_of_their_own() -> None:
    found = with_rechecks(replace(LOOKS, mode="async"), "2023-09-15T00:00Z", LOADED)
    assert list(report([found], 0, max_window=MAX, per_minute=300))[1:3] == [
        "rechecks: 3 requests to look at settled months, 3 to 93 requests to read them again",
        "in all, with the token: 34 to 124 requests, at 300 a minute: 0 minutes or more",
    ]


def test_the_report_of_an_exact_number_has_no_range() -> None:
    lines = list(report([estimate(query(), "2024-01-01T00:00Z")], 0, max_window=MAX, per_minute=300))
    assert lines[:2] == [
        "calls: 1 request, 0 minutes, for 2024-01-01T00:00:00.000Z/2024-01-01T06:00:00.000Z",
        "in all, with the token: 2 requests, at 300 a minute: 0 minutes or more",
    ]
    assert len(lines) == 3


@st.composite
def runs(draw: st.DrawFn) -> tuple[Query, tuple[RunPeriod, ...], Period, list[int]]:
    """A query, what it reads, the limit of its windows, and the rows of one window after the other."""
    asked = query(
        granularity=Period.parse(draw(st.sampled_from(["PT1H", "PT6H", "P1D", "P1W", "P1M"]))),
        window=Period.parse(draw(st.sampled_from(["PT6H", "P1D", "P3D", "P1W", "P1M", "P31D"]))),
        zone=draw(st.timezones()),
        lookback=timedelta(days=draw(st.integers(0, 40))),
    )
    now = draw(st.datetimes(at("2020-01-01").replace(tzinfo=None), at("2030-01-01").replace(tzinfo=None)))
    now = now.replace(tzinfo=NOW.tzinfo)
    days = st.integers(0, 120).map(lambda number: timedelta(days=number, hours=number % 24))
    start: datetime = now - draw(days)
    known = Bookmark(now - draw(days), None, now - draw(days)) if draw(st.booleans()) else Bookmark()
    known = known.clipped(now, asked.lookback).starting(asked.grid.floor(start))
    periods = run_periods(asked, known, start_date=start, end_date=None, now=now)
    longest = Period.parse(draw(st.sampled_from(["PT1H", "P1D", "P2D", "P10D", "P30D", "P31D", "P2M"])))
    return asked, periods, longest, draw(st.lists(st.sampled_from([0, 600, 1500, 2500, 9000]), min_size=1))


@examples(300)
@given(runs())
def test_however_windows_grow_there_are_as_many_as_estimated(
    case: tuple[Query, tuple[RunPeriod, ...], Period, list[int]],
) -> None:
    asked, periods, longest, rows = case
    found = Estimate.of(asked, periods, longest).windows
    learnt = [growth_at_start(asked, longest)]
    for period in periods:
        for window in run_windows(asked, period, lambda: learnt[-1]):
            growth = learnt[-1].after_answer(
                AnswerSize(window.end - window.start, rows[len(learnt) % len(rows)])
            )
            learnt.append(growth)
    assert found.least <= len(learnt) - 1 <= found.most
