"""Rows in the plain way, for every peer that has no way of its own: loops, a dict a row, recursion.

They have the columns of the tap's rows, those that it adds included. An answer is a list of ``results`` or
of ``entities``; one of its elements becomes rows.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from bench.asking import METRICS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench.asking import Api

_STATISTICS = {"n": ("count",), "t": ("max", "min", "count", "sum")}
LISTS: dict[Api, str] = {"results": "results", "group_tree": "entities"}
"""Where an answer has its list."""

DIMENSIONS: dict[Api, tuple[str, ...]] = {"results": ("queueId", "mediaType"), "group_tree": ("queue_id",)}
NUMBERS: dict[Api, tuple[str, ...]] = {
    "results": tuple(f"{name}_{each}" for name in METRICS["results"] for each in _STATISTICS[name[0]]),
    "group_tree": METRICS["group_tree"],
}


def of_result(result: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of one result of the results contract."""
    added = stamp()
    for bucket in result["data"]:
        start, end = bucket["interval"].split("/")
        row = {"interval_start": start, "interval_end": end, **result["group"], **added}
        for metric in bucket["metrics"]:
            for name, value in metric["stats"].items():
                row[f"{metric['metric']}_{name}"] = value
        yield row


def of_entity(entity: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of one entity of the group-tree contract."""
    return _of_node(entity, (), stamp())


def _of_node(node: dict[str, Any], ids: Sequence[str], added: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if node["groups"]:
        for child in node["groups"]:
            yield from _of_node(child, (*ids, node["id"]), added)
        return
    end = datetime.fromisoformat(node["id"].replace("Z", "+00:00")) + timedelta(minutes=30)
    row = {"interval_start": node["id"], "interval_end": end.isoformat(), "queue_id": ids[0], **added}
    for name, metric in node["metrics"].items():
        row[name] = metric["value"]
    yield row


def stamp() -> dict[str, Any]:
    """What the tap adds to each row."""
    return {"extracted_at": datetime.now(timezone.utc).isoformat(), "is_final": True}


ROWS: dict[Api, Callable[[dict[str, Any]], Iterator[dict[str, Any]]]] = {
    "results": of_result,
    "group_tree": of_entity,
}
