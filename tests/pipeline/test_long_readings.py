"""What is read beside a run, such as for reconciling, takes as few requests as a run does."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from genesys_sandbox import ExpectedRows, Options, Sandbox
from genesys_sandbox.in_process import InProcessAdapter
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tap_genesys_aggregates.warehouse.reconcile import by_day
from tests.pipeline.running import ManualClock, config, multiset

if TYPE_CHECKING:
    import requests

NOW = datetime(2026, 12, 1, tzinfo=timezone.utc)
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
QUERY = {"name": "calls", "metrics": ["nOffered"], "group_by": ["queueId"], "granularity": "PT30M"}


def test_a_year_of_days_takes_few_requests() -> None:
    """Windows grow while answers are small, here too: not a request a day."""
    sandbox = Sandbox(Options(volume=0.01), now=lambda: NOW)

    def mount(session: requests.Session) -> None:
        session.mount("https://", InProcessAdapter(sandbox))

    settings = config(queries=[QUERY], start_date=START.isoformat(), max_window="P31D")
    tap = TapGenesysAggregates(config=settings, clock=ManualClock(NOW), mount=mount)
    extractor = tap.extractor(by_day(tap.settings.queries[0]))
    stop = START + timedelta(days=300)
    rows = list(extractor.rows(START, stop))
    assert (
        multiset(rows)
        == multiset(ExpectedRows(sandbox).rows({**QUERY, "granularity": "P1D"}, START, stop))
        != {}
    )
    assert len(sandbox.log) < 300 / 10
