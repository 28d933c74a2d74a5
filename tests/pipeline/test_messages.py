"""Singer messages and the catalog: as recorded in snapshots, and the same if the SDK writes the rows."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from syrupy.extensions.json import JSONSnapshotExtension

from genesys_sandbox import Options, Sandbox, SettableClock
from tap_genesys_aggregates.singer.messages import MessageWriter
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.pipeline.running import config, run

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

NOW = SettableClock(datetime(2026, 3, 10, tzinfo=timezone.utc))
ONE_DAY = {"start_date": "2026-03-02T00:00:00Z", "end_date": "2026-03-03T00:00:00Z"}


@pytest.fixture
def as_json(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Snapshots as JSON files."""
    return snapshot.use_extension(JSONSnapshotExtension)


@pytest.mark.parametrize("api", ["results", "group_tree"])
def test_catalog(api: str, as_json: SnapshotAssertion) -> None:
    """The catalog of the default queries, the lookups and the ledger equals the snapshot."""
    tap = TapGenesysAggregates(config=config(api=api))
    assert tap.catalog_dict == as_json


@pytest.mark.parametrize("api", ["results", "group_tree"])
def test_first_messages(api: str, as_json: SnapshotAssertion) -> None:
    """The order of the messages, the first rows, the ledger and the state equal the snapshot."""
    settings = config(
        api=api, start_date="2026-03-02T09:00:00Z", end_date="2026-03-02T10:00:00Z", lookback_days=1
    )
    outcome = run(Sandbox(Options(volume=0.3), now=NOW), settings)
    assert outcome.error is None
    kinds = [f"{message['type']} {message.get('stream', '')}".strip() for message in outcome.messages]
    records = [message["record"] for message in outcome.messages if message["type"] == "RECORD"]
    assert {
        "order": kinds,
        "first": records[:2],
        "ledger": outcome.rows("extractions"),
        "state": outcome.state,
    } == as_json


def messages(**changes: Any) -> list[dict[str, Any]]:
    """The messages of a run without those of the ledger, and without the instants of writing."""
    catalog = changes.pop("catalog", None)
    outcome = run(Sandbox(Options(volume=0.2), now=NOW), config(**ONE_DAY, **changes), catalog=catalog)
    assert outcome.error is None
    kept = [message for message in outcome.messages if message.get("stream") != "extractions"]
    return [{name: part for name, part in message.items() if name != "time_extracted"} for message in kept]


@pytest.mark.parametrize("api", ["results", "group_tree"])
def test_the_sdk_writes_the_same_messages_as_the_tap(api: str) -> None:
    """With flattening enabled, the SDK writes row by row instead of the tap page by page."""
    by_tap = messages(api=api)
    assert len(by_tap) > 10
    assert messages(api=api, flattening_enabled=True, flattening_max_depth=1) == by_tap


@pytest.mark.parametrize("query", [{}, {"shape": "long", "name": "long"}, {"api": "group_tree"}], ids=str)
@pytest.mark.parametrize("every", [1, 2, 3])
def test_rows_without_deselected_columns_are_written_by_page_and_as_the_sdk_writes_them(
    query: dict[str, Any], every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every column, every other or every third one is deselected; those of the key stay."""
    api = query.pop("api", "results")
    changes = {"api": api, **({"queries": [{"preset": "queue_performance", **query}]} if query else {})}
    catalog = TapGenesysAggregates(config=config(**ONE_DAY, **changes)).catalog_dict
    for stream in catalog["streams"]:
        for entry in stream["metadata"][::every]:
            if entry["breadcrumb"] and stream["tap_stream_id"] != "extractions":
                entry["metadata"]["selected"] = False
    pages = []
    write_rows = MessageWriter.write_rows

    def counted(self: MessageWriter, stream: str, rows: Any, time_extracted: str) -> None:
        pages.append(len(rows))
        write_rows(self, stream, rows, time_extracted)

    monkeypatch.setattr(MessageWriter, "write_rows", counted)
    by_tap = messages(catalog=catalog, **changes)
    assert len(by_tap) > 10
    assert sum(pages) == sum(message["type"] == "RECORD" for message in by_tap)
    assert messages(catalog=catalog, flattening_enabled=True, flattening_max_depth=1, **changes) == by_tap


def test_a_stream_map_renames_a_stream_drops_a_column_and_adds_one() -> None:
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


def test_a_deselected_column_is_in_no_row_but_a_key_column_stays() -> None:
    settings = config(**ONE_DAY)
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
