"""Rows go out a page at a time, or by the SDK's own path where one of its features is in use."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from genesys_sandbox import Options, Sandbox, SettableClock
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.pipeline.running import config, run

NOW = SettableClock(datetime(2026, 3, 10, tzinfo=timezone.utc))
PERIOD = {"start_date": "2026-03-02T00:00:00Z", "end_date": "2026-03-03T00:00:00Z"}


def messages(**changes: Any) -> list[dict[str, Any]]:
    """What a run writes, without the instants at which it wrote."""
    catalog = changes.pop("catalog", None)
    outcome = run(Sandbox(Options(volume=0.2), now=NOW), config(**PERIOD, **changes), catalog=catalog)
    assert outcome.error is None
    kept = [message for message in outcome.messages if message.get("stream") != "extractions"]
    return [{name: part for name, part in message.items() if name != "time_extracted"} for message in kept]


@pytest.mark.parametrize("api", ["results", "group_tree"])
def test_both_paths_write_the_same(api: str) -> None:
    """With flattening on, the SDK writes the rows: the same messages in the same order."""
    fast = messages(api=api)
    assert len(fast) > 10
    assert messages(api=api, flattening_enabled=True, flattening_max_depth=1) == fast


def test_stream_maps_work() -> None:
    """A stream map of the SDK's renames a stream, drops a column and adds another."""
    maps = {
        "queue_performance": {
            "__alias__": "queues",
            "n_error_count": None,
            "twice": "(n_offered_count or 0) * 2",
        }
    }
    written = messages(stream_maps=maps, queries=[{"preset": "queue_performance"}])
    rows = [message["record"] for message in written if message["type"] == "RECORD"]
    assert {message["stream"] for message in written if message["type"] != "STATE"} == {"queues"}
    assert all("n_error_count" not in row for row in rows)
    assert any(row["n_offered_count"] and row["twice"] == row["n_offered_count"] * 2 for row in rows)


def test_deselected_column_stays_out() -> None:
    """A column that the catalog deselects is in no row; the key cannot be deselected."""
    settings = config(**PERIOD)
    catalog = TapGenesysAggregates(config=settings).catalog_dict
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            if entry["breadcrumb"] in (["properties", "n_offered_count"], ["properties", "queue_id"]):
                entry["metadata"]["selected"] = False
            elif entry["breadcrumb"] == []:
                entry["metadata"]["selected"] = stream["tap_stream_id"] == "queue_performance"
    rows = [message["record"] for message in messages(catalog=catalog) if message["type"] == "RECORD"]
    assert rows
    assert all("n_offered_count" not in row and row["queue_id"] for row in rows)
