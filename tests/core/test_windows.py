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
_FACTORS = (0.4, 0.5, 1.0, 2.5, 8.0)
_MOST_WINDOWS = 8
_TWO_YEARS = timedelta(days=731)


@dataclass(frozen=True, slots=True)
class Case:
    """A period to divide into windows.

    ``max_lengths`` are the maximum lengths of its windows, one after the other, since windows grow and
    shrink during a run.
    """

    grid: Grid
    start: datetime
    stop: datetime
    length: Period
    max_lengths: tuple[timedelta | None, ...] = (None,)


@st.composite
def cases(draw: st.DrawFn, zone_name: str | None = None) -> Case:
    """Any granularity, start, stop and length, in any zone or a given one; not too many windows."""
    any_zone = st.one_of(st.sampled_from(ODD), st.sampled_from(zone_names()))
    zone = ZoneInfo(zone_name or draw(any_zone))
    granularity = Period.parse(draw(st.sampled_from(GRANULARITIES)))
    length = Period.parse(draw(st.sampled_from(LENGTHS)))
    start = draw(moments("1999-01-01", "2035-01-01"))
    step = timedelta(seconds=max(granularity.min_seconds, length.min_seconds))
    shifts = _SHIFTS if step >= timedelta(days=1) else _SHIFTS[:3]
    stop = start + min(_TWO_YEARS, step * draw(st.integers(0, _MOST_WINDOWS))) + draw(st.sampled_from(shifts))
    length_limit = st.one_of(st.none(), st.sampled_from(_FACTORS).map(lambda times: step * times))
    max_lengths = tuple(draw(st.lists(length_limit, min_size=1, max_size=3)))
    anchor = draw(
        st.one_of(st.just(start.astimezone(zone).date()), st.dates(date(2000, 1, 1), date(2030, 1, 1)))
    )
    return Case(Grid(granularity, zone, anchor), start, stop, length, max_lengths)


def check_plan(case: Case) -> None:
    """Check the windows of a case: contiguous, on the grid, complete, and not too long."""
    grid = case.grid
    max_lengths = cycle(case.max_lengths)
    windows = list(plan(grid, case.start, case.stop, case.length, lambda: next(max_lengths)))
    begin, end = grid.floor(case.start), grid.floor(case.stop)
    assert [each.start for each in windows] == [begin, *(each.end for each in windows)][: len(windows)]
    assert (windows[-1].end if windows else begin) == max(begin, end)
    for window, max_length in zip(windows, cycle(case.max_lengths), strict=False):
        _on_the_grid(grid, window)
        _not_too_long(case, window, max_length)
        _buckets_agree(grid, window)
    for window in windows[:2]:
        _divisible(grid, window)


def _on_the_grid(grid: Grid, window: Window) -> None:
    """The window is not empty, and both its ends are on the grid."""
    assert window.start < window.end
    assert grid.floor(window.start) == window.start
    assert grid.floor(window.end) == window.end


def _not_too_long(case: Case, window: Window, max_length: timedelta | None) -> None:
    """The last bucket of the window starts within the length wanted."""
    change = timedelta(hours=2, minutes=30)  # of clocks: two hours at Troll station in Antarctica
    days = case.length.days or 31 * case.length.months
    limit = max_length or timedelta(seconds=case.length.seconds) or timedelta(days=days) + change
    last = case.grid.floor(window.end - timedelta(milliseconds=1))
    assert last - window.start < limit


def _buckets_agree(grid: Grid, window: Window) -> None:
    """The buckets that the API counts from the start of the window are those of the grid."""
    if not grid.period.seconds:
        _calendar_buckets_agree(grid, window)
    elif 86_400 % grid.period.seconds == 0:
        _elapsed_buckets_agree(grid, window)


def _elapsed_buckets_agree(grid: Grid, window: Window) -> None:
    """Steps of elapsed time hit every midnight within the window."""
    zone, step = grid.zone, timedelta(seconds=grid.period.seconds)
    day, last = (edge.astimezone(zone).date() for edge in (window.start, window.end))
    while day < last:
        day += timedelta(days=1)
        begin = first_instant(day, zone)
        if window.start < begin < window.end:
            assert (begin - window.start) % step == timedelta()


def _calendar_buckets_agree(grid: Grid, window: Window) -> None:
    """Days and months counted from the start on the local calendar are those of the grid."""
    found, wall, edge = set(), window.start.astimezone(grid.zone), window.start
    while edge < window.end:
        found.add(edge)
        month = wall.year * 12 + wall.month - 1 + grid.period.months
        wall = wall.replace(year=month // 12, month=month % 12 + 1, fold=0) + timedelta(days=grid.period.days)
        edge = wall.astimezone(UTC)
    assert sorted(found) == [start for start, _ in buckets(grid, window.start, window.end)]


def _divisible(grid: Grid, window: Window) -> None:
    """Halving ends with a single bucket, and halves cover their window."""
    while (parts := halves(grid, window)) is not None:
        first, second = parts
        assert (first.start, first.end, second.end) == (window.start, second.start, window.end)
        for part in parts:
            _on_the_grid(grid, part)
            _buckets_agree(grid, part)
        window = max(parts, key=lambda part: part.end - part.start)
    assert grid.following(window.start) == window.end


@given(cases())
@examples(200)
def test_windows_are_contiguous_and_on_the_grid(case: Case) -> None:
    check_plan(case)


PARTS = 4
TIMES = -(-10_000 // len(zone_names()))
"""Cases per zone, ten thousand in total."""


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_windows_are_contiguous_and_on_the_grid_in_every_zone(part: int) -> None:
    """Ten thousand cases."""
    seen: list[Case] = []
    zones = zone_names()[part::PARTS]
    for number, name in enumerate(zones):

        @seed(number)
        @given(cases(name))
        @examples(TIMES)
        def property_of(case: Case) -> None:
            check_plan(case)
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


def test_windows_of_a_day_are_half_open_and_start_at_midnight() -> None:
    """The end of a window is the start of the next, never 23:59:59."""
    assert _texts("PT1H", "UTC", ("2023-11-01T00:00Z", "2023-11-03T00:00Z"), "P1D") == [
        "01T00:00/02T00:00", "02T00:00/03T00:00",
    ]  # fmt: skip


def test_a_start_inside_a_bucket_reads_the_whole_bucket() -> None:
    assert _texts("PT1H", "UTC", ("2023-11-01T13:45Z", "2023-11-02T02:00Z"), "P1D") == [
        "01T13:00/02T00:00", "02T00:00/02T02:00",
    ]  # fmt: skip


def test_a_bucket_that_is_still_filling_is_not_read() -> None:
    """It is left to a later run."""
    assert _texts("PT1H", "UTC", ("2023-11-01T00:00Z", "2023-11-01T02:59:59.999Z"), "P1D") == [
        "01T00:00/01T02:00"
    ]
    assert _texts("P1M", "UTC", ("2023-11-01T00:00Z", "2023-11-30T23:59Z"), "P1D") == []


def test_an_empty_period_has_no_windows() -> None:
    assert _texts("P1D", "UTC", ("2023-11-01T00:00Z", "2023-11-01T23:00Z"), "P1D") == []
    assert _texts("PT1H", "UTC", ("2023-11-02T00:00Z", "2023-11-01T00:00Z"), "P1D") == []


def test_a_window_has_at_least_one_bucket() -> None:
    assert _texts("P1W", "UTC", ("2023-11-01T00:00Z", "2023-11-15T00:00Z"), "P1D") == [
        "01T00:00/08T00:00", "08T00:00/15T00:00",
    ]  # fmt: skip


def test_a_window_ends_with_a_day_that_buckets_do_not_fill() -> None:
    """Twelve hours do not divide 23, and the API would keep counting across midnight."""
    assert _texts("PT12H", "Europe/Berlin", ("2023-03-24T23:00Z", "2023-03-28T22:00Z"), "P10D",
    "2023-03-25") == [
        "24T23:00/26T22:00", "26T22:00/28T22:00",
    ]  # fmt: skip


def test_a_window_of_hours_ends_with_a_day_of_23_and_a_half_hours() -> None:
    """On Lord Howe Island."""
    assert _texts("PT1H", "Australia/Lord_Howe", ("2023-09-29T13:30Z", "2023-10-02T13:00Z"), "P10D",
    "2023-09-30") == [
        "29T13:30/01T13:00", "01T13:00/02T13:00",
    ]  # fmt: skip


def test_a_window_of_hours_may_contain_a_day_of_23_hours() -> None:
    """An hour divides it."""
    assert _texts(
        "PT1H", "Europe/Berlin", ("2023-03-24T23:00Z", "2023-03-28T22:00Z"), "P10D", "2023-03-25"
    ) == ["24T23:00/28T22:00"]


def test_windows_end_at_the_same_boundaries_in_every_run() -> None:
    """Windows of three days count from the anchor, wherever a run starts."""
    assert _texts("P1D", "UTC", ("2023-11-05T00:00Z", "2023-11-11T00:00Z"), "P3D") == [
        "05T00:00/07T00:00", "07T00:00/10T00:00", "10T00:00/11T00:00",
    ]  # fmt: skip
    assert align(grid("PT1H"), Period.parse("P3D"), at("2023-11-06T05:00Z")) == at("2023-11-04T00:00Z")
    assert align(grid("P1W"), Period.parse("P1D"), at("2023-11-06T05:00Z")) == at("2023-11-01T00:00Z")


def test_a_maximum_length_may_be_several_periods_or_less_than_one() -> None:
    """Windows grow while responses are small, and shrink after one that was too large."""
    on, day = grid("PT1H"), Period.parse("P1D")
    start, stop = at("2023-11-01T05:00Z"), at("2023-12-01T00:00Z")
    assert next_window(on, start, stop, day, timedelta(days=3)).end == at("2023-11-04T00:00Z")
    assert next_window(on, start, stop, day, timedelta(hours=2, minutes=30)).end == at("2023-11-01T07:00Z")
    assert next_window(on, start, stop, day, timedelta(minutes=1)).end == at("2023-11-01T06:00Z")


def test_next_window_is_one_step_of_the_plan() -> None:
    on, day = grid("PT6H"), Period.parse("P1D")
    assert next_window(on, at("2023-11-01T06:00Z"), at("2023-11-09T00:00Z"), day) == Window(
        at("2023-11-01T06:00Z"), at("2023-11-02T00:00Z")
    )
    assert next_window(on, at("2023-11-01T06:00Z"), at("2023-11-01T12:00Z"), day).end == at(
        "2023-11-01T12:00Z"
    )


def test_halves_meet_at_a_bucket_boundary() -> None:
    window = Window(at("2023-11-01T00:00Z"), at("2023-11-01T05:00Z"))
    assert halves(grid("PT1H"), window) == (
        Window(at("2023-11-01T00:00Z"), at("2023-11-01T02:00Z")),
        Window(at("2023-11-01T02:00Z"), at("2023-11-01T05:00Z")),
    )


def test_a_single_bucket_has_no_halves() -> None:
    """Nor has the short bucket at the end of a day of 23 hours."""
    assert halves(grid("P1D"), Window(at("2023-11-01T00:00Z"), at("2023-11-02T00:00Z"))) is None
    short = Window(at("2023-03-26T11:00Z"), at("2023-03-26T22:00Z"))
    assert halves(grid("PT12H", "Europe/Berlin"), short) is None


def test_a_window_is_written_as_an_iso_interval() -> None:
    start = at("2023-11-01T00:00Z")
    assert (
        str(Window(start, start + timedelta(days=1))) == "2023-11-01T00:00:00.000Z/2023-11-02T00:00:00.000Z"
    )
