"""The real week of the sample, replayed to the number.

It is one bucket for six queues, so it can be served only as one bucket: to a conversations query whose
interval is exactly that week (in any offset) and whose granularity is none, or no shorter than the week.
A finer query, or another interval that touches the week, is answered from generated facts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from genesys_sandbox.cells import Cell
from genesys_sandbox.contract import Kind, kind
from genesys_sandbox.instants import from_text, to_ms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genesys_sandbox.buckets import Granularity

START = to_ms(from_text("2025-01-25T21:00:00.000Z"))
END = to_ms(from_text("2025-02-01T21:00:00.000Z"))


@dataclass(frozen=True, slots=True)
class Posting:
    """One metric of one queue over the whole week."""

    group: Mapping[str, str]
    metric: str
    cell: Cell


def is_sample_week(start: int, end: int, as_of: int) -> bool:
    """Whether an interval is the sample's, seen when it was over."""
    return start == START and end == END and as_of >= END


def one_bucket(granularity: Granularity | None) -> bool:
    """Whether buckets of a granularity take in the whole week."""
    return granularity is None or granularity.at_least(END - START)


@cache
def document() -> dict[str, Any]:
    """The sample as it was recorded: an answer's body."""
    source = resources.files("genesys_sandbox") / "data" / "results-voice-week.json"
    answer: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
    return answer


@cache
def postings() -> tuple[Posting, ...]:
    """The sample, one posting for a queue and a metric."""
    return tuple(
        Posting(result["group"], entry["metric"], _cell(entry["metric"], entry["stats"]))
        for result in document()["results"]
        for entry in result["data"][0]["metrics"]
    )


def _cell(metric: str, stats: Mapping[str, int]) -> Cell:
    if kind(metric) is Kind.RATIO:
        return Cell(stats["denominator"], stats["numerator"], 0, 1)
    count = stats["count"]
    if kind(metric) is Kind.COUNT:
        return Cell(count, count, 1, 1)
    return Cell(count, stats["sum"], stats["min"], stats["max"])
