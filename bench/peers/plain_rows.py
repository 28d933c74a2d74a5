"""Plain loops that turn a response into rows, one dict per row, for peers without a mechanism of their own.

The rows have the same columns as the tap's, including those that the tap adds. Each function takes one
element of the response's list of ``results`` or ``entities``.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from bench.query import METRICS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench.query import Api

_STATISTICS = {"n": ("count",), "t": ("max", "min", "count", "sum")}
LISTS: dict[Api, str] = {"results": "results", "group_tree": "entities"}
"""The property of a response that holds its list."""

DIMENSIONS: dict[Api, tuple[str, ...]] = {"results": ("queueId", "mediaType"), "group_tree": ("queue_id",)}
NUMBERS: dict[Api, tuple[str, ...]] = {
    "results": tuple(f"{name}_{each}" for name in METRICS["results"] for each in _STATISTICS[name[0]]),
    "group_tree": METRICS["group_tree"],
}


def rows_of_result(result: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of one result of the results API."""
    added = added_columns()
    for bucket in result["data"]:
        start, end = bucket["interval"].split("/")
        row = {"interval_start": start, "interval_end": end, **result["group"], **added}
        for metric in bucket["metrics"]:
            for name, value in metric["stats"].items():
                row[f"{metric['metric']}_{name}"] = value
        yield row


def rows_of_entity(entity: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of one entity of the group-tree API."""
    return _rows_of_node(entity, (), added_columns())


def _rows_of_node(
    node: dict[str, Any], ids: Sequence[str], added: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    if node["groups"]:
        for child in node["groups"]:
            yield from _rows_of_node(child, (*ids, node["id"]), added)
        return
    end = datetime.fromisoformat(node["id"].replace("Z", "+00:00")) + timedelta(minutes=30)
    row = {"interval_start": node["id"], "interval_end": end.isoformat(), "queue_id": ids[0], **added}
    for name, metric in node["metrics"].items():
        row[name] = metric["value"]
    yield row


def added_columns() -> dict[str, Any]:
    """Return the columns that the tap adds to each row."""
    return {"extracted_at": datetime.now(timezone.utc).isoformat(), "is_final": True}


ROWS: dict[Api, Callable[[dict[str, Any]], Iterator[dict[str, Any]]]] = {
    "results": rows_of_result,
    "group_tree": rows_of_entity,
}
