"""Runs Meltano in a project of its own under ``.demo/``."""

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

from demo.errors import DemoError
from demo.paths import CLONE, MELTANO, PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_NOT_INHERITED = ("MELTANO_", "TAP_GENESYS_", "GENESYS_", "TARGET_", "DATABASE_URL", "VIRTUAL_ENV", "PYTHON")
_SETTINGS = {"MELTANO_CLI_DISABLE_VERSION_CHECK": "true", "NO_COLOR": "1"}
_STOPPING_SECONDS = 5
_SHOWN_CHARACTERS = 3000


@dataclass(frozen=True, slots=True)
class Project:
    """A Meltano project with its plugins installed.

    Attributes:
        folder: The folder of its ``meltano.yml``.
        log: The file that receives all output of Meltano.
    """

    folder: Path
    log: Path

    def run(self, arguments: Sequence[str], settings: Mapping[str, str]) -> None:
        """Run ``meltano`` and wait until it ends.

        Args:
            arguments: The arguments of ``meltano``.
            settings: Environment variables to set. Variables of Meltano, the tap or a target that are set
                outside the demo are removed.

        Raises:
            DemoError: Meltano failed.
        """
        first, *rest = arguments
        if first == "run":
            rest.insert(0, "--no-install")  # prepare() has installed the plugins
        with self.log.open("ab") as log:
            begin = log.tell()
            environment = {**_SETTINGS, **_inherited(), **settings}
            status = _wait([str(MELTANO), first, *rest], self.folder, environment, log.fileno())
        if status:
            output = self.log.read_bytes()[begin:].decode(errors="replace")[-_SHOWN_CHARACTERS:]
            command = " ".join(["meltano", *arguments])
            message = f"{output}\n{command} failed with exit status {status}. The full log is in {self.log}"
            raise DemoError(message)


def prepare(folder: Path = PROJECT) -> Project:
    """Copy the clone's Meltano project and install its plugins, unless they are up to date.

    Args:
        folder: The folder of the copy; it must be inside the clone, two levels deep.
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
    """Install the tap and target-postgres with uv, which comes with Meltano; if that fails, with pip."""
    for plugins in ("extractors", "loaders"):
        shutil.rmtree(project.folder / ".meltano" / plugins, ignore_errors=True)
    arguments = ["install", "tap-genesys-aggregates", "target-postgres"]
    try:
        project.run(arguments, {})
    except DemoError:
        project.run(arguments, {"MELTANO_VENV_BACKEND": "virtualenv"})


def _fingerprint(text: str) -> str:
    """Return a hash of everything that requires a new installation, the path of this clone included."""
    parts = (text, (CLONE / "pyproject.toml").read_text(encoding="utf-8"), str(CLONE))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _inherited() -> dict[str, str]:
    """Return the environment without variables that would configure Meltano or its plugins."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}


def _wait(command: list[str], folder: Path, environment: dict[str, str], output: int) -> int:
    """Run a command and return its exit status. If we are stopped, it and all its children are stopped."""
    with _deferred_signals() as deferred:
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
        for number in deferred:
            signal.raise_signal(number)
        return process.wait()
    except BaseException:
        _stop_group(process)
        raise


@contextlib.contextmanager
def _deferred_signals() -> Iterator[list[int]]:
    """Collect signals: one that arrives while a process starts would leave the process running, unknown."""
    deferred: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _: deferred.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield deferred
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _stop_group(process: subprocess.Popen[bytes]) -> None:
    """Stop a process and all its children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOPPING_SECONDS)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
