"""The real week of the sample comes back to the number."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from importlib import resources
from typing import Any

import pytest

from genesys_sandbox import ExpectedRows, Options, Sandbox, SandboxClient, SettableClock

WEEK = "2025-01-25T21:00:00.000Z/2025-02-01T21:00:00.000Z"
START = datetime(2025, 1, 25, 21, tzinfo=timezone.utc)
END = datetime(2025, 2, 1, 21, tzinfo=timezone.utc)

Json = dict[str, Any]


@pytest.fixture(scope="module")
def sample() -> list[Json]:
    """The recorded results, six queues."""
    source = resources.files("genesys_sandbox") / "data" / "results-voice-week.json"
    results: list[Json] = json.loads(source.read_text())["results"]
    return results


def asked(sample: list[Json]) -> list[str]:
    """Every metric that the sample has."""
    return sorted({entry["metric"] for result in sample for entry in result["data"][0]["metrics"]})


def comparable(results: list[Json]) -> list[tuple[Any, ...]]:
    """ResultsEndpoint without the order of their metrics."""
    return [
        (
            result["group"],
            bucket["interval"],
            {entry["metric"]: entry["stats"] for entry in bucket["metrics"]},
        )
        for result in results
        for bucket in result["data"]
    ]


@pytest.mark.parametrize("granularity", [None, "P1W", "P7D", "PT168H", "P1M"])
@pytest.mark.parametrize("group_by", [["queueId"], ["mediaType", "queueId"]])
def test_the_week_is_replayed(
    caller: SandboxClient, sample: list[Json], granularity: str | None, group_by: list[str]
) -> None:
    """ResultsQuery for as one bucket, the week is the sample, `mediaType` in its groups included."""
    query: Json = {"interval": WEEK, "groupBy": group_by, "metrics": asked(sample)}
    if granularity:
        query["granularity"] = granularity
    assert comparable(caller.results("conversations", query)["results"]) == comparable(sample)


def test_another_offset_is_the_same_week(caller: SandboxClient, sample: list[Json]) -> None:
    """The interval is compared as instants."""
    interval = "2025-01-26T00:00:00+03:00/2025-02-02T00:00:00+03:00"
    query = {"interval": interval, "groupBy": ["queueId"], "metrics": asked(sample), "granularity": "P1W"}
    query["timeZone"] = "Europe/Istanbul"
    assert comparable(caller.results("conversations", query)["results"]) == comparable(sample)


def test_metrics_and_filter_narrow_the_sample(caller: SandboxClient, sample: list[Json]) -> None:
    """Only the metrics asked for come, only the queue that passes, and without groups all is added up."""
    queue = sample[1]["group"]["queueId"]
    clause = {"type": "and", "predicates": [{"dimension": "queueId", "value": queue}]}
    query: Json = {"interval": WEEK, "metrics": ["oServiceLevel"], "groupBy": ["queueId"], "filter": clause}
    (result,) = caller.results("conversations", query)["results"]
    numbers = {"ratio": 0.47586206896551725, "numerator": 414, "denominator": 870, "target": 0.8}
    assert result["data"][0]["metrics"] == [{"metric": "oServiceLevel", "stats": numbers}]
    (whole,) = caller.results("conversations", {"interval": WEEK, "metrics": ["nOffered"]})["results"]
    assert whole["data"][0]["metrics"][0]["stats"]["count"] == 877 + 47 + 205 + 31


def test_anything_finer_is_generated(caller: SandboxClient, sample: list[Json]) -> None:
    """Days of the week, or a week that begins an hour later, are not the sample."""
    query: Json = {"interval": WEEK, "groupBy": ["queueId"], "metrics": ["nOffered"]}
    by_day = caller.results("conversations", {**query, "granularity": "P1D"})["results"]
    assert len(by_day[0]["data"]) > 1
    later = "2025-01-25T22:00:00.000Z/2025-02-01T22:00:00.000Z"
    assert comparable(caller.results("conversations", {**query, "interval": later})["results"]) != comparable(
        sample
    )


def test_the_week_is_not_known_before_it_is_over(sample: list[Json]) -> None:
    """As of its Wednesday, the sample has not happened, and a sandbox without replay never serves it."""
    query: Json = {"interval": WEEK, "groupBy": ["queueId"], "metrics": asked(sample)}
    early = Sandbox(now=SettableClock(datetime(2025, 1, 29, tzinfo=timezone.utc)))
    for sandbox in (early, Sandbox(Options(replay=False), now=SettableClock(END))):
        found = SandboxClient(sandbox).results("conversations", query)["results"]
        assert comparable(found) != comparable(sample)


@pytest.mark.parametrize("group_by", [["queueId"], ["queueId", "mediaType"], []])
def test_the_witness_agrees(sandbox: Sandbox, sample: list[Json], group_by: list[str]) -> None:
    """The witness tells the same week: one row a queue, key and numbers."""
    query: Json = {"group_by": group_by, "metrics": ["nOffered", "tHandle"], "granularity": "P7D"}
    rows = ExpectedRows(sandbox).rows(query, START, END)
    assert {row["media_type"] for row in rows} == {"voice"}
    assert sum(row["n_offered_count"] or 0 for row in rows) == 1160
    if group_by:
        second = next(row for row in rows if row["queue_id"] == sample[1]["group"]["queueId"])
        assert (second["t_handle_max"], second["t_handle_sum"]) == (1040810, 131580101)
        assert second["interval_start"] + "/" + second["interval_end"] == WEEK
