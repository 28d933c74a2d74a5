"""What is known of the real API: the 20 aggregate families, how metrics are measured, and the sample week.

The sample week is a real response with one bucket for six queues. It is replayed for conversations queries
whose interval is exactly that week, in any offset, and whose granularity is none or at least a week.
Every other query is answered from generated events.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

from genesys_sandbox.timestamps import from_text, to_ms

_HERE = Path(__file__).resolve().parent
# The list of families exists once, in the tap. The sandbox only ever runs from a clone, so it reads that
# file where it lies instead of importing the tap.
_FAMILIES = _HERE.parent / "tap_genesys_aggregates" / "data" / "aggregates.json"
_SAMPLE_WEEK = _HERE / "data" / "results-voice-week.json"

TARGET = 0.8
"""The service level target of every queue in the sandbox."""


class Kind(Enum):
    """What a metric measures. Its first letter tells, except for ratios."""

    COUNT = "n"
    TIMER = "t"
    AMOUNT = "o"
    RATIO = "o/o"


@dataclass(frozen=True, slots=True)
class FamilySpec:
    """One family: its paths and permissions, and the names it accepts. One family has jobs only, no path."""

    name: str
    path: str | None
    jobs_path: str | None
    permissions: tuple[str, ...]
    top_n: bool
    alternate_times: frozenset[str]
    group_by: frozenset[str]
    filter_dimensions: frozenset[str]
    metrics: tuple[str, ...]


@cache
def families() -> dict[str, FamilySpec]:
    """Return every family by its name."""
    table = json.loads(_FAMILIES.read_text(encoding="utf-8"))
    return {
        name: FamilySpec(
            name=name,
            path=entry["path"],
            jobs_path=entry["async_jobs"],
            permissions=tuple(entry["permissions_any"]),
            top_n=entry["top_n"],
            alternate_times=frozenset(entry["alternate_time_dimensions"]),
            group_by=frozenset(entry["group_by"]),
            filter_dimensions=frozenset(entry["filter_dimensions"]),
            metrics=tuple(entry["metrics"]),
        )
        for name, entry in table.items()
    }


@cache
def kind(metric: str) -> Kind:
    """Return how a metric is measured: `n` counts, `t` milliseconds, `o` amounts or ratios."""
    if metric[0] == "o":
        share = metric.endswith("ServiceLevel") or metric == "oServiceTarget"
        return Kind.RATIO if share else Kind.AMOUNT
    return Kind(metric[0])


SAMPLE_START = to_ms(from_text("2025-01-25T21:00:00.000Z"))
SAMPLE_END = to_ms(from_text("2025-02-01T21:00:00.000Z"))


def is_sample_week(start: int, end: int, as_of: int) -> bool:
    """Whether an interval is the sample week and that week is over."""
    return start == SAMPLE_START and end == SAMPLE_END and as_of >= SAMPLE_END


@cache
def sample_week() -> dict[str, Any]:
    """Return the body of the recorded response."""
    recorded: dict[str, Any] = json.loads(_SAMPLE_WEEK.read_text(encoding="utf-8"))
    return recorded
