"""The pipeline as real processes, ``tap | target`` or Meltano, and which of them can be killed."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

import psutil

from demo.paths import MELTANO
from tests.end_to_end.process import TAP, TIMEOUT, write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.kills.loads import Setup

Victim: TypeAlias = Literal["all", "tap", "target", "meltano"]
_REMOVED = ("TAP_GENESYS_", "GENESYS_", "TARGET_", "MELTANO_", "DATABASE_URL", "SINGER_SDK_", "VIRTUAL_ENV")
_POLL_SECONDS = 0.005


def clean_environment() -> dict[str, str]:
    """The environment without variables that Meltano, the tap or the target read."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_REMOVED)}


class Running(Protocol):
    """A run that has been started."""

    def pids(self, victim: Victim) -> list[int]:
        """The processes that a victim has now, if any."""

    def ended(self) -> bool:
        """Whether all its processes have ended."""

    def status(self) -> int:
        """After the end: 0, or the exit code of the first process in the pipe that failed."""


class Pipeline(Protocol):
    """Runs the same load repeatedly; each run starts from the state of the one before."""

    victims: tuple[Victim, ...]

    @property
    def log(self) -> Path:
        """The file that all its processes log to."""

    def run(self) -> contextlib.AbstractContextManager[Running]:
        """Start a run; at the end of the block none of its processes is left."""


def wait_until(condition: Callable[[], bool], seconds: float = TIMEOUT) -> bool:
    """Wait for a condition, and return whether it became true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


@dataclass
class _RunningPipe:
    tap: subprocess.Popen[bytes]
    target: subprocess.Popen[bytes]

    def pids(self, victim: Victim) -> list[int]:
        chosen = {"tap": [self.tap], "target": [self.target]}.get(victim, [self.tap, self.target])
        return [each.pid for each in chosen if each.poll() is None]

    def ended(self) -> bool:
        return self.tap.poll() is not None and self.target.poll() is not None

    def status(self) -> int:
        return self.tap.wait() or self.target.wait()


@dataclass
class Pipe:
    """``tap | target``, with the state kept as Meltano keeps it: the last one that the target printed.

    Attributes:
        setup: What to load.
        folder: A folder for files.
        target: The target's executable.
        arguments: The target's arguments.
        wrapper: A command that starts the target, such as one that limits it.
    """

    setup: Setup
    folder: Path
    target: Path
    arguments: tuple[str, ...] = ("--config=ENV",)
    wrapper: tuple[str, ...] = ()
    victims: tuple[Victim, ...] = field(default=("all", "tap", "target"), init=False)

    @property
    def log(self) -> Path:
        """The standard error of both."""
        return self.folder / "pipe.log"

    @property
    def state(self) -> Path:
        """The last state that the target printed, in any run."""
        return self.folder / "state.json"

    @contextlib.contextmanager
    def run(self) -> Iterator[Running]:
        """Start a run; at the end of the block no process is left, and its state is kept."""
        config = write_json(self.folder, "config", self.setup.config)
        state = ["--state", str(self.state)] if self.state.exists() else []
        target_output = self.folder / "target.out"
        with self.log.open("ab") as log, target_output.open("wb") as out:
            tap = subprocess.Popen(
                [str(TAP), "--config", config, *state],
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
            target = subprocess.Popen(
                [*self.wrapper, str(self.target), *self.arguments],
                env={**clean_environment(), **self.setup.target_settings},
                cwd=self.folder,
                stdin=tap.stdout,
                stdout=out,
                stderr=log,
                start_new_session=True,
            )
            assert tap.stdout is not None
            tap.stdout.close()  # otherwise the tap would not notice that the target has ended
            try:
                yield _RunningPipe(tap, target)
            finally:
                for each in (tap, target):
                    each.kill()
                    each.wait()
        self._keep_state(target_output)

    def _keep_state(self, target_output: Path) -> None:
        """Keep the last complete line that the target printed."""
        *lines, _ = target_output.read_text(encoding="utf-8").split("\n")
        if lines:
            self.state.write_text(json.dumps(json.loads(lines[-1])), encoding="utf-8")


@dataclass
class _RunningMeltano:
    meltano: subprocess.Popen[bytes]

    def pids(self, victim: Victim) -> list[int]:
        found = self.processes()
        if victim == "all":
            return [each.pid for each in found]
        if victim == "meltano":
            return [each.pid for each in found if each.pid == self.meltano.pid]
        name = {"tap": "tap-genesys-aggregates", "target": "target-postgres"}[victim]
        return [each.pid for each in found if _runs(each, name)]

    def processes(self) -> list[psutil.Process]:
        """Meltano and everything that it started, as far as it still runs."""
        self.meltano.poll()
        found = []
        for each in psutil.process_iter(["status"]):
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                if os.getsid(each.pid) == self.meltano.pid and each.status() != psutil.STATUS_ZOMBIE:
                    found.append(each)
        return found

    def ended(self) -> bool:
        return self.meltano.poll() is not None and not self.processes()

    def status(self) -> int:
        return self.meltano.wait()


def _runs(process: psutil.Process, name: str) -> bool:
    """Whether a process is this plugin, loading data and not discovering its catalog."""
    with contextlib.suppress(psutil.Error):
        words = process.cmdline()
        return any(word.endswith(f"/{name}") for word in words[:2]) and "--discover" not in words
    return False


@dataclass
class Meltano:
    """``meltano run tap-genesys-aggregates target-postgres`` in a separate project.

    Attributes:
        setup: What to load.
        folder: The project.
    """

    setup: Setup
    folder: Path
    victims: tuple[Victim, ...] = field(default=("all", "tap", "target", "meltano"), init=False)

    @property
    def log(self) -> Path:
        """What Meltano and its plugins print."""
        return self.folder / "meltano.log"

    @property
    def variables(self) -> dict[str, str]:
        """The settings of the tap and the target."""
        config = {
            f"TAP_GENESYS_AGGREGATES_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
            for name, value in self.setup.config.items()
        }
        return {
            "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
            "NO_COLOR": "1",
            **config,
            **self.setup.target_settings,
        }

    @contextlib.contextmanager
    def run(self) -> Iterator[Running]:
        """Start a run; at the end of the block none of its processes is left.

        ``--force`` is needed because a Meltano killed with SIGKILL counts as running for five minutes.
        """
        arguments = ["run", "--no-install", "--force", "tap-genesys-aggregates", "target-postgres"]
        with self.log.open("ab") as log:
            meltano = subprocess.Popen(
                [str(MELTANO), *arguments],
                cwd=self.folder,
                env={**clean_environment(), **self.variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            running = _RunningMeltano(meltano)
            try:
                yield running
            finally:
                for each in running.processes():
                    with contextlib.suppress(psutil.Error):
                        each.kill()
                meltano.wait()
