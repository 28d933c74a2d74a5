"""``python -m tests.adversarial hostile`` or ``fuzz``: what ``./run hostile`` and ``./run fuzz`` start."""

from __future__ import annotations

import argparse
import hashlib
import sys

from tests.adversarial import fuzz, hostile


def _hostile(arguments: argparse.Namespace) -> int:
    """Run hostile cases; returns the number of failures."""
    failures = 0
    for passed, row in hostile.run_cases(arguments.only):
        failures += not passed
        sys.stdout.write(f"{'ok   ' if passed else 'WRONG'} {row}")
        sys.stdout.flush()
    return failures


def _fuzz(arguments: argparse.Namespace) -> int:
    """Run a campaign and save what crashes; returns the number of crashes."""
    count, outcomes, crashes = fuzz.campaign(arguments.seconds, arguments.seed)
    for error, body in crashes.items():
        path = fuzz.CORPUS / f"crash-{hashlib.sha256(body).hexdigest()[:12]}"
        path.write_bytes(body)
        sys.stdout.write(f"{path.name}: {error}\n")
    targets = len(fuzz.TARGETS)
    sys.stdout.write(f"{count} inputs, {targets} targets, {outcomes} outcomes, {len(crashes)} crashes\n")
    return len(crashes)


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(prog="./run")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("hostile", help="run every hostile case and update docs/hostile.md")
    command.add_argument("--only", default="", help="a pattern of case names; the table is left unchanged")
    command.set_defaults(run=_hostile)
    command = commands.add_parser("fuzz", help="fuzz every parser; crashes are saved in the corpus")
    command.add_argument("--seconds", type=float, default=60)
    command.add_argument("--seed", type=int, default=0)
    command.set_defaults(run=_fuzz)
    arguments = parser.parse_args()
    sys.exit(1 if arguments.run(arguments) else 0)


# Runs from ``__main__`` because multiprocessing imports any other main module again in each child process:
# the cases would count toward the memory that is measured.
if __name__ == "__main__":
    main()
