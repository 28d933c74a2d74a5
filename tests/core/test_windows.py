"""Windows: contiguous, on the grid, as long as they may be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import cycle
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from tap_genesys_aggregates.core.grid import Grid
from tap_genesys_aggregates.core.periods import Period
from tap_genesys_aggregates.core.window_growth import ROWS_WANTED, WindowGrowth
from tap_genesys_aggregates.core.windows import Window, align, halves, next_window, plan
from tests.core.making import UTC, at, buckets, examples, first_instant, grid, moments, zone_names

GRANULARITIES = (
    "PT1M", "PT5M", "PT15M", "PT30M", "PT1H", "PT2H", "PT3H", "PT4H", "PT6H", "PT8H", "PT12H",
    "PT7H", "P1D", "P2D", "P1W", "P1M", "P3M",
)  # fmt: skip
LENGTHS = (*GRANULARITIES, "PT24H", "PT36H", "P3D", "P10D", "P31D", "P2M", "P1Y")
ODD = (
    "America/Sao_Paulo", "Asia/Beirut", "America/Havana", "Africa/Cairo", "Pacific/Apia",
    "Australia/Lord_Howe",
    "America/St_Johns", "Antarctica/Troll", "Africa/Casablanca", "Europe/Berlin",
)  # fmt: skip
_SHIFTS = (timedelta(), timedelta(milliseconds=1), timedelta(minutes=31), timedelta(days=40, hours=5))
_REACHES = (0.4, 0.5, 1.0, 2.5, 8.0)
_MOST_WINDOWS = 8
_TWO_YEARS = timedelta(days=731)


@dataclass(frozen=True, slots=True)
class Case:
    """A plan to make.

    ``reaches`` are how far its windows may go, one after the other, instead of to the next mark: in a run
    they grow and shrink, and must fit all the same.
    """

    grid: Grid
    start: datetime
    stop: datetime
    length: Period
    reaches: tuple[timedelta | None, ...] = (None,)


@st.composite
def cases(draw: st.DrawFn, zone_name: str | None = None) -> Case:
    """Any granularity, start, stop and length, in any zone or in one; with not too many windows."""
    any_zone = st.one_of(st.sampled_from(ODD), st.sampled_from(zone_names()))
    zone = ZoneInfo(zone_name or draw(any_zone))
    granularity = Period.parse(draw(st.sampled_from(GRANULARITIES)))
    length = Period.parse(draw(st.sampled_from(LENGTHS)))
    start = draw(moments("1999-01-01", "2035-01-01"))
    step = timedelta(seconds=max(granularity.min_seconds, length.min_seconds))
    shifts = _SHIFTS if step >= timedelta(days=1) else _SHIFTS[:3]
    stop = start + min(_TWO_YEARS, step * draw(st.integers(0, _MOST_WINDOWS))) + draw(st.sampled_from(shifts))
    reach = st.one_of(st.none(), st.sampled_from(_REACHES).map(lambda times: step * times))
    reaches = tuple(draw(st.lists(reach, min_size=1, max_size=3)))
    anchor = draw(
        st.one_of(st.just(start.astimezone(zone).date()), st.dates(date(2000, 1, 1), date(2030, 1, 1)))
    )
    return Case(Grid(granularity, zone, anchor), start, stop, length, reaches)


def holds(case: Case) -> None:
    """Check one plan: contiguous, on the grid, whole, not too long, and cut by the API likewise."""
    grid = case.grid
    reaches = cycle(case.reaches)
    windows = list(plan(grid, case.start, case.stop, case.length, lambda: next(reaches)))
    begin, end = grid.floor(case.start), grid.floor(case.stop)
    assert [each.start for each in windows] == [begin, *(each.end for each in windows)][: len(windows)]
    assert (windows[-1].end if windows else begin) == max(begin, end)
    for window, reach in zip(windows, cycle(case.reaches), strict=False):
        _on_the_grid(grid, window)
        _not_too_long(case, window, reach)
        _cut_alike(grid, window)
    for window in windows[:2]:
        _divisible(grid, window)


def _on_the_grid(grid: Grid, window: Window) -> None:
    """Half-open, not empty, both edges on the grid."""
    assert window.start < window.end
    assert grid.floor(window.start) == window.start
    assert grid.floor(window.end) == window.end


def _not_too_long(case: Case, window: Window, reach: timedelta | None) -> None:
    """Its last bucket begins within the length that was asked for."""
    change = timedelta(hours=2, minutes=30)  # of clocks: two hours at Troll, in Antarctica
    days = case.length.days or 31 * case.length.months
    asked = reach or timedelta(seconds=case.length.seconds) or timedelta(days=days) + change
    last = case.grid.floor(window.end - timedelta(milliseconds=1))
    assert last - window.start < asked


def _cut_alike(grid: Grid, window: Window) -> None:
    """Buckets counted from the window's start, as the API counts them, are those of the grid."""
    if not grid.period.seconds:
        _cut_by_the_calendar(grid, window)
    elif 86_400 % grid.period.seconds == 0:
        _cut_by_the_clock(grid, window)


def _cut_by_the_clock(grid: Grid, window: Window) -> None:
    """Steps of elapsed time meet every midnight within the window."""
    zone, step = grid.zone, timedelta(seconds=grid.period.seconds)
    day, last = (edge.astimezone(zone).date() for edge in (window.start, window.end))
    while day < last:
        day += timedelta(days=1)
        begin = first_instant(day, zone)
        if window.start < begin < window.end:
            assert (begin - window.start) % step == timedelta()


def _cut_by_the_calendar(grid: Grid, window: Window) -> None:
    """Days and months counted on the wall clock from the start begin where the grid has them."""
    found, wall, edge = set(), window.start.astimezone(grid.zone), window.start
    while edge < window.end:
        found.add(edge)
        month = wall.year * 12 + wall.month - 1 + grid.period.months
        wall = wall.replace(year=month // 12, month=month % 12 + 1, fold=0) + timedelta(days=grid.period.days)
        edge = wall.astimezone(UTC)
    assert sorted(found) == [start for start, _ in buckets(grid, window.start, window.end)]


def _divisible(grid: Grid, window: Window) -> None:
    """Halving goes on down to one bucket, and the halves keep everything."""
    while (parts := halves(grid, window)) is not None:
        first, second = parts
        assert (first.start, first.end, second.end) == (window.start, second.start, window.end)
        for part in parts:
            _on_the_grid(grid, part)
            _cut_alike(grid, part)
        window = max(parts, key=lambda part: part.end - part.start)
    assert grid.following(window.start) == window.end


@given(cases())
@examples(200)
def test_windows_are_contiguous_and_on_the_grid(case: Case) -> None:
    """Windows cover [floor(start), floor(stop)) without gap or overlap, on the grid, as long as asked."""
    holds(case)


PARTS = 4
TIMES = -(-10_000 // len(zone_names()))
"""Cases for each zone, so that they are ten thousand in all."""


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_windows_are_contiguous_and_on_the_grid_ten_thousand_times(part: int) -> None:
    """The same in every zone that there is, ten thousand cases in all: they are counted."""
    seen: list[Case] = []
    zones = zone_names()[part::PARTS]
    for number, name in enumerate(zones):

        @seed(number)
        @given(cases(name))
        @examples(TIMES)
        def property_of(case: Case) -> None:
            holds(case)
            seen.append(case)

        property_of()
    assert len(seen) >= TIMES * len(zones)
    assert {case.grid.period.text for case in seen} == set(GRANULARITIES)
    assert {case.length.text for case in seen} == set(LENGTHS)


def _texts(
    granularity: str, zone: str, span: tuple[str, str], length: str, anchor: str = "2023-11-01"
) -> list[str]:
    on = grid(granularity, zone, anchor)
    found = plan(on, at(span[0]), at(span[1]), Period.parse(length))
    return [f"{each.start:%dT%H:%M}/{each.end:%dT%H:%M}" for each in found]


def test_days_are_cut_at_midnight_and_end_exclusively() -> None:
    """A window of a day is [00:00, 24:00): its end is the next one's start, never 23:59:59."""
    assert _texts("PT1H", "UTC", ("2023-11-01T00:00Z", "2023-11-03T00:00Z"), "P1D") == [
        "01T00:00/02T00:00", "02T00:00/03T00:00",
    ]  # fmt: skip


def test_a_start_inside_a_bucket_reads_that_bucket_whole() -> None:
    """The first window begins at the edge before the start, and meets midnight like any other."""
    assert _texts("PT1H", "UTC", ("2023-11-01T13:45Z", "2023-11-02T02:00Z"), "P1D") == [
        "01T13:00/02T00:00", "02T00:00/02T02:00",
    ]  # fmt: skip


def test_a_bucket_that_is_still_filling_is_not_read() -> None:
    """The end goes down to the last edge: the bucket that has begun and not ended is left for a later run."""
    assert _texts("PT1H", "UTC", ("2023-11-01T00:00Z", "2023-11-01T02:59:59.999Z"), "P1D") == [
        "01T00:00/01T02:00"
    ]
    assert _texts("P1M", "UTC", ("2023-11-01T00:00Z", "2023-11-30T23:59Z"), "P1D") == []


def test_nothing_to_read_gives_no_window() -> None:
    """A stop before the first edge after the start, or before the start, gives no window at all."""
    assert _texts("P1D", "UTC", ("2023-11-01T00:00Z", "2023-11-01T23:00Z"), "P1D") == []
    assert _texts("PT1H", "UTC", ("2023-11-02T00:00Z", "2023-11-01T00:00Z"), "P1D") == []


def test_a_window_shorter_than_a_bucket_is_one_bucket() -> None:
    """Where the granularity is longer than the window asked for, a window is a bucket."""
    assert _texts("P1W", "UTC", ("2023-11-01T00:00Z", "2023-11-15T00:00Z"), "P1D") == [
        "01T00:00/08T00:00", "08T00:00/15T00:00",
    ]  # fmt: skip


def test_a_window_ends_with_the_odd_day() -> None:
    """Half days of Berlin's 23-hour day do not fill it, so the window ends there: the API would count on."""
    assert _texts("PT12H", "Europe/Berlin", ("2023-03-24T23:00Z", "2023-03-28T22:00Z"), "P10D",
    "2023-03-25") == [
        "24T23:00/26T22:00", "26T22:00/28T22:00",
    ]  # fmt: skip


def test_lord_howes_odd_days_end_a_window_of_hours() -> None:
    """23.5 hours are not divided by one hour, so Lord Howe's window of hours ends with its odd day."""
    assert _texts("PT1H", "Australia/Lord_Howe", ("2023-09-29T13:30Z", "2023-10-02T13:00Z"), "P10D",
    "2023-09-30") == [
        "29T13:30/01T13:00", "01T13:00/02T13:00",
    ]  # fmt: skip


def test_whole_hours_run_over_the_change_of_clocks() -> None:
    """23 hours are divided by one hour, so nothing has to end there."""
    assert _texts(
        "PT1H", "Europe/Berlin", ("2023-03-24T23:00Z", "2023-03-28T22:00Z"), "P10D", "2023-03-25"
    ) == ["24T23:00/28T22:00"]


def test_windows_end_at_the_same_marks_in_every_run() -> None:
    """Windows of three days end where three days from ``start_date`` are full, wherever a run begins."""
    assert _texts("P1D", "UTC", ("2023-11-05T00:00Z", "2023-11-11T00:00Z"), "P3D") == [
        "05T00:00/07T00:00", "07T00:00/10T00:00", "10T00:00/11T00:00",
    ]  # fmt: skip
    assert align(grid("PT1H"), Period.parse("P3D"), at("2023-11-06T05:00Z")) == at("2023-11-04T00:00Z")
    assert align(grid("P1W"), Period.parse("P1D"), at("2023-11-06T05:00Z")) == at("2023-11-01T00:00Z")


def test_a_reach_takes_in_several_marks_or_less_than_one() -> None:
    """Where answers are small a window goes on over days; where one was too large it ends within one."""
    on, day = grid("PT1H"), Period.parse("P1D")
    start, stop = at("2023-11-01T05:00Z"), at("2023-12-01T00:00Z")
    assert next_window(on, start, stop, day, timedelta(days=3)).end == at("2023-11-04T00:00Z")
    assert next_window(on, start, stop, day, timedelta(hours=2, minutes=30)).end == at("2023-11-01T07:00Z")
    assert next_window(on, start, stop, day, timedelta(minutes=1)).end == at("2023-11-01T06:00Z")


def test_cut_gives_the_next_window_only() -> None:
    """``next_window`` is one step of the plan: from a bucket's start, not past the stop."""
    on, day = grid("PT6H"), Period.parse("P1D")
    assert next_window(on, at("2023-11-01T06:00Z"), at("2023-11-09T00:00Z"), day) == Window(
        at("2023-11-01T06:00Z"), at("2023-11-02T00:00Z")
    )
    assert next_window(on, at("2023-11-01T06:00Z"), at("2023-11-01T12:00Z"), day).end == at(
        "2023-11-01T12:00Z"
    )


def test_halves_meet_at_the_edge_nearest_to_the_middle() -> None:
    """The two parts together are the window: no instant is asked twice, none is left out."""
    window = Window(at("2023-11-01T00:00Z"), at("2023-11-01T05:00Z"))
    assert halves(grid("PT1H"), window) == (
        Window(at("2023-11-01T00:00Z"), at("2023-11-01T02:00Z")),
        Window(at("2023-11-01T02:00Z"), at("2023-11-01T05:00Z")),
    )


def test_a_single_bucket_has_no_halves() -> None:
    """One bucket is the least that can be asked for; the short bucket of an odd day is one too."""
    assert halves(grid("P1D"), Window(at("2023-11-01T00:00Z"), at("2023-11-02T00:00Z"))) is None
    short = Window(at("2023-03-26T11:00Z"), at("2023-03-26T22:00Z"))
    assert halves(grid("PT12H", "Europe/Berlin"), short) is None


def test_a_window_is_written_as_the_api_has_it() -> None:
    """``str`` is the interval of the request: start/end, 24 characters each."""
    start = at("2023-11-01T00:00Z")
    assert (
        str(Window(start, start + timedelta(days=1))) == "2023-11-01T00:00:00.000Z/2023-11-02T00:00:00.000Z"
    )


DAY = timedelta(days=1)
MONTH = timedelta(days=31)


@pytest.mark.parametrize(
    ("rows", "days"),
    [(0, 8), (1, 8), (ROWS_WANTED // 8, 8), (ROWS_WANTED // 2, 2), (ROWS_WANTED, 1), (10**6, 1)],
)
def test_windows_grow_while_answers_are_small(rows: int, days: int) -> None:
    """A window goes on so far that it should bring the rows wanted, eight times as far at the most."""
    assert WindowGrowth(DAY, MONTH).after_rows(DAY, rows).length == days * DAY


def test_growth_ends_at_max_window() -> None:
    """No window is ever longer than ``max_window``."""
    growth = WindowGrowth(DAY, MONTH)
    for _ in range(9):
        growth = growth.after_rows(growth.length, 0)
    assert growth.length == MONTH


def test_what_did_not_fit_is_not_tried_again() -> None:
    """After a failure the growth is half, and no answer however small makes it as long as what failed."""
    growth = WindowGrowth(8 * DAY, MONTH).after_failure(8 * DAY)
    assert growth.length == 4 * DAY
    assert (growth.fits(8 * DAY), growth.fits(9 * DAY), growth.fits(8 * DAY - timedelta(seconds=1))) == (
        False,
        False,
        True,
    )
    assert growth.after_rows(4 * DAY, 0).length == 4 * DAY


def test_the_shortest_failure_counts() -> None:
    """A longer stretch that fails later teaches nothing new."""
    growth = WindowGrowth(8 * DAY, MONTH).after_failure(4 * DAY).after_failure(8 * DAY)
    assert (growth.failed, growth.length) == (4 * DAY, 2 * DAY)


@given(
    st.lists(st.tuples(st.booleans(), st.timedeltas(timedelta(minutes=1), 2 * MONTH), st.integers(0, 99_999)))
)
@examples()
def test_growth_stays_within_its_bounds(lessons: list[tuple[bool, timedelta, int]]) -> None:
    """Whatever is learnt, the growth never passes the ceiling and never meets a length that failed."""
    growth = WindowGrowth(DAY, MONTH)
    failures = []
    for failed, length, rows in lessons:
        growth = growth.after_failure(length) if failed else growth.after_rows(length, rows)
        failures += [length] if failed else []
        assert timedelta() < growth.length <= MONTH
        assert all(growth.length < each for each in failures)
        assert all(not growth.fits(each) for each in failures)
