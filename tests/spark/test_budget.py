"""The budget of requests: each organization has its own, and its tasks keep to it."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest

from genesys_sandbox import Options
from tests.spark.organizations import CALLS, organizations, reader

pytestmark = pytest.mark.slow

BUDGET = 60
QUERIES = [CALLS, {**CALLS, "name": "calls_by_media", "group_by": ["mediaType"]}]
FIRST, END = "2026-02-16", "2026-03-12"
"""Twenty-four windows of a day."""


def test_no_request_is_refused_at_60_a_minute_over_two_queries_and_consecutive_actions(spark: Any) -> None:
    """Three actions ask for more than a minute allows."""

    def now() -> datetime:
        return datetime.now(timezone.utc)

    options = Options(volume=0.02, requests_per_minute=BUDGET)
    settings = {
        "start_date": FIRST,
        "end_date": END,
        "max_window": "P1D",
        "queries": json.dumps(QUERIES),
    }
    with organizations(options, now) as served:
        for table in ("calls", "calls_by_media", "calls"):
            assert reader(spark, served, **settings).load(table).count() > 0
        for each in served:
            assert {entry.status for entry in each.sandbox.log} == {200}
            assert len(each.sandbox.log) > BUDGET
