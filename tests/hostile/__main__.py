"""``python -m tests.hostile`` runs every case and writes ``docs/hostile.md``; ``--only`` tells of some."""

from __future__ import annotations

import argparse
import re
import sys

from tests.hostile import report
from tests.hostile.measuring import measured
from tests.hostile.table import CASES


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(prog="hostile", description=__doc__)
    parser.add_argument("--only", default="", help="a pattern of names; nothing is written then")
    given = parser.parse_args()
    lines, wrong = [], 0
    for case in CASES.values():
        if not re.search(given.only, case.name):
            continue
        found = measured(case)
        within = found.seconds <= case.seconds and found.memory <= case.memory
        well = case.fits(found.ending.said) and found.ending.refused and within
        wrong += not well
        lines.append(report.line(case, found))
        sys.stdout.write(f"{'ok   ' if well else 'WRONG'} {lines[-1]}")
        sys.stdout.flush()
    if not given.only:
        report.write(lines)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
