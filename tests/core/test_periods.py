"""Periods: ISO 8601 durations."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.core.periods import Period
from tests.core.making import at, examples


@pytest.mark.parametrize(
    ("text", "months", "days", "seconds"),
    [
        ("PT1S", 0, 0, 1), ("PT1M", 0, 0, 60), ("PT15M", 0, 0, 900), ("PT1H", 0, 0, 3600), ("PT1H30M", 0, 0,
        5400),
        ("PT36H", 0, 0, 129_600), ("PT24H", 0, 0, 86_400), ("P1D", 0, 1, 0), ("P2D", 0, 2, 0), ("P1W", 0, 7,
        0),
        ("P1W2D", 0, 9, 0), ("P1M", 1, 0, 0), ("P3M", 3, 0, 0), ("P1Y", 12, 0, 0), ("P1Y2M", 14, 0, 0),
    ],
)  # fmt: skip
def test_durations_are_parsed_into_months_days_or_seconds(
    text: str, months: int, days: int, seconds: int
) -> None:
    """A day is never 24 hours."""
    assert Period.parse(text) == Period(text, months, days, seconds)


@pytest.mark.parametrize(
    "text",
    [
        "", "P", "PT", "T1H", "1H", "hour", "PT0H", "P0D", "P0M", "P1DT1H", "P1M1D", "P1Y1W", "-P1D", "P-1D",
        "PT1.5H",
        "p1d", " P1D", "P1D ", "PT1H\n", "P1H", "PT1D", "P1D1W", "P200Y", "PT9999999999S", "PT٣H", "P1D" * 9,
    ],
)  # fmt: skip
def test_other_durations_are_refused(text: str) -> None:
    """Zero, mixed units, fractions, signs, other letters and centuries."""
    with pytest.raises(ValueError, match="ISO 8601 duration") as refused:
        Period.parse(text)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize(
    ("text", "zone", "start", "end"),
    [
        ("PT1H", "Europe/Berlin", "2023-03-26T00:30Z", "2023-03-26T01:30Z"),
        ("P1D", "Europe/Berlin", "2023-03-25T23:00Z", "2023-03-26T22:00Z"),  # 23 hours
        ("P1D", "Europe/Berlin", "2023-10-28T22:00Z", "2023-10-29T23:00Z"),  # 25 hours
        ("P1W", "Europe/Berlin", "2023-10-22T22:00Z", "2023-10-29T23:00Z"),
        ("P1M", "Europe/Berlin", "2023-02-28T23:00Z", "2023-03-31T22:00Z"),
        ("P3M", "UTC", "2023-11-01T00:00Z", "2024-02-01T00:00Z"),
        ("P1Y", "UTC", "2024-01-01T00:00Z", "2025-01-01T00:00Z"),
        ("P1D", "America/Sao_Paulo", "2018-11-03T03:00Z", "2018-11-04T03:00Z"),  # no midnight to come to
        ("P1D", "America/Havana", "2023-11-04T04:00Z", "2023-11-05T04:00Z"),  # two midnights: the first
    ],
)
def test_days_and_months_follow_the_local_calendar(text: str, zone: str, start: str, end: str) -> None:
    assert Period.parse(text).after(at(start), ZoneInfo(zone)) == at(end)


@given(st.integers(1, 9), st.sampled_from(["PT{}S", "PT{}M", "PT{}H", "P{}D", "P{}W", "P{}M", "P{}Y"]))
@examples()
def test_min_seconds_is_a_lower_bound(number: int, form: str) -> None:
    """Apart from the hour by which clocks change."""
    period = Period.parse(form.format(number))
    start = at("2023-02-01T00:00Z")
    real = (period.after(start, ZoneInfo("UTC")) - start).total_seconds()
    assert 0 < period.min_seconds <= real <= period.min_seconds * 31 / 28
