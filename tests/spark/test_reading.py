"""What a task reads equals the tap's RECORDs, value by value and column by column."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pyarrow as pa
import pytest

from genesys_sandbox import Fault, Options, Request, Response, Rule, Rules, Sandbox, SettableClock
from genesys_sandbox.faults import put
from tap_genesys_aggregates.config.queries import presets
from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.errors import TapError
from tap_genesys_aggregates.dialects.lookup_lists import lookups
from tests.pipeline.running import config
from tests.spark.reading import read, rows_of, rows_of_tap

NOW = datetime(2026, 3, 12, 5, tzinfo=timezone.utc)
CALLS: dict[str, Any] = {
    "name": "calls",
    "metrics": ["nOffered", "tHandle", "oServiceLevel"],
    "group_by": ["queueId"],
    "granularity": "PT1H",
}
VIEW = {"name": "short", "target": "tHandle", "function": "rangeBound", "range": {"gte": 0, "lt": 60_000}}
STATUS = {"preset": "agent_status", "name": "calls", "granularity": "PT6H"}
TREE = {"preset": "conversation_aggregates", "name": "calls"}
QUERIES: dict[str, dict[str, Any]] = {
    **{name: {"preset": name, "name": "calls"} for name in presets()},
    "plain": CALLS,
    "long rows": {**CALLS, "shape": "long"},
    "long rows with qualifiers": {**STATUS, "shape": "long", "metrics": ["tSystemPresence"]},
    "a view": {**CALLS, "views": [VIEW]},
    "a job": {**CALLS, "mode": "async"},
    "days of another time zone": {**CALLS, "granularity": "P1D", "time_zone": "America/St_Johns"},
    "a tree of two levels": {**TREE, "group_by": ["interval", "routing.queue.id", "user.id"]},
    "a tree without buckets": {**TREE, "group_by": ["routing.queue.id"], "granularity": "P1D"},
}


def sandbox(*rules: Rule, **options: Any) -> Sandbox:
    return Sandbox(
        Options(**{"volume": 0.1, **options}), now=SettableClock(NOW), faults=Rules(*rules) if rules else None
    )


def settings(query: dict[str, Any], **changes: Any) -> dict[str, Any]:
    api = "group_tree" if query.get("preset") == "conversation_aggregates" else "results"
    return config(
        api=api, start_date="2026-03-02", max_window="P31D", organization="acme", queries=[query], **changes
    )


def both(served: Sandbox, wanted: dict[str, Any], table: str = "calls") -> tuple[list[Any], list[Any]]:
    """The columns and values of every row, as a task reads them and as the tap does."""
    ours = rows_of(read(served, table, wanted))
    return [list(row.items()) for row in ours], [
        list(row.items()) for row in rows_of_tap(served, table, wanted)
    ]


@pytest.mark.parametrize("name", QUERIES)
def test_rows_equal_those_of_the_tap(name: str) -> None:
    """At the same instant, so that ``extracted_at`` and ``is_final`` are equal, too."""
    ours, tap = both(sandbox(), settings(QUERIES[name]))
    assert tap
    assert ours == tap


def test_users_are_asked_about_in_batches() -> None:
    served = sandbox(agents=230)
    ours, tap = both(served, settings(STATUS))
    assert len({dict(row)["user_id"] for row in tap}) > 200
    assert ours == tap


@pytest.mark.parametrize("table", ["extractions", *lookups()])
def test_the_ledger_and_lookups_equal_those_of_the_tap(table: str) -> None:
    wanted = settings(CALLS)
    wanted["queries"] = [CALLS, {**CALLS, "name": "days", "granularity": "P1D"}]
    ours, tap = both(sandbox(), wanted, table)
    assert tap
    assert ours == tap


def _pieces() -> Fault:
    """Each group comes twice: the first metric in one piece, the others in another."""

    def edit(_: Request, response: Response) -> Response:
        body = json.loads(response.body)
        found = []
        for result in body.get("results") or ():
            for part in (slice(1), slice(1, None)):
                data = [{**each, "metrics": each["metrics"][part]} for each in result["data"]]
                found.append({**result, "data": [each for each in data if each["metrics"]]})
        return replace(response, body=json.dumps({**body, "results": found}).encode())

    return Fault("pieces", edit=edit)


ODD: dict[str, tuple[list[Fault], dict[str, Any], dict[str, Any]]] = {
    "pieces": ([_pieces()], {}, CALLS),
    "counts as 3.0": (
        [put(("results", "*", "data", 0, "metrics", 0, "stats", "count"), 3.0)],
        {"volume": 1.0},
        {**CALLS, "metrics": ["tHandle"]},
    ),
    "offsets": ([], {"local_offsets": True}, {**CALLS, "time_zone": "Europe/Berlin"}),
    "dimensions that were not asked for": ([], {"unrequested_media_type": True}, CALLS),
    "ids left out": ([], {"omit_ids": True}, TREE),
    "empty pages": ([], {"empty_pages": True}, TREE),
    "levels as asked for": ([], {"nesting": "as_requested"}, TREE),
    "answers that are too large": ([], {"max_results": 40}, CALLS),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_answers_give_the_rows_of_the_tap(name: str) -> None:
    faults, options, query = ODD[name]
    rules = [Rule(fault, match="aggregates/query", times=None) for fault in faults]
    ours, tap = both(sandbox(*rules, **options), settings(query))
    assert tap
    assert ours == tap


@pytest.mark.parametrize("query", [CALLS, {**CALLS, "views": [VIEW]}], ids=["plain", "odd"])
def test_every_batch_has_the_declared_schema(query: dict[str, Any]) -> None:
    batches = read(sandbox(), "calls", settings(query))
    assert len(batches) > 1
    (schema,) = {batch.schema for batch in batches}
    assert schema.field("interval_start") == pa.field(
        "interval_start", pa.timestamp("us", "UTC"), nullable=False
    )
    assert schema.field("n_offered_count") == pa.field("n_offered_count", pa.int64())
    assert schema.field("t_handle_sum") == pa.field("t_handle_sum", pa.float64())
    assert schema.field("is_final") == pa.field("is_final", pa.bool_())
    assert all(len(batch) for batch in batches)
    for batch in batches:
        batch.validate(full=True)


@pytest.mark.parametrize("query", [CALLS, {**CALLS, "views": [VIEW]}], ids=["plain", "odd"])
@pytest.mark.parametrize(
    ("statistic", "value", "told"),
    [
        ("count", 2**63 - 1, None),
        ("count", 2**63, "9223372036854775808"),
        ("count", 2.5, r"query 'calls', window \S+: column t_handle_count is a count, but"),
        ("sum", 2**53, None),
        ("sum", 1e300, None),
        ("sum", 2**53 + 1, "query 'calls': t_handle_sum is 9007199254740993, which a double does not hold"),
    ],
)
def test_a_number_is_exact_or_refused(
    query: dict[str, Any], statistic: str, value: float, told: str | None
) -> None:
    place = ("results", "*", "data", 0, "metrics", 0, "stats", statistic)
    served = sandbox(Rule(put(place, value), match="aggregates/query", times=None))
    wanted = settings({**query, "metrics": ["tHandle"]})
    if told is None:
        rows = rows_of(read(served, "calls", wanted))
        assert value in {row[f"t_handle_{statistic}"] for row in rows}
        return
    with pytest.raises(TapError, match=told):
        read(served, "calls", wanted)


@pytest.mark.parametrize(
    ("now", "end_date", "last"),
    [
        ("2026-03-09T14:30", None, "2026-03-09T14:00:00.000Z"),
        ("2026-03-09T14:30", "2026-03-09T10:00", "2026-03-09T10:00:00.000Z"),
        ("2026-03-09T14:30", "2026-03-10T10:00", "2026-03-09T14:00:00.000Z"),
        ("2026-03-20T00:00", None, "2026-03-12T05:00:00.000Z"),
    ],
)
def test_nothing_is_read_after_the_time_on_the_driver(now: str, end_date: str | None, last: str) -> None:
    """Then all organizations and actions read the same period. The server's clock counts, too."""
    wanted = settings(CALLS, end_date=end_date)
    rows = rows_of(read(sandbox(volume=3.0), "extractions", wanted, instants.parse(now)))
    assert max(row["window_end"] for row in rows) == last
