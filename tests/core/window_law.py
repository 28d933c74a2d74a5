"""What every plan of windows must keep, in any zone, for any granularity and any length."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import cycle
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from tap_genesys_aggregates.core.grid import Grid
from tap_genesys_aggregates.core.periods import Period
from tap_genesys_aggregates.core.windows import Window, halves, plan
from tests.core.making import UTC, buckets, first_instant, moments, zone_names

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
