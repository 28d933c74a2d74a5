"""Runs Meltano in a project of its own under ``.demo/``."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from demo.errors import DemoError
from demo.paths import CLONE, MELTANO, PLUGINS, PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_NOT_INHERITED = ("MELTANO_", "TAP_GENESYS_", "GENESYS_", "TARGET_", "DATABASE_URL", "VIRTUAL_ENV", "PYTHON")
_SETTINGS = {"MELTANO_CLI_DISABLE_VERSION_CHECK": "true", "NO_COLOR": "1"}
_PLUGINS = {
    "tap-genesys-aggregates": "extractors",
    "target-postgres": "loaders",
    "target-jsonl": "loaders",
}
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
        if first in {"run", "invoke", "select"}:
            rest.insert(0, "--no-install")  # ./run has installed the plugins
        with self._without_leftovers():
            run_logged([str(MELTANO), first, *rest], self.folder, {**_SETTINGS, **settings}, self.log)

    @contextlib.contextmanager
    def _without_leftovers(self) -> Iterator[None]:
        """Delete the configs, with passwords, that a killed Meltano leaves: now or in an earlier run."""
        leftovers = self.folder / ".meltano" / "run"
        shutil.rmtree(leftovers, ignore_errors=True)
        try:
            yield
        finally:
            shutil.rmtree(leftovers, ignore_errors=True)


def prepare(folder: Path = PROJECT) -> Project:
    """Copy the clone's Meltano project and give it the plugins that ``./run`` installs from the lock files.

    Args:
        folder: The folder of the copy.

    Raises:
        DemoError: ``./run`` has not installed the plugins.
    """
    for name, kind in _PLUGINS.items():
        environment = PLUGINS / name
        if not (environment / ".prepared").exists():
            message = f"{name} is not installed in {environment}. Start with ./run, which installs it."
            raise DemoError(message)
        link = folder / ".meltano" / kind / name / "venv"
        link.parent.mkdir(parents=True, exist_ok=True)
        _link(link, environment)
    definition, text = folder / "meltano.yml", (CLONE / "meltano.yml").read_bytes()
    if not definition.exists() or definition.read_bytes() != text:
        definition.write_bytes(text)
    return Project(folder, folder / "meltano.log")


def run_logged(command: Sequence[str], folder: Path, settings: Mapping[str, str], log: Path) -> str:
    """Run a command and wait until it ends.

    Args:
        command: The program and its arguments.
        folder: Where to run it.
        settings: Environment variables to set; those that configure Meltano or its plugins are not inherited.
        log: The file that receives its output, after what is there.

    Returns:
        Its output.

    Raises:
        DemoError: It failed.
    """
    with log.open("ab") as file:
        begin = file.tell()
        status = _wait(list(command), folder, {**_inherited(), **settings}, file.fileno())
    output = log.read_bytes()[begin:].decode(errors="replace")
    if status:
        name = " ".join([command[0].rpartition("/")[2], *command[1:]])
        shown = output[-_SHOWN_CHARACTERS:]
        message = f"{shown}\n{name} failed with exit status {status}. The full log is in {log}"
        raise DemoError(message)
    return output


def _link(link: Path, target: Path) -> None:
    """Make a symbolic link, or replace what is there. Tests do so in parallel, each with the same link."""
    if link.is_symlink() and link.readlink() == target:
        return
    if link.is_dir() and not link.is_symlink():
        shutil.rmtree(link)  # an environment that an earlier version of the demo installed
    fresh = link.with_name(f"venv.{os.getpid()}")
    fresh.symlink_to(target)
    fresh.replace(link)


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
            umask=0o077,  # Meltano writes passwords to files
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
