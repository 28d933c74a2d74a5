"""How many seeds it takes to see a bug, and the table of that in the docs."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.simulation.__main__ import lived
from tests.simulation.mutating import StaleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.simulation.mutating import Mutation

MOST_SEEDS = 300
PAGE = Path(__file__).parents[2] / "docs" / "simulation.md"
_HEAD = "| bug | seeds | seen as |\n|---|---:|---|\n"
_TABLE = re.compile(re.escape(_HEAD) + r"(?:\|.*\n)*")
_LONGEST = 90


def caught(bug: Mutation, most: int = MOST_SEEDS) -> tuple[int, str]:
    """Live seeds with a bug in until it shows.

    Args:
        bug: The bug.
        most: Seeds to try.

    Returns:
        How many seeds it took, 0 if none saw it; and what was seen.
    """
    with bug.applied():
        for seed in range(most):
            wrong = lived(seed)[1]
            if wrong:
                return seed + 1, wrong[0]
    return 0, ""


def attempt(bug: Mutation) -> tuple[int, str]:
    """The same; -1 for a bug that cannot be put in any more, and why."""
    try:
        return caught(bug)
    except StaleError as error:
        return -1, str(error)


def _line(bug: Mutation, seeds: int, seen: str) -> str:
    """A line of the table."""
    took = {0: f"not in {MOST_SEEDS}", -1: "stale"}.get(seeds, str(seeds))
    return f"| {bug.says} | {took} | {_shortly(seen)} |\n"


def _shortly(seen: str) -> str:
    """What was seen, without the names and instants of that seed."""
    first = seen.splitlines()[-1 if "Traceback" in seen else 0] if seen else ""
    kind = re.sub(r"^(run \d+ \(\w+\)|at the end): |\bq\d(, window \S+)?: |\d{4}-\d\d-\d\dT\S+", "", first)
    return kind.replace("|", "/")[:_LONGEST].strip()


def written() -> dict[str, int]:
    """What the docs say: each bug, and the seeds that it took; 0 where they do not say a number."""
    found = _TABLE.search(PAGE.read_text("utf-8"))
    lines = found.group().splitlines()[2:] if found else []
    cells = [each.split(" | ") for each in lines]
    return {name.removeprefix("| "): int(took) if took.isdecimal() else 0 for name, took, *_ in cells}


def tell(bugs: Sequence[Mutation], outcomes: Iterable[tuple[int, str]]) -> bool:
    """Print the table as it grows, and write it into the docs.

    Args:
        bugs: What was put in.
        outcomes: Of each in order, how many seeds it took, and what was seen.

    Returns:
        Whether each was seen.
    """
    began, missed, lines = time.monotonic(), 0, []
    sys.stdout.write(_HEAD)
    for bug, (seeds, seen) in zip(bugs, outcomes, strict=True):
        missed += seeds <= 0
        lines.append(_line(bug, seeds, seen))
        sys.stdout.write(lines[-1])
        sys.stdout.flush()
    page = PAGE.read_text("utf-8")
    PAGE.write_text(_TABLE.sub(lambda _: _HEAD + "".join(lines), page), "utf-8")
    seconds = time.monotonic() - began
    sys.stdout.write(f"\n{len(bugs) - missed} of {len(bugs)}, {seconds:.0f} s\n")
    return not missed
