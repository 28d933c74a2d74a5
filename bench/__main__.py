"""Run the benchmarks and write bench/README.md.

With a part, only that part runs and no file is written. The part "profile" shows where the tap spends its
time.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from bench import meltano_load, rates, request_counts, scaling, spark, warehouse
from bench.figures import TINY, Figure, Sizes
from bench.output import DifferentRowsError
from bench.page import render_figure, render_page
from bench.processes import ROOT
from bench.profiling import Profile, profiles

PARTS = {
    "rates": rates.measure,
    "requests": request_counts.measure,
    "scaling": scaling.measure,
    "load": meltano_load.measure,
    "warehouse": warehouse.measure,
    "spark": spark.measure,
}
"""The parts, in the order in which they run."""

_PROFILE = "profile"


def main() -> int:
    """Run the parts named on the command line.

    Returns:
        1 if a goal was missed, or if a peer wrote different rows than the tap; otherwise 0.
    """
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    names = ", ".join([*PARTS, _PROFILE])
    parser.add_argument(
        "part", nargs="*", help=f"any of {names}; without a part, all run and bench/README.md is written"
    )
    parser.add_argument("--tiny", action="store_true", help="only check that it runs; no file is written")
    options = parser.parse_args()
    if unknown := set(options.part) - {*PARTS, _PROFILE}:
        parser.error(f"unknown part: {', '.join(sorted(unknown))} (choose from {names})")
    sizes = TINY if options.tiny else Sizes()
    try:
        with tempfile.TemporaryDirectory() as folder:
            figures, measured_profiles = _measure(options.part or list(PARTS), sizes, Path(folder))
    except DifferentRowsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if not options.part and not options.tiny:
        page = render_page(figures, measured_profiles)
        (ROOT / "bench" / "README.md").write_text(page, encoding="utf-8")
    return 0 if options.tiny or all(figure.reached for figure in figures) else 1


def _measure(parts: list[str], sizes: Sizes, folder: Path) -> tuple[list[Figure], list[Profile]]:
    """Run the parts. Profiles are added if they were asked for, or if a rate misses its goal."""
    figures, measured_profiles = [], []
    profile_wanted = _PROFILE in parts
    for part in parts:
        for figure in PARTS[part](sizes, folder) if part in PARTS else ():
            _print(render_figure(figure))
            figures.append(figure)
            profile_wanted = profile_wanted or (part == "rates" and not figure.reached)
    for profile in profiles(sizes, folder) if profile_wanted else ():
        _print(f"\n{profile.table}")
        measured_profiles.append(profile)
    return figures, measured_profiles


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _exit_on_signal(signum: int, _frame: object) -> None:
    raise SystemExit(128 + signum)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _exit_on_signal)
    sys.exit(main())
