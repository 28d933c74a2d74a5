"""``./run demo``."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the demo; Ctrl-C is heeded from the first moment, also while modules are read."""
    try:
        from demo.command import run  # noqa: PLC0415

        return run()
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. What was loaded stays; ./run demo goes on from there.\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
