"""What a measurement says: a figure, its goal, and whether it was reached."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Sense = Literal["at least", "at most", "within"]


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        says: What is compared with what.
        ratio: The median of what was measured.
        sense: Whether the ratio should be large, small, or close to 1.
        goal: The bound; for ``within``, how far from 1.
        spread: The lowest and the highest ratio of the rounds.
        how: How it was measured, with sizes.
        also: What must hold besides, and whether it does.
    """

    says: str
    ratio: float
    sense: Sense
    goal: float
    spread: tuple[float, float]
    how: str
    also: tuple[tuple[str, bool], ...] = ()

    @classmethod
    def of(
        cls,
        says: str,
        ratios: Sequence[float],
        bound: tuple[Sense, float],
        how: str,
        also: tuple[tuple[str, bool], ...] = (),
    ) -> Figure:
        """The figure of several rounds: their median."""
        sense, goal = bound
        return cls(says, median(ratios), sense, goal, (min(ratios), max(ratios)), how, also)

    @property
    def reached(self) -> bool:
        """Whether the goal was reached, with all that must hold besides."""
        ratio, goal = round(self.ratio, 2), self.goal
        within = {"at least": ratio >= goal, "at most": ratio <= goal, "within": abs(ratio - 1) <= goal}
        return within[self.sense] and all(holds for _, holds in self.also)

    @property
    def wanted(self) -> str:
        """The goal in words."""
        return f"1 ± {self.goal:g}" if self.sense == "within" else f"{self.sense} {self.goal:g}"


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        rounds: How often, of which the median counts.
        groups: Groups in each day; a group has 48 rows.
        fast: Windows of a day for what is fast: the tap and the bare limit.
        slow: Windows of a day for what is slow: the peers.
        waiting: Windows behind a slow server.
        latency: Seconds in which that server answers.
        small: Windows of the small load.
        times: How many times as large the large load is.
        long_rounds: Rounds of what takes long.
        loaded: Windows that Meltano loads into Postgres.
        loaded_slowly: The same for the tap and the target of its peer.
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
)
"""As little as shows that the measurements run; what they say means nothing."""
