"""Trees of the group-tree contract, and the rows that they should make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.dialects.making import hour

if TYPE_CHECKING:
    from tap_genesys_aggregates.core.rows import Row

Node = dict[str, Any]


def node(name: str | None, count: int | None = None, *groups: Node) -> Node:
    """A group with one metric."""
    metrics = {} if count is None else {"conversationCount": {"value": count}}
    return {"id": name, "metrics": metrics, "groups": list(groups)}


def row(start: int, queue: str, count: float | None, handled: float | None = None) -> Row:
    """The row of an hour."""
    return {
        "interval_start": hour(start),
        "routing_queue_id": queue,
        "interval_end": hour(start + 1),
        "conversation_count": count,
        "handle_duration_sum": handled,
    }
