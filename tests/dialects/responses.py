"""Queries, windows and responses for the tests of the dialects, and the rows that they should make."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

from tap_genesys_aggregates.core.periods import Period
from tap_genesys_aggregates.core.query import Query
from tap_genesys_aggregates.core.rows import RowMaker, Stamp, UniqueKeys
from tap_genesys_aggregates.core.windows import Window
from tap_genesys_aggregates.dialects import dialect_of
from tap_genesys_aggregates.extract.split_groups import merged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_genesys_aggregates.core.rows import Row
    from tap_genesys_aggregates.dialects.protocol import Dialect

Part = dict[str, Any]
"""A part of a results response."""
Node = dict[str, Any]
"""A node of a group tree."""
STAMP = Stamp("2030-01-08T00:00:00.000Z", "2030-01-01T00:00:00.000Z")

TREE = Query(
    name="tree",
    api="group_tree",
    path="/api/v2/analytics/conversations/aggregate/query",
    group_by=("interval", "routing.queue.id"),
    metrics=("conversationCount", "handleDurationSum"),
    granularity=Period.parse("PT1H"),
    window=Period.parse("P1D"),
    lookback=timedelta(days=7),
    zone=ZoneInfo("UTC"),
    anchor=date(2023, 11, 1),
)
RESULTS = replace(
    TREE,
    name="calls",
    api="results",
    path="/api/v2/analytics/conversations/aggregates/query",
    endpoint="conversations",
    group_by=("queueId",),
    metrics=("nOffered", "tHandle"),
)


def tree(*group_by: str, **changes: object) -> Query:
    """A query of the group-tree API, grouped by these names."""
    return replace(TREE, group_by=group_by, **changes)  # type: ignore[arg-type]


def results(**changes: object) -> Query:
    """A query of the results API; by default, calls by queue and hour."""
    return replace(RESULTS, **changes)  # type: ignore[arg-type]


def window(start: str = "2023-11-01T00:00:00", end: str = "2023-11-02T00:00:00") -> Window:
    """A window; by default, November 1."""
    return Window(*(datetime.fromisoformat(each).replace(tzinfo=timezone.utc) for each in (start, end)))


def hour(number: int) -> str:
    """An hour of November 1, as 24 characters."""
    return f"2023-11-{1 + number // 24:02d}T{number % 24:02d}:00:00.000Z"


def body(response: object) -> bytes:
    """A response as bytes; bytes are left unchanged."""
    return response if isinstance(response, bytes) else json.dumps(response).encode()


def _leaf_by_leaf(query: Query) -> Dialect:
    """The dialect of a query, without the fast reader for plain responses."""
    dialect = dialect_of(query)
    dialect._blocks._plain = False  # type: ignore[attr-defined]  # noqa: SLF001
    return dialect


def rows(query: Query, *responses: object, of: Window | None = None) -> list[Row]:
    """The rows of a window, without ``extracted_at`` and ``is_final``.

    A response that is read column by column is read leaf by leaf too: the rows must be identical.
    """
    dialect, slow_dialect = dialect_of(query), _leaf_by_leaf(query)
    maker = RowMaker(query)
    for response in responses:
        page = dialect.read(body(response), of or window())
        if page.block is not None:
            again = slow_dialect.read(body(response), of or window())
            assert (again.next, again.total, again.entities) == (page.next, page.total, page.entities)
            made = [maker.row(leaf, STAMP) for leaf in page.leaves]
            assert [maker.row(leaf, STAMP) for leaf in again.leaves] == made
            assert [msgspec.to_builtins(each) for each in maker.rows(page.block, STAMP)] == made
    pages = merged([dialect.read(body(each), of or window()) for each in responses], UniqueKeys(query))
    found = [maker.row(leaf, STAMP) for page in pages for leaf in page.leaves]
    for row in found:
        assert (row.pop("extracted_at"), row.pop("is_final")) == (STAMP.extracted_at, True)
    return found


def results_response(*buckets: Part, group: Mapping[str, object] | None = None) -> Part:
    """A results response with one group."""
    return {"results": [{"group": {"queueId": "q1"} if group is None else group, "data": list(buckets)}]}


def bucket(number: int, *metrics: Part, **more: object) -> Part:
    """A bucket of the results API, one hour long."""
    return {"interval": f"{hour(number)}/{hour(number + 1)}", "metrics": list(metrics), **more}


def metric(name: str, qualifier: str | None = None, **stats: float | None) -> Part:
    """A metric of the results API with its statistics."""
    return {"metric": name, **({"qualifier": qualifier} if qualifier else {}), "stats": stats}


def results_row(number: int, queue: str = "q1", **numbers: float) -> Row:
    """The row of an hour; numbers that are not given are null."""
    empty = dict.fromkeys(
        ("n_offered_count", *(f"t_handle_{each}" for each in ("count", "sum", "min", "max")))
    )
    assert numbers.keys() <= empty.keys()
    fixed = {"interval_start": hour(number), "queue_id": queue, "interval_end": hour(number + 1)}
    return {**fixed, **empty, **numbers}


def node(name: str | None, count: int | None = None, *groups: Node) -> Node:
    """A node of the group tree with one metric."""
    metrics = {} if count is None else {"conversationCount": {"value": count}}
    return {"id": name, "metrics": metrics, "groups": list(groups)}


def tree_row(start: int, queue: str, count: float | None, handled: float | None = None) -> Row:
    """The row of an hour of the group tree."""
    return {
        "interval_start": hour(start),
        "routing_queue_id": queue,
        "interval_end": hour(start + 1),
        "conversation_count": count,
        "handle_duration_sum": handled,
    }
