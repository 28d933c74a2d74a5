"""The extractor reads a period of one query with a client alone, without a tap or a stream."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from genesys_sandbox import ExpectedRows, Options, Sandbox
from genesys_sandbox.in_process import InProcessAdapter
from tap_genesys_aggregates.client import Client
from tap_genesys_aggregates.config.settings import Settings
from tap_genesys_aggregates.extract.extractor import Extractor
from tap_genesys_aggregates.extract.lookup_list import lookup_lists
from tap_genesys_aggregates.extract.user_batches import UserBatches
from tap_genesys_aggregates.warehouse.reconcile import by_day
from tests.pipeline.running import ManualClock, config, multiset, run

if TYPE_CHECKING:
    import requests

NOW = datetime(2026, 12, 1, tzinfo=timezone.utc)
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
CALLS = {"name": "calls", "metrics": ["nOffered"], "group_by": ["queueId"], "granularity": "PT30M"}
QUERIES: dict[str, dict[str, Any]] = {
    "query": CALLS,
    "asynchronous query": {**CALLS, "mode": "async"},
    "query that names users": {"preset": "agent_status", "granularity": "P1D"},
}


def client_of(sandbox: Sandbox, settings: dict[str, Any]) -> Client:
    """A client that sends its requests to a sandbox."""

    def mount(session: requests.Session) -> None:
        session.mount("https://", InProcessAdapter(sandbox))

    return Client(Settings.read(settings), ManualClock(NOW), mount)


@pytest.mark.parametrize("kind", QUERIES)
def test_an_extractor_without_a_tap_brings_the_rows_that_the_tap_writes(kind: str) -> None:
    sandbox, stop = Sandbox(Options(volume=0.1), now=lambda: NOW), START + timedelta(days=3)
    settings = config(queries=[QUERIES[kind]], start_date=START.isoformat(), end_date=stop.isoformat())
    client = client_of(sandbox, settings)
    (query,) = client.settings.queries
    extractor = Extractor(query, client, UserBatches(lookup_lists(client)))
    rows = list(extractor.rows(START, stop))
    client.close()
    outcome = run(sandbox, settings, time=ManualClock(NOW))
    assert outcome.error is None
    assert multiset(rows) == multiset(outcome.rows(query.name)) != {}


def test_a_long_period_grows_its_windows_and_takes_few_requests() -> None:
    sandbox, stop = Sandbox(Options(volume=0.01), now=lambda: NOW), START + timedelta(days=300)
    client = client_of(sandbox, config(queries=[CALLS], start_date=START.isoformat(), max_window="P31D"))
    (query,) = client.settings.queries
    extractor = Extractor(by_day(query), client, UserBatches(lookup_lists(client)))
    rows = list(extractor.rows(START, stop))
    client.close()
    expected = ExpectedRows(sandbox).rows({**CALLS, "granularity": "P1D"}, START, stop)
    assert multiset(rows) == multiset(expected) != {}
    assert len(sandbox.log) < 300 / 10


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "tap"),
    [
        ("tap_genesys_aggregates.extract.extractor", "singer_sdk.tap_base"),
        ("tap_genesys_aggregates.client", "tap_genesys_aggregates.tap"),
        ("tap_genesys_aggregates.client", "tap_genesys_aggregates.streams"),
    ],
)
def test_importing_the_extractor_or_the_client_imports_no_tap(module: str, tap: str) -> None:
    """The client imports the SDK's paginator, and with it the SDK's own tap, but not this one."""
    script = f"import sys, {module}; sys.exit({tap!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
