"""``./run bench``: measure, say, and write ``bench/README.md``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench import growth, politeness, rates
from bench.figures import TINY, Figure, Sizes
from bench.processes import ROOT
from bench.table import line, page

_PARTS = {"rates": rates.measure, "politeness": politeness.measure, "growth": growth.measure}


def main() -> int:
    """Measure what the command line says.

    Returns:
        1 where a goal was missed.
    """
    usage = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    usage.add_argument(
        "part", nargs="*", help=f"some of {', '.join(_PARTS)}; all by default, and the page is written"
    )
    usage.add_argument("--tiny", action="store_true", help="only see that it runs; nothing is written")
    asked = usage.parse_args()
    if stray := set(asked.part) - set(_PARTS):
        usage.error(f"there is no part {', '.join(sorted(stray))}")
    figures = _measure(asked.part or list(_PARTS), TINY if asked.tiny else Sizes())
    if not asked.part and not asked.tiny:
        (ROOT / "bench" / "README.md").write_text(page(figures), encoding="utf-8")
    return 0 if asked.tiny or all(figure.reached for figure in figures) else 1


def _measure(parts: list[str], sizes: Sizes) -> list[Figure]:
    """The figures of some parts, each said as soon as it is there."""
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for part in parts:
            for figure in _PARTS[part](sizes, Path(folder)):
                sys.stdout.write(line(figure))
                sys.stdout.flush()
                figures.append(figure)
    return figures


if __name__ == "__main__":
    sys.exit(main())
