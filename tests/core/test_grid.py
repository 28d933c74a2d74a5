"""The grid: where buckets begin, in every time zone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.core.grid import Grid, midnight
from tap_genesys_aggregates.core.periods import Period
from tests.core.making import at, edges, examples, first_instant, grid, moments, zone_names


@pytest.mark.parametrize(
    ("granularity", "start", "stop", "expected"),
    [
        ("PT12H", "2023-11-01T00:00Z", "2023-11-02T00:00Z", ["2023-11-01T00:00", "2023-11-01T12:00",
        "2023-11-02T00:00"]),
        ("PT6H", "2023-11-01T13:45Z", "2023-11-02T00:00Z", ["2023-11-01T12:00", "2023-11-01T18:00",
        "2023-11-02T00:00"]),
        ("PT30M", "2023-11-01T00:29Z", "2023-11-01T01:00Z", ["2023-11-01T00:00", "2023-11-01T00:30",
        "2023-11-01T01:00"]),
        ("PT24H", "2023-11-01T05:00Z", "2023-11-02T05:00Z", ["2023-11-01T00:00", "2023-11-02T00:00",
        "2023-11-03T00:00"]),
    ],
)  # fmt: skip
def test_buckets_shorter_than_a_day_start_at_midnight(
    granularity: str, start: str, stop: str, expected: list[str]
) -> None:
    assert edges(grid(granularity), start, stop) == expected


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("Asia/Kolkata", "2023-10-31T18:30"),
        ("Asia/Kathmandu", "2023-10-31T18:15"),
        ("America/St_Johns", "2023-11-01T02:30"),
        ("Pacific/Chatham", "2023-10-31T10:15"),
        ("Australia/Eucla", "2023-10-31T15:15"),
    ],
)
def test_buckets_follow_zones_with_offsets_of_half_hours_and_quarters(zone: str, start: str) -> None:
    """Twelve hours are still half a day there."""
    hours = edges(grid("PT1H", zone), f"{start}Z", f"{start}Z")
    halves = edges(grid("PT12H", zone), f"{start}Z", f"{start}Z")
    assert hours == halves == [start]
    assert edges(grid("P1D", zone), f"{start}Z", f"{start}Z") == [start]


def test_a_day_of_23_hours_ends_with_a_short_bucket() -> None:
    """The second half of the day has 11 hours; the next day starts a new count."""
    assert edges(grid("PT12H", "Europe/Berlin"), "2023-03-25T23:00Z", "2023-03-27T22:00Z") == [
        "2023-03-25T23:00", "2023-03-26T11:00", "2023-03-26T22:00", "2023-03-27T10:00", "2023-03-27T22:00",
    ]  # fmt: skip


def test_a_day_of_25_hours_ends_with_an_extra_bucket() -> None:
    """Two halves of 12 hours leave one hour."""
    assert edges(grid("PT12H", "Europe/Berlin"), "2023-10-28T22:00Z", "2023-10-30T23:00Z") == [
        "2023-10-28T22:00", "2023-10-29T10:00", "2023-10-29T22:00", "2023-10-29T23:00", "2023-10-30T11:00",
        "2023-10-30T23:00",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("granularity", "day", "buckets"),
    [
        ("PT1H", "2023-03-26", 23), ("PT1H", "2023-10-29", 25), ("PT30M", "2023-03-26", 46), ("PT30M",
        "2023-10-29", 50),
        ("P1D", "2023-03-26", 1), ("P1D", "2023-10-29", 1), ("PT24H", "2023-03-26", 1), ("PT24H",
        "2023-10-29", 2),
    ],
)  # fmt: skip
def test_days_of_23_and_25_hours_have_that_many_hourly_buckets(
    granularity: str, day: str, buckets: int
) -> None:
    """Hours are elapsed time. As a granularity of P1D, each is a single bucket."""
    on, days = grid(granularity, "Europe/Berlin"), grid("P1D", "Europe/Berlin")
    noon = at(f"{day}T12:00Z")
    start, end = days.floor(noon), days.following(days.floor(noon))
    assert len(edges(on, start.isoformat(), end.isoformat())) - 1 == buckets


def test_days_of_23_and_a_half_hours_end_with_a_short_bucket() -> None:
    """Lord Howe Island changes its clocks by half an hour."""
    spring = edges(grid("PT1H", "Australia/Lord_Howe"), "2023-10-01T11:30Z", "2023-10-01T13:00Z")
    autumn = edges(grid("PT1H", "Australia/Lord_Howe"), "2023-04-02T12:00Z", "2023-04-02T13:30Z")
    assert spring == ["2023-10-01T11:30", "2023-10-01T12:30", "2023-10-01T13:00"]
    assert autumn == ["2023-04-02T12:00", "2023-04-02T13:00", "2023-04-02T13:30"]


@pytest.mark.parametrize(
    ("granularity", "step"), [("PT7H", 25_200), ("PT36H", 129_600), ("PT7M", 420), ("PT48H", 172_800)]
)
def test_lengths_that_do_not_divide_a_day_count_from_the_epoch(granularity: str, step: int) -> None:
    """In seconds from 1970-01-01T00:00Z, in every zone."""
    on = grid(granularity, "America/New_York")
    begin = on.floor(at("2023-03-12T15:00Z"))
    assert begin.timestamp() % step == 0
    assert begin <= at("2023-03-12T15:00Z") < on.following(begin)
    assert on.following(begin).timestamp() - begin.timestamp() == step


def test_buckets_of_seven_hours_ignore_midnight_and_daylight_saving() -> None:
    assert edges(grid("PT7H", "Europe/Berlin"), "2023-03-25T20:00Z", "2023-03-26T15:00Z") == [
        "2023-03-25T15:00", "2023-03-25T22:00", "2023-03-26T05:00", "2023-03-26T12:00", "2023-03-26T19:00",
    ]  # fmt: skip


def test_weeks_and_days_count_from_the_anchor() -> None:
    """Before the anchor, too."""
    assert edges(grid("P1W", anchor="2023-11-01"), "2023-11-14T23:59Z", "2023-11-22T00:00Z") == [
        "2023-11-08T00:00", "2023-11-15T00:00", "2023-11-22T00:00",
    ]  # fmt: skip
    assert edges(grid("P1W", anchor="2023-11-03"), "2023-11-01T00:00Z", "2023-11-10T00:00Z") == [
        "2023-10-27T00:00", "2023-11-03T00:00", "2023-11-10T00:00",
    ]  # fmt: skip
    assert edges(grid("P2D", anchor="2023-11-02"), "2023-11-01T12:00Z", "2023-11-04T00:00Z") == [
        "2023-10-31T00:00", "2023-11-02T00:00", "2023-11-04T00:00",
    ]  # fmt: skip


def test_a_local_week_keeps_its_weekday_when_clocks_change() -> None:
    assert edges(grid("P1W", "Europe/Berlin", "2023-10-23"), "2023-10-25T00:00Z", "2023-11-05T23:00Z") == [
        "2023-10-22T22:00", "2023-10-29T23:00", "2023-11-05T23:00",
    ]  # fmt: skip


def test_months_start_on_the_first_and_quarters_in_january() -> None:
    """By the local calendar, whatever the anchor."""
    assert edges(grid("P1M", "Europe/Berlin"), "2023-03-15T00:00Z", "2023-04-30T22:00Z") == [
        "2023-02-28T23:00", "2023-03-31T22:00", "2023-04-30T22:00",
    ]  # fmt: skip
    assert edges(grid("P3M"), "2023-11-15T00:00Z", "2024-04-01T00:00Z") == [
        "2023-10-01T00:00", "2024-01-01T00:00", "2024-04-01T00:00",
    ]  # fmt: skip
    assert edges(grid("P1Y"), "2024-02-29T00:00Z", "2025-01-01T00:00Z") == [
        "2024-01-01T00:00",
        "2025-01-01T00:00",
    ]


def test_ceil_is_the_first_boundary_at_or_after_an_instant() -> None:
    on = grid("PT6H")
    assert on.ceil(at("2023-11-01T06:00Z")) == at("2023-11-01T06:00Z")
    assert on.ceil(at("2023-11-01T06:00:00.001Z")) == at("2023-11-01T12:00Z")


def test_steps_stay_aligned_until_the_end_of_a_day_that_they_do_not_divide() -> None:
    on = grid("PT12H", "Europe/Berlin")
    assert on.aligned_until(at("2023-03-20T23:00Z"), at("2023-03-30T22:00Z")) == at("2023-03-26T22:00Z")
    assert on.aligned_until(at("2023-03-26T11:00Z"), at("2023-03-30T22:00Z")) == at("2023-03-26T22:00Z")
    assert on.aligned_until(at("2023-03-26T22:00Z"), at("2023-03-30T22:00Z")) == at("2023-03-30T22:00Z")
    assert on.aligned_until(at("2023-03-26T11:00Z"), at("2023-03-26T22:00Z")) == at("2023-03-26T22:00Z")


@pytest.mark.parametrize("granularity", ["PT1H", "P1D", "P1W", "P1M", "PT7H"])
def test_steps_that_divide_every_day_stay_aligned(granularity: str) -> None:
    """Hours divide days of 23 and 25 hours; calendar buckets follow the calendar of the API."""
    start, end = at("2023-03-20T23:00Z"), at("2023-11-01T23:00Z")
    assert grid(granularity, "Europe/Berlin").aligned_until(start, end) == end


@pytest.mark.parametrize(
    ("granularity", "until"), [("P1D", "2023-03-26T22:00Z"), ("P1M", "2023-03-31T22:00Z"), ("PT1H", "")]
)
def test_calendar_buckets_of_an_api_that_is_not_told_the_zone_stay_aligned_until_the_clock_changes(
    granularity: str, until: str
) -> None:
    """The bucket with the change is the last one: the API counts days of 24 hours from there."""
    on = replace(grid(granularity, "Europe/Berlin"), api_knows_zone=False)
    start, end = at("2023-03-19T23:00Z"), at("2023-04-30T22:00Z")
    assert on.aligned_until(start, end) == (at(until) if until else end)
    assert on.aligned_until(at("2023-03-26T22:00Z"), end) == end


ODD = (
    "America/Sao_Paulo", "Asia/Beirut", "America/Havana", "Africa/Cairo", "Pacific/Apia",
    "Australia/Lord_Howe",
    "America/St_Johns", "Asia/Kathmandu", "Pacific/Kiritimati", "Africa/Casablanca", "Antarctica/Troll",
)  # fmt: skip
ZONES = st.one_of(st.sampled_from(ODD), st.sampled_from(zone_names())).map(ZoneInfo)
INSTANTS = moments("1975-01-01", "2036-12-31")


@pytest.mark.parametrize(
    ("zone", "days"),
    [
        # Spring: the clock jumps from 00:00 to 01:00, so the day begins at the jump and has 23 hours.
        ("America/Sao_Paulo", ["2018-11-03T03:00", "2018-11-04T03:00", "2018-11-05T02:00"]),
        ("Asia/Beirut", ["2022-03-25T22:00", "2022-03-26T22:00", "2022-03-27T21:00"]),
        ("America/Havana", ["2023-03-11T05:00", "2023-03-12T05:00", "2023-03-13T04:00"]),
        ("Africa/Cairo", ["2023-04-26T22:00", "2023-04-27T22:00", "2023-04-28T21:00"]),
        # Autumn: 24:00 becomes 23:00, so the day before has 25 hours and midnight comes once.
        ("America/Sao_Paulo", ["2018-02-17T02:00", "2018-02-18T03:00", "2018-02-19T03:00"]),
        ("Asia/Beirut", ["2022-10-28T21:00", "2022-10-29T22:00", "2022-10-30T22:00"]),
        ("Africa/Cairo", ["2023-10-25T21:00", "2023-10-26T22:00", "2023-10-27T22:00"]),
        # Autumn in Havana: 01:00 becomes 00:00, midnight comes twice and the first one counts.
        ("America/Havana", ["2023-11-04T04:00", "2023-11-05T04:00", "2023-11-06T05:00"]),
        # Newfoundland until 2011: 00:01 becomes 01:01 in spring, 23:01 of the day before in autumn.
        ("America/St_Johns", ["2006-04-01T03:30", "2006-04-02T03:30", "2006-04-03T02:30"]),
        ("America/St_Johns", ["2006-10-28T02:30", "2006-10-29T02:30", "2006-10-30T03:30"]),
        # Samoa left out 2011-12-30: the 29th is followed by the 31st.
        ("Pacific/Apia", ["2011-12-29T10:00", "2011-12-30T10:00", "2011-12-31T10:00"]),
    ],
)  # fmt: skip
def test_days_with_a_skipped_or_repeated_midnight_start_at_their_first_instant(
    zone: str, days: list[str]
) -> None:
    assert edges(grid("P1D", zone), f"{days[0]}Z", f"{days[-1]}Z") == days


@pytest.mark.parametrize(
    ("zone", "day", "begins"),
    [
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00Z"),
        ("America/Havana", "2023-11-05", "2023-11-05T04:00Z"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00Z"),  # it is missing: it begins where the 31st does
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00Z"),
    ],
)
def test_midnight_is_the_first_instant_of_a_local_day(zone: str, day: str, begins: str) -> None:
    assert midnight(date.fromisoformat(day), ZoneInfo(zone)) == at(begins)


def test_an_hour_that_occurs_twice_belongs_to_one_day() -> None:
    """After 00:01 the clocks of Newfoundland showed the day before for an hour."""
    on = grid("P1D", "America/St_Johns")
    for minute in range(0, 25 * 60, 13):
        instant = at("2006-10-29T02:30Z") + timedelta(minutes=minute)
        assert on.floor(instant) == at("2006-10-29T02:30Z")


def test_a_week_with_a_skipped_day_has_six_days() -> None:
    """Samoa skipped 2011-12-30. No bucket is empty because of it."""
    on = grid("P1W", "Pacific/Apia", "2011-12-29")
    begin = on.floor(at("2011-12-29T12:00Z"))
    assert on.following(begin) - begin == timedelta(days=6)
    days = edges(grid("P2D", "Pacific/Apia", "2011-12-30"), "2011-12-28T11:00Z", "2012-01-02T10:00Z")
    assert days == ["2011-12-28T10:00", "2011-12-30T10:00", "2011-12-31T10:00", "2012-01-02T10:00"]


@given(ZONES, INSTANTS)
@examples(100)
def test_days_start_when_the_local_calendar_changes(zone: ZoneInfo, instant: datetime) -> None:
    """Compared with a search through the minutes, in any time zone."""
    days = Grid(Period.parse("P1D"), zone, date(2023, 11, 1))
    today = instant.astimezone(zone).date()
    begins = {first_instant(today + timedelta(days=shift), zone) for shift in (-1, 0, 1, 2)}
    assert days.floor(instant) == max(each for each in begins if each <= instant)
    assert days.following(days.floor(instant)) == min(each for each in begins if each > instant)


@given(
    ZONES,
    INSTANTS,
    st.sampled_from(["PT1M", "PT15M", "PT1H", "PT8H", "PT7H", "P1D", "P3D", "P1W", "P1M", "P5M", "P1Y"]),
    st.dates(date(2000, 1, 1), date(2030, 1, 1)),
)
@examples(100)
def test_every_instant_is_in_exactly_one_bucket(
    zone: ZoneInfo, instant: datetime, granularity: str, anchor: date
) -> None:
    """There are no gaps and no overlaps."""
    on = Grid(Period.parse(granularity), zone, anchor)
    begin = on.floor(instant)
    end = on.following(begin)
    assert begin <= instant < end
    assert on.floor(begin) == begin == on.ceil(begin)
    assert on.floor(end) == end
    assert on.floor(end - timedelta(milliseconds=1)) == begin
