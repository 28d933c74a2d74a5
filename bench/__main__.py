"""``./run bench``: measure, say, and write ``bench/README.md``.

``./run bench PART`` measures a part and writes nothing; ``./run bench profile`` says where the tap's time
goes.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from bench import growth, loading, politeness, rates
from bench.figures import TINY, Figure, Sizes
from bench.made import DifferentError
from bench.processes import ROOT
from bench.profiling import Profile, profiles
from bench.table import line, page

PARTS = {
    "rates": rates.measure,
    "politeness": politeness.measure,
    "growth": growth.measure,
    "load": loading.measure,
}
"""What is measured, in this order."""

_PROFILE = "profile"


def main() -> int:
    """Measure what the command line says.

    Returns:
        1 where a goal was missed, or where contenders made different rows.
    """
    usage = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    names = ", ".join([*PARTS, _PROFILE])
    usage.add_argument("part", nargs="*", help=f"some of {names}; all by default, and the page is written")
    usage.add_argument("--tiny", action="store_true", help="only see that it runs; nothing is written")
    asked = usage.parse_args()
    if stray := set(asked.part) - {*PARTS, _PROFILE}:
        usage.error(f"there is no part {', '.join(sorted(stray))}")
    sizes = TINY if asked.tiny else Sizes()
    try:
        with tempfile.TemporaryDirectory() as folder:
            figures, looked = _measure(asked.part or list(PARTS), sizes, Path(folder))
    except DifferentError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if not asked.part and not asked.tiny:
        (ROOT / "bench" / "README.md").write_text(page(figures, looked), encoding="utf-8")
    return 0 if asked.tiny or all(figure.reached for figure in figures) else 1


def _measure(parts: list[str], sizes: Sizes, folder: Path) -> tuple[list[Figure], list[Profile]]:
    """The figures of some parts, and where time goes if it was asked for or if a rate is missed."""
    figures, looked = [], []
    wanted = _PROFILE in parts
    for part in parts:
        for figure in PARTS[part](sizes, folder) if part in PARTS else ():
            _say(line(figure))
            figures.append(figure)
            wanted = wanted or (part == "rates" and not figure.reached)
    for profile in profiles(sizes, folder) if wanted else ():
        _say(f"\n{profile.table}")
        looked.append(profile)
    return figures, looked


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _end(signum: int, _frame: object) -> None:
    raise SystemExit(128 + signum)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main())
