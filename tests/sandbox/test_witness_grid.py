"""The witness's own grid: stepped from the start where it does not begin anew each midnight."""

from __future__ import annotations

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest

from genesys_sandbox.expected_buckets import grid
from genesys_sandbox.timestamps import DAY, to_ms, to_text


@pytest.mark.parametrize(
    ("granularity", "expected"),
    [
        ("P2W", "10T00:00 24T00:00 06T23:00 20T23:00 01T00:00"),
        ("P20D", "10T00:00 30T00:00 18T23:00 01T00:00"),
        ("P1M", "10T00:00 09T23:00 01T00:00"),
        ("PT168H", "10T00:00 17T00:00 24T00:00 31T00:00 07T00:00 14T00:00 21T00:00 28T00:00 01T00:00"),
    ],
)
def test_weeks_and_months_step_from_the_start(granularity: str, expected: str) -> None:
    """Hours that do not divide a day are counted from the start of the period, and so are dates."""
    start, end = (to_ms(datetime(2025, month, day, tzinfo=timezone.utc)) for month, day in ((3, 10), (5, 1)))
    boundaries = grid(start, end, granularity, ZoneInfo("Europe/London"))
    assert " ".join(to_text(boundary)[8:16] for boundary in boundaries) == expected


def test_a_month_ends_where_it_ends() -> None:
    """A month after 31 January is 28 February, two are 31 March."""
    start, end = (to_ms(datetime(2025, month, 30, tzinfo=timezone.utc)) for month in (1, 4))
    boundaries = grid(start + DAY, end, "P1M", ZoneInfo("UTC"))
    assert [to_text(boundary)[5:10] for boundary in boundaries] == ["01-31", "02-28", "03-31", "04-30"]
