"""Answers of the results contract, and the rows that they should make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.dialects.making import hour

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_genesys_aggregates.core.rows import Row

Part = dict[str, Any]


def answer(*buckets: Part, group: Mapping[str, object] | None = None) -> Part:
    """An answer of one group."""
    return {"results": [{"group": {"queueId": "q1"} if group is None else group, "data": list(buckets)}]}


def bucket(number: int, *metrics: Part, **more: object) -> Part:
    """The bucket of an hour."""
    return {"interval": f"{hour(number)}/{hour(number + 1)}", "metrics": list(metrics), **more}


def metric(name: str, qualifier: str | None = None, **stats: float | None) -> Part:
    """A metric and its statistics."""
    return {"metric": name, **({"qualifier": qualifier} if qualifier else {}), "stats": stats}


def row(number: int, queue: str = "q1", **numbers: float) -> Row:
    """The row of an hour; numbers that are not named are null."""
    empty = dict.fromkeys(
        ("n_offered_count", *(f"t_handle_{each}" for each in ("count", "sum", "min", "max")))
    )
    assert numbers.keys() <= empty.keys()
    begin = {"interval_start": hour(number), "queue_id": queue, "interval_end": hour(number + 1)}
    return {**begin, **empty, **numbers}
