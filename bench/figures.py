"""A measured ratio, its goal, and whether the goal was reached."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Comparison = Literal["at least", "at most", "within"]


@dataclass(frozen=True)
class Figure:
    """One row of the table in ``bench/README.md``.

    Attributes:
        title: What is measured, and relative to what.
        ratio: The median of the rounds.
        comparison: Whether the ratio should be large, small, or close to 1.
        goal: The bound; for ``within``, the largest distance from 1.
        spread: The lowest and the highest ratio of the rounds.
        method: How it was measured, with sizes.
        conditions: Further conditions of the goal, each with whether it is met.
    """

    title: str
    ratio: float
    comparison: Comparison
    goal: float
    spread: tuple[float, float]
    method: str
    conditions: tuple[tuple[str, bool], ...] = ()

    @classmethod
    def from_ratios(
        cls,
        title: str,
        ratios: Sequence[float],
        bound: tuple[Comparison, float],
        method: str,
        conditions: tuple[tuple[str, bool], ...] = (),
    ) -> Figure:
        """Create a figure from the ratio of each round."""
        comparison, goal = bound
        return cls(title, median(ratios), comparison, goal, (min(ratios), max(ratios)), method, conditions)

    @property
    def reached(self) -> bool:
        """Whether the ratio reaches its goal and all conditions are met."""
        ratio, goal = round(self.ratio, 2), self.goal
        met = {"at least": ratio >= goal, "at most": ratio <= goal, "within": abs(ratio - 1) <= goal}
        return met[self.comparison] and all(holds for _, holds in self.conditions)

    @property
    def goal_text(self) -> str:
        """The goal as text, such as ``at least 8`` or ``1 ± 0.05``."""
        return f"1 ± {self.goal:g}" if self.comparison == "within" else f"{self.comparison} {self.goal:g}"


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        rounds: Number of rounds; the median counts.
        groups: Groups in each day; a group has 48 rows.
        fast: Windows of one day for the fast commands: the tap and the bare limit.
        slow: Windows of one day for the slow commands: the peers.
        waiting: Windows requested from a slow server.
        latency: Response time of that server in seconds.
        small: Windows of the small load.
        times: How many times larger the large load is.
        long_rounds: Number of rounds for the measurements that take long.
        loaded: Windows that Meltano loads into Postgres.
        loaded_slowly: The same for the peer's tap and target.
        days: Days of half hours in the warehouse.
        queues: Queues in the smaller warehouse.
        organizations: Organizations that Spark reads.
        fleet: Organizations in the warehouse.
    """

    rounds: int = 5
    groups: int = 100
    fast: int = 120
    slow: int = 16
    waiting: int = 90
    latency: float = 0.2
    small: int = 42
    times: int = 10
    long_rounds: int = 3
    loaded: int = 209
    loaded_slowly: int = 16
    days: int = 365
    queues: int = 20
    organizations: int = 50
    fleet: int = 300


TINY = Sizes(
    rounds=1,
    groups=2,
    fast=2,
    slow=2,
    waiting=4,
    latency=0.01,
    small=2,
    times=2,
    long_rounds=1,
    loaded=3,
    loaded_slowly=2,
    days=9,
    queues=2,
    organizations=3,
    fleet=3,
)
"""Just enough to check that the benchmarks run; the figures are meaningless."""
