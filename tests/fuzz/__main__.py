"""``python -m tests.fuzz --seconds N`` spoils the corpus for so long; what goes a new way is spoilt further.

What crashes is written into ``tests/fuzz/corpus/``, where the tests find it.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time

from tests.fuzz.mutating import spoilt
from tests.fuzz.targets import CORPUS, TARGETS, corpus, outcome


def campaign(seconds: float, seed: int) -> tuple[int, int, dict[str, bytes]]:
    """Spoil for so long.

    Returns:
        How many inputs were read, how many ways there are, and what crashed: the error and its input.
    """
    dice = random.Random(seed)  # noqa: S311  # a seed is a campaign again
    bodies = [path.read_bytes() for path in corpus()]
    ways = {outcome(name, body) for body in bodies for name in TARGETS}
    crashes: dict[str, bytes] = {}
    count, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        body = spoilt(dice, bodies)
        count += 1
        for name in TARGETS:
            try:
                way = outcome(name, body)
            except Exception as error:  # noqa: BLE001  # this is what is looked for
                crashes.setdefault(f"{name}: {type(error).__name__}: {str(error)[:80]}", body)
                continue
            if way not in ways:
                ways.add(way)
                bodies.append(body)
    return count, len(ways), crashes


def main() -> None:
    """Run a campaign."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    count, ways, crashes = campaign(given.seconds, given.seed)
    for error, body in crashes.items():
        path = CORPUS / f"crash-{hashlib.sha256(body).hexdigest()[:12]}"
        path.write_bytes(body)
        sys.stdout.write(f"{path.name}: {error}\n")
    sys.stdout.write(f"{count} inputs, {len(TARGETS)} readers, {ways} ways, {len(crashes)} crashes\n")
    sys.exit(1 if crashes else 0)


if __name__ == "__main__":
    main()
