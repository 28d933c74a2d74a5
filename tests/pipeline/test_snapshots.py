"""What a target and a catalog see: a change of a name, a type or an order shows here in words."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest
from syrupy.extensions.json import JSONSnapshotExtension

from genesys_sandbox import Options, Sandbox, SettableClock
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.pipeline.running import config, run

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

NOW = SettableClock(datetime(2026, 3, 10, tzinfo=timezone.utc))


@pytest.fixture
def as_json(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Snapshots as JSON files."""
    return snapshot.use_extension(JSONSnapshotExtension)


@pytest.mark.parametrize("api", ["results", "group_tree"])
def test_catalog(api: str, as_json: SnapshotAssertion) -> None:
    """The catalog of a contract's default queries, look-ups and ledger is what it was."""
    tap = TapGenesysAggregates(config=config(api=api))
    assert tap.catalog_dict == as_json


@pytest.mark.parametrize("api", ["results", "group_tree"])
def test_first_messages(api: str, as_json: SnapshotAssertion) -> None:
    """The first rows, the ledger's line and the first STATE are what they were, in this order."""
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
