"""The tests on every supported Python for which an interpreter is found: ``./run test-all``.

Each environment holds exactly what ``requirements.lock`` names. An interpreter is found if ``python3.X`` on
the PATH works, or if pyenv has one. Those that were not found are listed at the end.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
MINE = f"{sys.version_info.major}.{sys.version_info.minor}"
UV = str(Path(sys.executable).with_name("uv"))
FOUND = Path(".demo/pythons")
PYTEST = ("python", "-m", "pytest", "-n", "auto", "--maxprocesses", "8", "--dist", "worksteal")

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "uv"
nox.options.download_python = "never"
nox.options.envdir = ".demo/nox"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_existing_virtualenvs = True


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the fast tests, and the end-to-end tests except those of Meltano, which has a Python of its own.

    The arguments are ``all`` or ``others``, and pytest's arguments for the fast tests. With ``others``, only
    the fast tests run, and not on the Python that runs nox.
    """
    which, *fast = session.posargs
    if which == "others" and session.python == MINE:
        session.skip("./run test covers it")
    pinned = ("--require-hashes", "--build-constraints", "requirements-build.lock", "requirements.lock")
    session.run(UV, "pip", "sync", "--quiet", *pinned, external=True)
    install = ("--quiet", "--no-deps", "--no-build-isolation", "--editable", ".")
    session.run(UV, "pip", "install", *install, external=True)
    session.run(*PYTEST, *fast)
    if which == "all":
        session.run(*PYTEST, "-q", "-m", "not meltano", "tests/end_to_end")


def works(python: str, version: str) -> bool:
    """Whether an interpreter can make environments. A name on the PATH may be a stub that does not work."""
    script = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, check=False)  # noqa: S603
    return (done.returncode, done.stdout.strip()) == (0, version)


def put_on_the_path() -> None:
    """Put each interpreter that works first on the PATH, where nox looks for ``python3.X``."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    shutil.rmtree(FOUND, ignore_errors=True)
    FOUND.mkdir(parents=True)
    for version in PYTHONS:
        name = f"python{version}"
        candidates = [
            shutil.which(name),
            *map(str, sorted(pyenv.glob(f"{version}.*/bin/{name}"), reverse=True)),
        ]
        python = next((each for each in candidates if each and works(each, version)), None)
        if python:
            (FOUND / name).write_text(f'#!/bin/sh\nexec "{python}" "$@"\n', encoding="utf-8")
            (FOUND / name).chmod(0o755)
    os.environ["PATH"] = os.pathsep.join([str(FOUND.resolve()), os.environ["PATH"]])


put_on_the_path()
