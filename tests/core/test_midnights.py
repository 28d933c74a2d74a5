from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.core.grid import Grid, midnight
from tap_genesys_aggregates.core.periods import Period
from tests.core.making import at, edges, examples, first_instant, grid, moments, zone_names

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
def test_days_whose_midnight_is_odd(zone: str, days: list[str]) -> None:
    """A day begins at its first instant, also where midnight is skipped, comes twice, or is missing."""
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
def test_the_first_instant_of_a_day(zone: str, day: str, begins: str) -> None:
    """``midnight`` is the first instant of a local day, which need not be 00:00."""
    assert midnight(date.fromisoformat(day), ZoneInfo(zone)) == at(begins)


def test_every_instant_of_the_hour_that_comes_twice_is_in_one_day() -> None:
    """After 00:01 Newfoundland's clock showed the day before for an hour: that hour stays in the new day."""
    on = grid("P1D", "America/St_Johns")
    for minute in range(0, 25 * 60, 13):
        instant = at("2006-10-29T02:30Z") + timedelta(minutes=minute)
        assert on.floor(instant) == at("2006-10-29T02:30Z")


def test_a_week_with_the_missing_day_has_six_days() -> None:
    """Samoa's week of 2011-12-29 is six days long, and no bucket of it is empty."""
    on = grid("P1W", "Pacific/Apia", "2011-12-29")
    begin = on.floor(at("2011-12-29T12:00Z"))
    assert on.following(begin) - begin == timedelta(days=6)
    days = edges(grid("P2D", "Pacific/Apia", "2011-12-30"), "2011-12-28T11:00Z", "2012-01-02T10:00Z")
    assert days == ["2011-12-28T10:00", "2011-12-30T10:00", "2011-12-31T10:00", "2012-01-02T10:00"]


@given(ZONES, INSTANTS)
@examples(100)
def test_days_begin_where_a_calendar_on_the_wall_changes(zone: ZoneInfo, instant: datetime) -> None:
    """In any zone a day begins when its calendar first showed it, found by looking at each minute."""
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
def test_every_instant_is_in_one_bucket(
    zone: ZoneInfo, instant: datetime, granularity: str, anchor: date
) -> None:
    """Buckets leave no gap and do not overlap: each instant is in one, whose start is its own floor."""
    on = Grid(Period.parse(granularity), zone, anchor)
    begin = on.floor(instant)
    end = on.following(begin)
    assert begin <= instant < end
    assert on.floor(begin) == begin == on.ceil(begin)
    assert on.floor(end) == end
    assert on.floor(end - timedelta(milliseconds=1)) == begin
