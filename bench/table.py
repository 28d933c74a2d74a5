"""The table of figures, as ``bench/README.md`` has it."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.figures import Figure

_ABOUT = """\
# Measurements

Written by `./run bench`. Every figure is a ratio between two things measured in turns by the same command,
so that a slow or busy machine cancels out. The median of the rounds counts; beside it stand the lowest and
the highest. Processor time is what the kernel counted for the whole process; "net of start-up" is less that
of a run with nothing to fetch.

A replay server in a process of its own answers with bytes that were encoded beforehand. Rows of `results`
have 16 columns (2 dimensions, 4 metrics with 10 statistics), those of `group_tree` 11 (1 dimension, 6
metrics). All messages go to the null device, but where they are compared. What is measured runs on one core
where the system can say so, the server on another.

| peer | what it is |
|---|---|
| `peers/limit.py` | msgspec decodes each answer and encodes its rows; no network, nothing between |
| `peers/sdk_default.py` | a RESTStream with JSONPath, the default parser and writer |
| `peers/script.py` | requests, json, recursion, one list |

Not measured: dlt and the Airbyte CDK (they want environments of their own), and loading into Postgres through
Meltano, where the target decides.

"""


def page(figures: Sequence[Figure]) -> str:
    """The whole page."""
    head = "| figure | goal | measured | lowest to highest | | how |\n|---|---|---|---|---|---|\n"
    return f"{_ABOUT}{head}{''.join(map(line, figures))}\n{_machine()}\n"


def line(figure: Figure) -> str:
    """A figure's line."""
    low, high = figure.spread
    also = "".join(f"; {says}: {'yes' if holds else '**no**'}" for says, holds in figure.also)
    cells = (
        figure.says,
        figure.wanted,
        f"{figure.ratio:.2f}",
        f"{low:.2f} to {high:.2f}",
        "reached" if figure.reached else "**missed**",
        f"{figure.how}{also}",
    )
    return f"| {' | '.join(cells)} |\n"


def _machine() -> str:
    """Which software was measured; nothing that tells one machine from another."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("singer-sdk", "msgspec", "requests"))
    return f"{platform.python_implementation()} {platform.python_version()} on {sys.platform}, {packages}."
