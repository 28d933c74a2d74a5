"""The witness and the group-tree answers tell the same rows."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

import pytest

from genesys_sandbox import ExpectedRows, Options, Sandbox, SandboxClient
from genesys_sandbox.timestamps import to_ms, to_text

Json = dict[str, Any]

START = datetime(2025, 6, 3, tzinfo=timezone.utc)
END = datetime(2025, 6, 4, tzinfo=timezone.utc)


def column(name: str) -> str:
    """A name in snake case."""
    return re.sub("([A-Z])", r"_\1", name.replace(".", "_")).lower()


def in_order(rows: list[Json]) -> list[Json]:
    """Rows by their texts."""
    return sorted(rows, key=lambda row: [str(value) for value in row.values()])


def leaf_rows(node: Json, above: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """The leaves of a tree, with the ids that lead to them."""
    path = (*above, node.get("id", "unknown"))
    below = [row for group in node["groups"] for row in leaf_rows(group, path)]
    return below or [(path, {name: cell["value"] for name, cell in node["metrics"].items()})]


@pytest.mark.parametrize("dimensions", [[], ["routing.queue.id"], ["user.id", "mediaType", "direction"]])
@pytest.mark.parametrize("omit", [False, True])
def test_group_tree_rows(noon: datetime, dimensions: list[str], omit: bool) -> None:  # noqa: FBT001
    """Every leaf is a row of the witness: ids, `unknown` for what is not set, and the metrics."""
    sandbox = Sandbox(Options(omit_ids=omit), now=lambda: noon)
    metrics = ["conversationCount", "abandonCount", "handleDurationSum", "waitDurationSum", "holdDurationSum"]
    predicate = {"type": "dimension", "dimension": "mediaType", "operator": "notEquals", "value": "chat"}
    clause = {"type": "conversation", "expression": {"type": "and", "clauses": [predicate]}}
    query = {"api": "group_tree", "group_by": dimensions, "metrics": metrics, "granularity": "PT4H"}
    body = {
        "dateFrom": to_text(to_ms(START)),
        "dateTo": to_text(to_ms(END)),
        "groupBy": ["interval", *dimensions],
        "interval": "PT4H",
        "metrics": metrics,
        "filter": clause,
    }
    answered = [
        {"interval_start": path[-1], **dict(zip(map(column, dimensions), path[:-1], strict=True)), **cells}
        for page in SandboxClient(sandbox).tree_pages(body)
        for entity in page["entities"]
        for path, cells in leaf_rows(entity, ())
    ]
    witnessed = []
    for row in ExpectedRows(sandbox).rows({**query, "filter": clause}, START, END):
        assert row.pop("interval_end") > row["interval_start"]
        cells = {metric: row.pop(column(metric)) for metric in metrics}
        witnessed.append({**row, **{name: value for name, value in cells.items() if value is not None}})
    assert len(witnessed) > 3
    assert in_order(witnessed) == in_order(answered)
