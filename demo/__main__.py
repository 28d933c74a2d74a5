"""``./run demo``."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the demo. The import is inside the ``try`` so that Ctrl-C works from the first moment."""
    try:
        from demo.cli import run  # noqa: PLC0415

        return run()
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. Loaded data is kept; ./run demo continues from there.\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
