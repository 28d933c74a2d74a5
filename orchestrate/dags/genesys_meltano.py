"""Runs Meltano and understands how it ended: the tap's own message, and whether trying again can help."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from genesys_organizations import TAP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

_SHARED = ("extractors", "loaders", "utilities", "plugins", "meltano.db")
_STOPPING_SECONDS = 30
_LONGEST_ERROR = 2_000
_HIDDEN = "***"
_SHORTEST_SECRET = 4
"""A shorter secret cannot be hidden without hiding half of the log."""
_MAY_HELP = re.compile(
    r"answered (408|429|5\d\d)|try again later|refused the connection|no (TLS )?connection to"
    r"|cannot be found \(|accepted no connection within|sent no complete response|closed the connection"
    r"|does not connect to \S+ \(5\d\d",
    re.IGNORECASE,
)
"""What the tap says when the network or the server was at fault: it has tried again for minutes by then."""
_NOT_INSTALLED = "may not have been installed"
"""What Meltano says of a plugin that is missing, with the command that installs it."""
_INSTALL = "Install Meltano on every worker, and set GENESYS_DAG_MELTANO to the path of the command"
_CLOCK = re.compile(r"^\d\d:\d\d:\d\d +")
_FAILURE = re.compile(rf"{_CLOCK.pattern}(Failure in |(Compilation|Database|Runtime) Error)")
"""How dbt begins to say which model or test failed."""


@dataclass
class Ended:
    """How a command ended.

    Attributes:
        status: Its exit status.
        error: The last error of the tap; or else of the target, of Meltano, or the last line. No secrets.
        of_the_tap: Whether the tap said so.
        final: Whether trying again cannot help, whoever said so.
    """

    status: int = 0
    error: str = ""
    of_the_tap: bool = False
    final: bool = False

    @property
    def may_help(self) -> bool:
        """Whether trying again can help; not against a wrong secret or setting, say."""
        return not self.final and (not self.of_the_tap or _MAY_HELP.search(self.error) is not None)


@dataclass
class _Log:
    """Reads the log of Meltano (``MELTANO_CLI_LOG_FORMAT=json``), line by line."""

    secrets: Sequence[str]
    show: Callable[[str], object]
    errors: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    last: str = ""

    def read(self, line: str) -> None:
        entry = _entry(line)
        # A plugin has its name in `string_id` while it runs, and in `name` while it is asked for its streams.
        source, level = str(entry.get("string_id", entry.get("name", "meltano"))), entry.get("level", "info")
        # Meltano's last entry has the error in `err`; its event is "Block run completed".
        text = hide(str(entry.get("err") or entry.get("event") or "").rstrip(), self.secrets)
        if not text or text == "METRIC":
            return
        if _FAILURE.search(text):
            self.failures.append(_CLOCK.sub("", text))
        elif _FAILURE.search(self.last):  # the reason is in the line that follows
            self.failures[-1] += f": {_CLOCK.sub('', text).strip()}"
        if level in {"error", "critical"}:
            self.errors[source] = text[:_LONGEST_ERROR]
        self.last = text[:_LONGEST_ERROR]
        if source in {TAP, "meltano"} or level != "info":  # a target shows every statement
            self.show(f"{source}: {level}: {text}")

    def ended(self, status: int) -> Ended:
        if status == 0:
            return Ended()
        others = [text for source, text in self.errors.items() if source not in {TAP, "meltano"}]
        dbt = "; ".join(self.failures)[:_LONGEST_ERROR]
        chosen = [self.errors.get(TAP), *others, dbt, self.errors.get("meltano"), self.last]
        error = next(
            (text for text in chosen if text), f"it ended with exit status {status} and said nothing"
        )
        return Ended(status, error, of_the_tap=TAP in self.errors, final=_NOT_INSTALLED in error)


def _entry(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {"event": line}
    return found if isinstance(found, dict) else {"event": line}


def hide(text: str, secrets: Iterable[str]) -> str:
    """Return a text without the secrets."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, _HIDDEN)
    return text


def run(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    secrets: Sequence[str] = (),
    show: Callable[[str], object] = print,
) -> Ended:
    """Run a command of Meltano; if this process is stopped, the command is stopped with all its children.

    Args:
        command: The program and its arguments, which everyone on this machine can see: no secrets.
        folder: The folder of the Meltano project.
        environment: The whole environment of the command.
        secrets: What must not be shown.
        show: Receives the lines of the log.
    """
    log = _Log(secrets, show)
    variables = {**environment, "MELTANO_CLI_LOG_FORMAT": "json", "NO_COLOR": "1", "DBT_USE_COLORS": "false"}
    with _stopped_by_sigterm():
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
                umask=0o077,  # Meltano writes secrets to files
            )
        except OSError as error:
            return Ended(1, f"{command[0]} cannot be run: {error.strerror}. {_INSTALL}", final=True)
        try:
            assert process.stdout is not None  # noqa: S101  # it is a pipe
            with process.stdout as lines:
                for line in lines:
                    log.read(line)
            return log.ended(process.wait())
        except BaseException:
            _stop_group(process)
            raise


@contextlib.contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """Airflow stops a task with SIGTERM, which must reach Meltano."""

    def stop(_number: int, _frame: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop_group(process: subprocess.Popen[str]) -> None:
    """Stop a process and all its children; the tap ends with a valid state."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOPPING_SECONDS)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def own_system_folder(project: Path, organization: str) -> Path:
    """Give an organization a folder of its own for what Meltano writes during a run.

    Two runs of one project at the same time share the files ``state.json`` and ``tap.properties.json`` of the
    tap: each could read the state of the other. Plugins and Meltano's database stay shared, so
    ``meltano state`` knows the states of all.

    Args:
        project: The folder of the Meltano project.
        organization: The name of the organization.

    Returns:
        The folder, for ``MELTANO_SYS_DIR_ROOT``.
    """
    shared = project / ".meltano"
    own = shared / "organizations" / organization
    own.mkdir(parents=True, exist_ok=True)
    for name in _SHARED:
        link = own / name
        if not link.is_symlink():
            link.symlink_to(shared / name)
    return own
