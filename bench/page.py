"""Renders the results as ``bench/README.md``."""

from __future__ import annotations

import platform
import re
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

from bench.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.figures import Figure
    from bench.profiling import Profile

ABOUT = ROOT / "bench" / "about.md"
"""The hand-written first part of the page: how the figures are measured."""

REASONS = ROOT / "bench" / "reasons.md"
"""The hand-written reasons why figures miss their goals."""

_PEERS_LOCK = ROOT / "requirements-peers.lock"
_PEER_VERSIONS = re.compile(r"(?m)^(airbyte-cdk|dlt|httpx)==(\S+)")
_MISSED = """\

## Where a goal is missed

"""


def render_page(figures: Sequence[Figure], profiles: Sequence[Profile] = ()) -> str:
    """Render the whole page.

    Args:
        figures: The figures.
        profiles: Profiles of the tap; measured if a rate misses its goal.
    """
    head = "| figure | goal | measured | lowest to highest | | how |\n|---|---|---|---|---|---|\n"
    missed = ""
    if profiles or not all(figure.reached for figure in figures):
        tables = "".join(f"\n{profile.table}" for profile in profiles)
        missed = f"{_MISSED}{REASONS.read_text(encoding='utf-8')}{tables}"
    about, rows = ABOUT.read_text(encoding="utf-8"), "".join(map(render_figure, figures))
    return f"{about}\n{head}{rows}\n{_versions()}\n{missed}"


def render_figure(figure: Figure) -> str:
    """Render a figure as a row of the table."""
    low, high = figure.spread
    conditions = "".join(f"; {text}: {'yes' if met else '**no**'}" for text, met in figure.conditions)
    cells = (
        figure.title,
        figure.goal_text,
        f"{figure.ratio:.2f}",
        f"{low:.2f} to {high:.2f}",
        "reached" if figure.reached else "**missed**",
        f"{figure.method}{conditions}",
    )
    return f"| {' | '.join(cells)} |\n"


def _versions() -> str:
    """Return the versions of the software that was measured; nothing that identifies the machine."""
    packages = [(name, version(name)) for name in ("singer-sdk", "msgspec", "requests")]
    packages += _PEER_VERSIONS.findall(_PEERS_LOCK.read_text(encoding="utf-8"))
    used = ", ".join(" ".join(package) for package in packages)
    return f"{platform.python_implementation()} {platform.python_version()} on {sys.platform}, {used}."
