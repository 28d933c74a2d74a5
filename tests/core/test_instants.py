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
def test_parse_reads_every_form(written: str, meant: str) -> None:
    """An instant is read with any offset, in any length; without an offset it is UTC."""
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
def test_parse_cuts_to_milliseconds(fraction: str, milliseconds: int) -> None:
    """What is finer than a millisecond is cut off, never rounded up into the next one."""
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
def test_parse_refuses_what_is_none(text: str) -> None:
    """What is no ISO 8601 date-time, or lies outside the calendar, is refused and not guessed."""
    with pytest.raises(ValueError, match=r".+"):
        instants.parse(text)
    assert not instants.is_instant(text)


@given(ANY_INSTANT)
@examples()
def test_text_is_always_of_one_form(instant: datetime) -> None:
    """Every instant is written in 24 characters of UTC, cut to milliseconds, and read back as itself."""
    text = instants.text(instant)
    assert len(text) == 24
    assert text[4::3][:2] == "--"
    assert (text[10], text[19], text[23]) == ("T", ".", "Z")
    cut = instant - timedelta(microseconds=instant.microsecond % 1000)
    assert instants.parse(text) == cut


@given(ANY_INSTANT, ANY_INSTANT)
@examples()
def test_text_orders_as_time_does(one: datetime, other: datetime) -> None:
    """Bookmarks are compared as text, so the texts of two instants stand in the order of the instants."""
    earlier, later = sorted((one, other))
    assert instants.text(earlier) <= instants.text(later)


@given(ANY_INSTANT)
@examples()
def test_any_offset_is_the_same_instant(instant: datetime) -> None:
    """A local time with its offset is the instant that it means, whatever the offset."""
    local = instant.replace(microsecond=0)
    without_colon = f"{local:%H:%M:%S%z}"
    assert instants.parse(local.isoformat()) == local
    assert instants.parse(f"{local.date()}T{without_colon}") == local


@pytest.mark.parametrize(
    "text", ["2023-11-01T00:00:00.000Z", "2023-11-01T00:00Z", "2023-11-01 00:00", "2023-11-01T01:00:00+01"]
)
def test_an_instant_has_a_time_of_day(text: str) -> None:
    """A node's id reads as an instant when it has a time of day."""
    assert instants.is_instant(text)


@pytest.mark.parametrize(
    "text", ["2023-11-01", "queue-uuid-123", "unknown", "", "2023-99-01T00:00:00Z", "0000-01-01T00:00:00Z"]
)
def test_other_ids_are_no_instants(text: str) -> None:
    """A bare date, a name, or a date that no calendar has is no instant."""
    assert not instants.is_instant(text)
