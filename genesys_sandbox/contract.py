"""The 19 families of the documented API, read from the contract's own data file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib import resources

TARGET = 0.8
"""The service level that every queue of the sandbox aims at."""


class Kind(Enum):
    """What a metric measures, which its first letter says."""

    COUNT = "n"
    TIMER = "t"
    AMOUNT = "o"
    RATIO = "o/o"


@dataclass(frozen=True, slots=True)
class Family:
    """One family: where it is asked, and which names it knows."""

    name: str
    path: str
    jobs_path: str | None
    permissions: tuple[str, ...]
    top_n: bool
    alternate_times: frozenset[str]
    group_by: frozenset[str]
    filter_dimensions: frozenset[str]
    metrics: tuple[str, ...]


@cache
def families() -> dict[str, Family]:
    """Every family by its name."""
    source = resources.files("tap_genesys_aggregates") / "data" / "aggregates.json"
    table = json.loads(source.read_text(encoding="utf-8"))
    return {
        name: Family(
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
    """How a metric is measured: `n` counts, `t` milliseconds, `o` amounts or a share of a whole."""
    if metric[0] == "o":
        share = metric.endswith("ServiceLevel") or metric == "oServiceTarget"
        return Kind.RATIO if share else Kind.AMOUNT
    return Kind(metric[0])
