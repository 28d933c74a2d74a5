"""A real answer: one week of voice calls in six queues, recorded by an organisation."""

from __future__ import annotations

import csv
from datetime import date
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

from tap_genesys_aggregates.core.periods import Period
from tap_genesys_aggregates.core.rows import Leaf
from tap_genesys_aggregates.dialects import dialect_of
from tests.dialects.making import results, rows, window

SAMPLE = resources.files("genesys_sandbox").joinpath("data/results-voice-week.json").read_bytes()
WEEK = window("2025-01-25T21:00:00", "2025-02-01T21:00:00")
METRICS = (
    "nBlindTransferred", "nConnected", "nError", "nOffered", "nOutbound", "nOutboundAttempted", "nOverSla",
    "nTransferred", "oServiceLevel", "tAbandon", "tAcw", "tAnswered", "tContacting", "tDialing", "tFlowOut",
    "tHandle", "tHeldComplete", "tShortAbandon", "tTalkComplete", "tWait",
)  # fmt: skip
ASKED = results(
    metrics=METRICS,
    implicit_dimensions=("mediaType",),
    granularity=Period.parse("P1W"),
    zone=ZoneInfo("Asia/Riyadh"),
    anchor=date(2025, 1, 26),
)


def test_the_recorded_week_is_six_rows() -> None:
    """Every column of every queue, to the number; what a queue did not do is null."""
    with Path(__file__).with_name("voice_week.csv").open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file)
        expected = list(table)
    found = rows(ASKED, SAMPLE, of=WEEK)
    assert len(expected) == 6
    assert list(found[0]) == list(table.fieldnames or ())
    assert [
        {name: "" if value is None else str(value) for name, value in each.items()} for each in found
    ] == expected


def test_the_recorded_week_is_one_bucket() -> None:
    """The query's grid has that week as one bucket, so it is asked for just so."""
    assert ASKED.grid.floor(WEEK.start) == WEEK.start
    assert ASKED.grid.following(WEEK.start) == WEEK.end


def test_the_recorded_week_in_long_has_a_row_a_metric() -> None:
    """Seventy-five metrics of six queues are seventy-five rows, with the same sums."""
    long = rows(results(metrics=METRICS, implicit_dimensions=("mediaType",), shape="long"), SAMPLE, of=WEEK)
    wide = rows(ASKED, SAMPLE, of=WEEK)
    assert len(long) == 75
    handled = [each["sum"] for each in long if each["metric"] == "tHandle"]
    assert handled == [each["t_handle_sum"] for each in wide if each["t_handle_sum"] is not None]


def test_leaves_come_as_they_are_read() -> None:
    """A page is read lazily, so that a large answer is not held twice."""
    leaves = iter(dialect_of(ASKED).read(SAMPLE, WEEK).leaves)
    assert isinstance(next(leaves), Leaf)
    assert iter(leaves) is leaves
