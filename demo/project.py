"""Meltano, run in a project of its own under ``.demo/``."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from demo.places import CLONE, MELTANO, PROJECT
from demo.trouble import TroubleError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_OURS = ("MELTANO_", "TAP_GENESYS_", "GENESYS_", "TARGET_", "DATABASE_URL", "VIRTUAL_ENV", "PYTHON")
_SETTINGS = {"MELTANO_CLI_DISABLE_VERSION_CHECK": "true", "NO_COLOR": "1"}
_PATIENCE_SECONDS = 5
_TAIL = 3000


@dataclass(frozen=True, slots=True)
class Project:
    """A Meltano project with its plugins installed.

    Attributes:
        folder: Where its ``meltano.yml`` is.
        log: What Meltano says, all of it.
    """

    folder: Path
    log: Path

    def run(self, arguments: Sequence[str], settings: Mapping[str, str]) -> None:
        """Run ``meltano`` and wait for it.

        Args:
            arguments: What follows ``meltano``.
            settings: Environment variables; none of Meltano's, the tap's or a target's are passed on.

        Raises:
            TroubleError: It fails.
        """
        first, *rest = arguments
        if first == "run":
            rest.insert(0, "--no-install")  # ready() has done that
        with self.log.open("ab") as log:
            begin = log.tell()
            environment = {**_SETTINGS, **_surroundings(), **settings}
            status = _wait([str(MELTANO), first, *rest], self.folder, environment, log.fileno())
        if status:
            said = self.log.read_bytes()[begin:].decode(errors="replace")[-_TAIL:]
            command = " ".join(["meltano", *arguments])
            message = f"{said}\n{command} ended with {status}; all that it said is in {self.log}"
            raise TroubleError(message)


def ready(folder: Path = PROJECT) -> Project:
    """Copy the clone's project and install its plugins, unless that was done before.

    Args:
        folder: Where to; below the clone, two folders deep.

    Returns:
        The project.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = (CLONE / "meltano.yml").read_text(encoding="utf-8")
    up = os.path.relpath(CLONE, folder)
    text = text.replace("pip_url: -e .\n", f"pip_url: -e {up}\n")
    (folder / "meltano.yml").write_text(text, encoding="utf-8")
    project = Project(folder, folder / "meltano.log")
    stamp = folder / ".installed"
    wanted = _fingerprint(text)
    with (folder / ".lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run side by side
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
            _install(project)
            stamp.write_text(wanted, encoding="utf-8")
    return project


def _install(project: Project) -> None:
    """Install the tap and target-postgres: with uv, which Meltano brings, or with pip where uv cannot."""
    for plugins in ("extractors", "loaders"):
        shutil.rmtree(project.folder / ".meltano" / plugins, ignore_errors=True)
    arguments = ["install", "tap-genesys-aggregates", "target-postgres"]
    try:
        project.run(arguments, {})
    except TroubleError:
        project.run(arguments, {"MELTANO_VENV_BACKEND": "virtualenv"})


def _fingerprint(text: str) -> str:
    """Changes with whatever makes an installation stale: also with the place of this clone."""
    parts = (text, (CLONE / "pyproject.toml").read_text(encoding="utf-8"), str(CLONE))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _surroundings() -> dict[str, str]:
    """The environment without what would steer Meltano or its plugins."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}


def _wait(command: list[str], folder: Path, environment: dict[str, str], output: int) -> int:
    """Run a command and everything it starts; if we are stopped, so are they."""
    with _held_back() as held:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        for number in held:
            signal.raise_signal(number)
        return process.wait()
    except BaseException:
        _end_group(process)
        raise


@contextlib.contextmanager
def _held_back() -> Iterator[list[int]]:
    """Take note of signals meanwhile: amid the start of a process they would leave it behind, unknown."""
    held: list[int] = []
    usual = {
        number: signal.signal(number, lambda number, _: held.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield held
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE_SECONDS)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
