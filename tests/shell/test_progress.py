"""What is logged of how far a query is: how often, and how it is reckoned."""

from __future__ import annotations

import io
import json
import logging

import pytest
from singer_sdk.logging import StructuredFormatter

from tap_genesys_aggregates.extract.progress import LOGGED_EVERY, Progress
from tests.shell.making import Time
from tests.shell.watching import DAY, LOGGER, START, part, watch


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The log, at the level that a run has."""
    caplog.set_level(logging.INFO, LOGGER)
    return caplog


def said(log: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    """The fields of each line, as the SDK's structured log has them."""
    lines = [json.loads(StructuredFormatter().format(record)) for record in log.records]
    return [{**line["extra"], "message": line["message"]} for line in lines]


def test_the_log_is_told_every_ten_seconds_at_most(log: pytest.LogCaptureFixture) -> None:
    """A hundred windows of a second each are ten lines, and one at the end."""
    watch(io.StringIO(), 100, 1.0)
    assert [line["windows"] for line in said(log)] == [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 100]
    log.clear()
    watch(io.StringIO(), 5, 7.0)
    assert [line["windows"] for line in said(log)] == [2, 4, 5]


def test_a_short_query_is_told_once(log: pytest.LogCaptureFixture) -> None:
    """Its end is told, however short it was, and also where there was nothing to do."""
    watch(io.StringIO(), 3, 0.1)
    watch(io.StringIO(), 0, 1.0)
    assert [(line["windows"], line["share"], line["seconds_left"]) for line in said(log)] == [
        (3, 1.0, 0.0),
        (0, 1.0, 0.0),
    ]


def test_the_time_left_is_right_at_a_steady_pace(log: pytest.LogCaptureFixture) -> None:
    """Thirty days of twelve seconds each: after every one, what is left is twelve seconds a day."""
    watch(io.StringIO(), 30, 12.0)
    assert [line["seconds_left"] for line in said(log)] == [*(12.0 * left for left in range(29, -1, -1)), 0.0]
    assert said(log)[9] == {
        "query": "calls",
        "windows": 10,
        "rows": 1000,
        "requests": 20,
        "share": 0.3333,
        "seconds_left": 240.0,
        "message": "query 'calls': 33%, 0:04:00 left, 10 windows, 1,000 rows, 20 requests",
    }
    assert said(log)[-1]["message"] == "query 'calls': 100%, in 0:06:00, 30 windows, 3,000 rows, 60 requests"


def test_a_window_counts_when_it_is_whole(log: pytest.LogCaptureFixture) -> None:
    """Of a window that comes in batches rows and requests count at once, its share when all is there."""
    time = Time()
    pulled = Progress(time.monotonic, io.StringIO()).over(
        "users", START, START + 2 * DAY, iter([[part(0, whole=False)], [part(0)], [part(1)]])
    )
    for _ in pulled:
        time.push(LOGGED_EVERY)
    fields = [(each["windows"], each["rows"], each["share"], each["seconds_left"]) for each in said(log)]
    assert fields == [(0, 100, 0.0, None), (1, 200, 0.5, 20.0), (2, 300, 1.0, 0.0), (2, 300, 1.0, 0.0)]


def test_a_part_counts_once_its_rows_are_out(log: pytest.LogCaptureFixture) -> None:
    """How many they are is known only then: whoever writes them says so before the next is wanted."""
    time = Time()
    pulled = Progress(time.monotonic, io.StringIO()).over("calls", START, START + DAY, [[part(0, rows=0)]])
    for parts in pulled:
        parts[0].usage.rows = 77
    assert said(log)[-1]["rows"] == 77
