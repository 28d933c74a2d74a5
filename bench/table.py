"""The page of figures, ``bench/README.md``."""

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
"""How it is measured: the head of the page."""

REASONS = ROOT / "bench" / "reasons.md"
"""What a person wrote about figures that fall short; the page includes it."""

_PEERS = ROOT / "requirements-peers.lock"
_OF_THE_PEERS = re.compile(r"(?m)^(airbyte-cdk|dlt|httpx)==(\S+)")
_SHORT = """\

## Where a figure falls short

"""


def page(figures: Sequence[Figure], profiles: Sequence[Profile] = ()) -> str:
    """The whole page.

    Args:
        figures: What was measured.
        profiles: Where time goes; wanted where a rate was missed.
    """
    head = "| figure | goal | measured | lowest to highest | | how |\n|---|---|---|---|---|---|\n"
    short = ""
    if profiles or not all(figure.reached for figure in figures):
        looked = "".join(f"\n{profile.table}" for profile in profiles)
        short = f"{_SHORT}{REASONS.read_text(encoding='utf-8')}{looked}"
    return f"{ABOUT.read_text(encoding='utf-8')}\n{head}{''.join(map(line, figures))}\n{_machine()}\n{short}"


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
    packages = [(name, version(name)) for name in ("singer-sdk", "msgspec", "requests")]
    packages += _OF_THE_PEERS.findall(_PEERS.read_text(encoding="utf-8"))
    used = ", ".join(" ".join(package) for package in packages)
    return f"{platform.python_implementation()} {platform.python_version()} on {sys.platform}, {used}."
