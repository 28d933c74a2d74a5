"""The witness's rows: key columns, then a column for each metric and statistic, or a row for each metric."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from genesys_sandbox.instants import to_text
from genesys_sandbox.witness_facts import Values, wide_statistics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Found: TypeAlias = "dict[tuple[int, tuple[str, ...], str], dict[str, Values]]"
"""What was measured, by bucket number, group and qualifier; then by metric or view."""

Tree: TypeAlias = "dict[tuple[int, tuple[str, ...]], dict[str, float]]"
"""What was measured in the group-tree contract, by bucket number and group; then by metric."""

_VIEW = "tView"
_LONG = (
    "max min sum current ratio numerator denominator target count count_negative count_positive p95 p99"
    " calculated_metric_value"
)


@cache
def snake(name: str) -> str:
    """The column of a name: `nOverSla` → `n_over_sla`, `routing.queue.id` → `routing_queue_id`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name.replace(".", "_")).lower()


def tree_dimensions(query: Mapping[str, Any]) -> tuple[str, ...]:
    """The dimensions of a group-tree query; the interval is none of them."""
    return tuple(name for name in query.get("group_by") or () if name != "interval")


def wide_rows(
    found: Found, boundaries: Sequence[int], query: Mapping[str, Any], dimensions: Sequence[str]
) -> list[dict[str, Any]]:
    """One row for each bucket, group and, for users, qualifier."""
    return [
        {**_key(bucket, group, boundaries, dimensions), **_qualified(query, qualifier), **_wide(query, row)}
        for (bucket, group, qualifier), row in sorted(found.items(), key=_by_key)
    ]


def long_rows(
    found: Found, boundaries: Sequence[int], query: Mapping[str, Any], dimensions: Sequence[str]
) -> list[dict[str, Any]]:
    """One row for each bucket, group, metric or view, and qualifier, with all fourteen statistics."""
    rows = []
    views = {view["name"] for view in query.get("views") or ()}
    for (bucket, group, qualifier), row in sorted(found.items(), key=_by_key):
        for name, values in sorted(row.items()):
            statistics = values.statistics(_VIEW if name in views else name)
            rows.append(
                {
                    **_key(bucket, group, boundaries, dimensions),
                    "metric": name,
                    "qualifier": qualifier,
                    **{column: statistics.get(column) for column in _LONG.split()},
                }
            )
    return rows


def tree_rows(tree: Tree, boundaries: Sequence[int], query: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row for each bucket and group, one number a metric."""
    return [
        {
            **_key(bucket, group, boundaries, tree_dimensions(query)),
            **{snake(metric): row.get(metric) for metric in query["metrics"]},
        }
        for (bucket, group), row in sorted(tree.items())
    ]


def _by_key(entry: tuple[tuple[int, tuple[str, ...], str], object]) -> tuple[int, tuple[str, ...], str]:
    return entry[0]


def _key(
    bucket: int, group: Sequence[str], boundaries: Sequence[int], dimensions: Sequence[str]
) -> dict[str, str]:
    return {
        "interval_start": to_text(boundaries[bucket]),
        "interval_end": to_text(boundaries[bucket + 1]),
        **{snake(name): value for name, value in zip(dimensions, group, strict=True)},
    }


def _qualified(query: Mapping[str, Any], qualifier: str) -> dict[str, str]:
    return {"qualifier": qualifier} if query.get("endpoint") == "users" else {}


def _wide(query: Mapping[str, Any], row: Mapping[str, Values]) -> dict[str, float | None]:
    columns: dict[str, float | None] = {}
    named = [(metric, metric) for metric in query["metrics"]]
    named += [(view["name"], _VIEW) for view in query.get("views") or ()]
    for name, measured_as in named:
        statistics = row[name].statistics(measured_as) if name in row else {}
        for statistic in wide_statistics(measured_as):
            columns[f"{snake(name)}_{statistic}"] = statistics.get(statistic)
    return columns
