"""Every family, in both shapes, to the number."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from genesys_sandbox import ExpectedRows, Options, Sandbox, SettableClock
from tap_genesys_aggregates.config.families import families
from tap_genesys_aggregates.config.queries import presets
from tests.pipeline.running import config, multiset, run

pytestmark = pytest.mark.slow

START, END = datetime(2026, 3, 2, tzinfo=timezone.utc), datetime(2026, 3, 4, tzinfo=timezone.utc)
NOW = SettableClock(datetime(2026, 3, 20, tzinfo=timezone.utc))
SHAPES = ("wide", "long")


def query(family: str, shape: str) -> dict[str, Any]:
    """A query of a family with all its metrics, by its first dimensions."""
    known = families()[family]
    return {
        "name": f"{family}_{shape}",
        "endpoint": family,
        "group_by": list(known.group_by[:2]),
        "metrics": list(known.metrics),
        "granularity": "PT6H",
        "shape": shape,
    }


@pytest.mark.parametrize("family", families())
def test_family_in_both_shapes(family: str) -> None:
    """All of a family's metrics arrive as the facts have them, wide and long, no key twice."""
    sandbox = Sandbox(Options(volume=0.2), now=NOW)
    queries = [query(family, shape) for shape in SHAPES]
    settings = config(queries=queries, start_date="2026-03-02", end_date="2026-03-04")
    outcome = run(sandbox, settings)
    assert outcome.error is None
    for each in queries:
        truth = ExpectedRows(sandbox).rows(each, START, END)
        assert truth
        assert multiset(outcome.rows(each["name"])) == multiset(truth)


@pytest.mark.parametrize("name", [name for name, each in presets().items() if each["api"] == "results"])
def test_preset(name: str) -> None:
    """A preset needs no more than its name, and brings what the facts have."""
    sandbox = Sandbox(Options(volume=0.2), now=NOW)
    outcome = run(sandbox, config(queries=[{"preset": name}], start_date="2026-03-02", end_date="2026-03-04"))
    assert outcome.error is None
    truth = ExpectedRows(sandbox).rows({**presets()[name], "name": name}, START, END)
    assert multiset(outcome.rows(name)) == multiset(truth)


def test_views_and_top_n() -> None:
    """Views come as columns of their own, topN as the groups that rank first."""
    sandbox = Sandbox(now=NOW)
    queries: list[dict[str, Any]] = [
        {
            "name": "short_calls",
            "group_by": ["queueId"],
            "metrics": ["tTalkComplete"],
            "granularity": "P1D",
            "views": [
                {
                    "name": "under_a_minute",
                    "target": "tTalkComplete",
                    "function": "rangeBound",
                    "range": {"gte": 0, "lt": 60000},
                }
            ],
        },
        {
            "name": "busiest",
            "group_by": ["queueId"],
            "metrics": ["nOffered"],
            "granularity": "P1D",
            "query_type": "topN",
            "sort_metric": {"name": "nOffered", "function": "count"},
            "limit": 2,
        },
    ]
    outcome = run(sandbox, config(queries=queries, start_date="2026-03-02", end_date="2026-03-04"))
    assert outcome.error is None
    for each in queries:
        rows = outcome.rows(str(each["name"]))
        assert rows
        assert multiset(rows) == multiset(ExpectedRows(sandbox).rows(each, START, END))
