"""What came of many seeds, as the docs have it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "simulation.md"
_BEGIN = "<!-- figures -->\n"
_END = "<!-- end of figures -->\n"


@dataclass(slots=True)
class Figures:
    """Counts over many seeds."""

    seeds: list[int] = field(default_factory=list)
    failures: int = 0
    runs: int = 0
    kills: int = 0
    rows: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def add(  # noqa: PLR0913  # what a life brought
        self, seed: int, met: Counter[str], *, killed: int, ran: int, compared: int, failed: bool
    ) -> None:
        """Count one life."""
        self.seeds.append(seed)
        self.failures += failed
        self.runs += ran
        self.kills += killed
        self.rows += compared
        self.faults += met

    def text(self, seconds: float) -> str:
        """The figures in Markdown: a line of totals, and a table of faults.

        Args:
            seconds: How long it took.

        Returns:
            What stands in the docs.
        """
        totals = (
            f"Seeds {min(self.seeds, default=0)} to {max(self.seeds, default=0)}: "
            f"{self.failures} failures in {len(self.seeds):,} seeds, "
            f"{self.runs:,} runs ({self.kills:,} killed), "
            f"{self.faults.total():,} faults, {self.rows:,} rows compared, {seconds / 60:.1f} minutes.\n"
        )
        lines = [f"| {name} | {times:,} |\n" for name, times in self.faults.most_common()]
        return f"{totals}\n| fault | times |\n|---|---:|\n{''.join(lines)}"

    @staticmethod
    def write(text: str) -> None:
        """Put figures into the docs, in place of those that are there."""
        page = PAGE.read_text("utf-8")
        place = re.compile(f"{_BEGIN}.*?{_END}", re.DOTALL)
        PAGE.write_text(place.sub(lambda _: f"{_BEGIN}\n{text}\n{_END}", page), "utf-8")
