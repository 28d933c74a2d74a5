"""Compares what is installed in each environment of ``./run`` with what its lock file pins.

``python -m tests.project.installed`` prints the comparison.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .generated_settings import ROOT

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENTS = {
    ".venv": "requirements.lock",
    ".demo/meltano": "requirements-meltano.lock",
    ".demo/plugins/tap-genesys-aggregates": "requirements-tap.lock",
    ".demo/plugins/target-postgres": "requirements-target-postgres.lock",
    ".demo/plugins/target-jsonl": "requirements-target-jsonl.lock",
    ".demo/peers": "requirements-peers.lock",
    ".demo/dbt": "requirements-dbt.lock",
    ".demo/audit": "requirements-audit.lock",
    ".demo/spark": "requirements-spark.lock",
}
"""All environments that ``./run`` creates, and their lock files."""

OWN = "tap-genesys-aggregates"
"""This project itself, which is installed from the clone."""

_LIST = """
import json
from importlib.metadata import distributions
print(json.dumps([[each.metadata["Name"], each.version] for each in distributions()]))
"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """An environment beside its lock file.

    Attributes:
        installed: Name and version of every distribution in the environment, without this project.
        pinned: Name and version of every distribution that the lock file pins for this machine.
    """

    installed: frozenset[tuple[str, str]]
    pinned: frozenset[tuple[str, str]]

    @property
    def differences(self) -> list[tuple[str, str]]:
        """What is installed and not pinned, or pinned and not installed."""
        return sorted(self.installed ^ self.pinned)


def compare(environment: Path, lock: str) -> Comparison:
    """Compare an environment with a lock file of this project."""
    command = [str(environment / "bin" / "python"), "-I", "-c", _LIST]
    printed = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    installed = [(canonicalize_name(name), version) for name, version in json.loads(printed)]
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line.removesuffix(" \\")) for line in lines if not line.startswith(" ")]
    pinned = [
        (canonicalize_name(pin.name), str(pin.specifier).removeprefix("=="))
        for pin in pins
        if pin.marker is None or pin.marker.evaluate()
    ]
    return Comparison(frozenset(each for each in installed if each[0] != OWN), frozenset(pinned))


def main() -> int:
    """Print a line for each environment."""
    failed = False
    sys.stdout.write(f"{'environment':<40}{'pinned':>8}{'installed':>11}  difference\n")
    for environment, lock in ENVIRONMENTS.items():
        found = compare(ROOT / environment, lock)
        differences = ", ".join("==".join(each) for each in found.differences) or "none"
        failed |= bool(found.differences)
        counts = f"{len(found.pinned):>8}{len(found.installed):>11}"
        sys.stdout.write(f"{environment:<40}{counts}  {differences}\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
