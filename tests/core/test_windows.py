from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, seed

from tap_genesys_aggregates.core.periods import Period
from tap_genesys_aggregates.core.windows import Window, align, halves, next_window, plan
from tests.core.making import at, examples, grid, zone_names
from tests.core.window_law import GRANULARITIES, LENGTHS, Case, cases, holds


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
