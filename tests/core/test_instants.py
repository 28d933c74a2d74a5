"""Instants: parsing and formatting."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.core import instants
from tests.core.making import UTC, at, examples, moments

ANY_OFFSET = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
ANY_INSTANT = moments("0001-01-03", "9999-12-28", ANY_OFFSET)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2023-11-01T00:00:00.000Z", "2023-11-01T00:00:00+00:00"),
        ("2023-11-01T00:00:00z", "2023-11-01T00:00:00+00:00"),
        ("2023-11-01T00:00:00", "2023-11-01T00:00:00+00:00"),
        ("2023-11-01", "2023-11-01T00:00:00+00:00"),
        ("2023-11-01 07:30", "2023-11-01T07:30:00+00:00"),
        ("2023-11-01T07:30Z", "2023-11-01T07:30:00+00:00"),
        ("2023-11-01T00:00:00+01", "2023-10-31T23:00:00+00:00"),
        ("2023-11-01T00:00:00+0100", "2023-10-31T23:00:00+00:00"),
        ("2023-11-01T00:00:00+01:00", "2023-10-31T23:00:00+00:00"),
        ("2023-11-01T00:00:00-03:30", "2023-11-01T03:30:00+00:00"),
        ("2023-11-01T00:00:00-0330", "2023-11-01T03:30:00+00:00"),
        ("2023-11-01T00:00+05:45", "2023-10-31T18:15:00+00:00"),
        ("2023-11-01T00:00:00+14:00", "2023-10-31T10:00:00+00:00"),
        ("2023-11-01T00:00:00-12:00", "2023-11-01T12:00:00+00:00"),
        ("2023-11-01T00:00:00-00:00", "2023-11-01T00:00:00+00:00"),
        (" 2023-11-01T00:00:00Z\n", "2023-11-01T00:00:00+00:00"),
        ("2024-02-29T23:59:59.999Z", "2024-02-29T23:59:59.999+00:00"),
    ],
)
def test_date_times_are_parsed_with_any_offset(written: str, meant: str) -> None:
    assert instants.parse(written) == at(meant)
    assert instants.parse(written).tzinfo is UTC


@pytest.mark.parametrize(
    ("fraction", "milliseconds"),
    [
        (".1", 100),
        (".12", 120),
        (".123", 123),
        (",123", 123),
        (".1239", 123),
        (".999999999", 999),
        (".0009", 0),
    ],
)
def test_fractions_are_truncated_to_milliseconds(fraction: str, milliseconds: int) -> None:
    assert instants.parse(f"2023-11-01T00:00:59{fraction}Z") == at("2023-11-01T00:00:59Z") + timedelta(
        milliseconds=milliseconds
    )


@pytest.mark.parametrize(
    "text",
    [
        "", "yesterday", "2023", "2023-11", "20231101", "01-11-2023", "2023-13-01", "2023-02-29",
        "2023-11-01T",
        "2023-11-01T24:01:00Z", "2023-11-01T25:00:00Z", "2023-11-01T00:60:00Z", "2023-11-01T00:00:60Z",
        "2023-11-01Z", "2023-11-01T00:00:00 UTC", "2023-11-01T00:00:00+1", "2023-11-01T00:00:00+24:00",
        "2023-11-01T00:00:00+01:60", "1698796800", "2023-11-01T00:00:00.Z", "2023-W44-3",
        "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "２０２３-11-01",  # noqa: RUF001
        "2023-11-01T00:00:00Z/2023-11-02T00:00:00Z", "2023-11-01T00:00:00ZZ",
    ],
)  # fmt: skip
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        instants.parse(text)
    assert not instants.is_instant(text)


@given(ANY_INSTANT)
@examples()
def test_an_instant_is_always_written_in_24_characters_of_utc(instant: datetime) -> None:
    text = instants.text(instant)
    assert len(text) == 24
    assert text[4::3][:2] == "--"
    assert (text[10], text[19], text[23]) == ("T", ".", "Z")
    cut = instant - timedelta(microseconds=instant.microsecond % 1000)
    assert instants.parse(text) == cut


@given(ANY_INSTANT, ANY_INSTANT)
@examples()
def test_texts_sort_in_the_order_of_time(one: datetime, other: datetime) -> None:
    """Singer compares bookmarks as text."""
    earlier, later = sorted((one, other))
    assert instants.text(earlier) <= instants.text(later)


@given(ANY_INSTANT)
@examples()
def test_a_date_time_is_the_same_instant_in_any_offset(instant: datetime) -> None:
    local = instant.replace(microsecond=0)
    without_colon = f"{local:%H:%M:%S%z}"
    assert instants.parse(local.isoformat()) == local
    assert instants.parse(f"{local.date()}T{without_colon}") == local


@pytest.mark.parametrize(
    "text", ["2023-11-01T00:00:00.000Z", "2023-11-01T00:00Z", "2023-11-01 00:00", "2023-11-01T01:00:00+01"]
)
def test_date_times_are_instants(text: str) -> None:
    """An id of a group that is an instant names a bucket."""
    assert instants.is_instant(text)


@pytest.mark.parametrize(
    "text", ["2023-11-01", "queue-uuid-123", "unknown", "", "2023-99-01T00:00:00Z", "0000-01-01T00:00:00Z"]
)
def test_dates_and_other_ids_are_not_instants(text: str) -> None:
    assert not instants.is_instant(text)
