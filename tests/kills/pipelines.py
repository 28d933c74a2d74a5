"""The pipeline in real processes: a bare pipe, or Meltano; and who in it can be killed."""

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
from tests.end_to_end.process import PATIENCE, TAP, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.kills.scene import Scene

Victim: TypeAlias = Literal["all", "tap", "target", "meltano"]
_STEERING = ("TAP_GENESYS_", "GENESYS_", "TARGET_", "MELTANO_", "DATABASE_URL", "SINGER_SDK_", "VIRTUAL_ENV")
_LOOK_AGAIN_SECONDS = 0.005


def surroundings() -> dict[str, str]:
    """The environment without what would steer Meltano, the tap or the target."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_STEERING)}


class Running(Protocol):
    """A run that has begun."""

    def pids(self, victim: Victim) -> list[int]:
        """The processes that a victim has now; empty where it is not there."""

    def over(self) -> bool:
        """Whether every process of it has ended."""

    def status(self) -> int:
        """Once it is over: 0, or the exit code of what failed first in the order of the pipe."""


class Pipeline(Protocol):
    """Runs one scene, again and again, with the state that the run before left."""

    victims: tuple[Victim, ...]

    @property
    def log(self) -> Path:
        """Where everybody in it says what happens."""

    def run(self) -> contextlib.AbstractContextManager[Running]:
        """Begin a run; at the end of the block nothing of it is left."""


def until(true: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Look until something is so; whether it was in time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_AGAIN_SECONDS)
    return True


@dataclass
class _Piped:
    """``tap | target``."""

    tap: subprocess.Popen[bytes]
    target: subprocess.Popen[bytes]

    def pids(self, victim: Victim) -> list[int]:
        chosen = {"tap": [self.tap], "target": [self.target]}.get(victim, [self.tap, self.target])
        return [each.pid for each in chosen if each.poll() is None]

    def over(self) -> bool:
        return self.tap.poll() is not None and self.target.poll() is not None

    def status(self) -> int:
        return self.tap.wait() or self.target.wait()


@dataclass
class Pipe:
    """``tap | target``, with the state kept as Meltano keeps it: the last that the target printed.

    Attributes:
        scene: What is loaded.
        folder: Where files go.
        target: The target's executable.
        limit: What is put before the target's command.
    """

    scene: Scene
    folder: Path
    target: Path
    arguments: tuple[str, ...] = ("--config=ENV",)
    limit: tuple[str, ...] = ()
    victims: tuple[Victim, ...] = field(default=("all", "tap", "target"), init=False)

    @property
    def log(self) -> Path:
        """What both say on standard error."""
        return self.folder / "pipe.log"

    @property
    def state(self) -> Path:
        """The state of the last run that left one."""
        return self.folder / "state.json"

    @contextlib.contextmanager
    def run(self) -> Iterator[Running]:
        """Begin a run; at the end of the block nothing of it is left, and its state is kept."""
        config = written(self.folder, "config", self.scene.config)
        known = ["--state", str(self.state)] if self.state.exists() else []
        said = self.folder / "target.out"
        with self.log.open("ab") as log, said.open("wb") as out:
            tap = subprocess.Popen(
                [str(TAP), "--config", config, *known],
                env=surroundings(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
            target = subprocess.Popen(
                [*self.limit, str(self.target), *self.arguments],
                env={**surroundings(), **self.scene.target},
                cwd=self.folder,
                stdin=tap.stdout,
                stdout=out,
                stderr=log,
                start_new_session=True,
            )
            assert tap.stdout is not None
            tap.stdout.close()  # so that the tap learns of the target's end
            try:
                yield _Piped(tap, target)
            finally:
                for each in (tap, target):
                    each.kill()
                    each.wait()
        self._keep(said)

    def _keep(self, said: Path) -> None:
        """Keep the last whole line that the target printed."""
        *lines, _ = said.read_text(encoding="utf-8").split("\n")
        if lines:
            self.state.write_text(json.dumps(json.loads(lines[-1])), encoding="utf-8")


@dataclass
class _UnderMeltano:
    """``meltano run`` and what it began."""

    meltano: subprocess.Popen[bytes]

    def pids(self, victim: Victim) -> list[int]:
        found = self.session()
        if victim == "all":
            return [each.pid for each in found]
        if victim == "meltano":
            return [each.pid for each in found if each.pid == self.meltano.pid]
        name = {"tap": "tap-genesys-aggregates", "target": "target-postgres"}[victim]
        return [each.pid for each in found if _runs(each, name)]

    def session(self) -> list[psutil.Process]:
        """Every process of it that has not ended."""
        self.meltano.poll()
        found = []
        for each in psutil.process_iter(["status"]):
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                if os.getsid(each.pid) == self.meltano.pid and each.status() != psutil.STATUS_ZOMBIE:
                    found.append(each)
        return found

    def over(self) -> bool:
        return self.meltano.poll() is not None and not self.session()

    def status(self) -> int:
        return self.meltano.wait()


def _runs(process: psutil.Process, name: str) -> bool:
    """Whether a process is a plugin at work, not asked for its catalog."""
    with contextlib.suppress(psutil.Error):
        words = process.cmdline()
        return any(word.endswith(f"/{name}") for word in words[:2]) and "--discover" not in words
    return False


@dataclass
class Meltano:
    """``meltano run tap-genesys-aggregates target-postgres`` in a project of its own.

    Attributes:
        scene: What is loaded.
        folder: The project.
    """

    scene: Scene
    folder: Path
    victims: tuple[Victim, ...] = field(default=("all", "tap", "target", "meltano"), init=False)

    @property
    def log(self) -> Path:
        """All that is said."""
        return self.folder / "meltano.log"

    @property
    def variables(self) -> dict[str, str]:
        """The settings of tap and target."""
        config = {
            f"TAP_GENESYS_AGGREGATES_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
            for name, value in self.scene.config.items()
        }
        return {"MELTANO_CLI_DISABLE_VERSION_CHECK": "true", "NO_COLOR": "1", **config, **self.scene.target}

    @contextlib.contextmanager
    def run(self) -> Iterator[Running]:
        """Begin a run; at the end of the block nothing of it is left.

        A Meltano that was killed outright counts as running for five minutes: hence ``--force``.
        """
        words = ["run", "--no-install", "--force", "tap-genesys-aggregates", "target-postgres"]
        with self.log.open("ab") as log:
            meltano = subprocess.Popen(
                [str(MELTANO), *words],
                cwd=self.folder,
                env={**surroundings(), **self.variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            running = _UnderMeltano(meltano)
            try:
                yield running
            finally:
                for each in running.session():
                    with contextlib.suppress(psutil.Error):
                        each.kill()
                meltano.wait()
