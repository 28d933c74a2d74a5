"""The shell blocks of the README and the docs work exactly as they are written."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from psycopg import sql

from demo.paths import CLONE, MELTANO
from genesys_sandbox import Options, Sandbox, serve

from .conftest import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from demo.postgres import Postgres
    from demo.project import Project

BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
FOR_DEVELOPERS = re.compile(r"\./run (?P<command>[a-z]+)|\.venv/bin/python -m (?P<module>[a-z_.]+)")
# tests/end_to_end/test_install.py runs docs/install.md, and the README's section that repeats blocks of it.
INSTALL = re.compile(r"^## Install\n.*?(?=^## )", re.MULTILINE | re.DOTALL)
PAGES = sorted(
    ["README.md", "CONTRIBUTING.md", *(f"docs/{page.name}" for page in (CLONE / "docs").glob("*.md"))]
)
PAGES.remove("docs/install.md")
TIMEOUT = 60

# Commands that the README has users install. psql may be missing on this machine; psycopg is not.
_MELTANO = """\
#!/bin/sh
case "$1" in
    install) exit 0 ;;
    run | invoke | select) command=$1; shift; set -- "$command" --no-install "$@" ;;
    schedule) [ "$2" != run ] || set -- "$@" --no-install ;;
esac
exec {meltano} "$@"
"""
_PSQL = """\
#!{python}
import sys, psycopg
assert sys.stdin.readline() == "\\\\set ON_ERROR_STOP on\\n"
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    connection.execute(sys.stdin.read().encode())
"""


def blocks(page: str) -> list[str]:
    """The shell blocks of a page."""
    return BLOCK.findall(INSTALL.sub("", (CLONE / page).read_text(encoding="utf-8")))


def commands(page: str, *, for_developers: bool) -> list[str]:
    """The lines of a page that developers run in a clone, or the blocks that users run."""
    if for_developers:
        return [line for block in blocks(page) for line in block.splitlines() if FOR_DEVELOPERS.match(line)]
    return [block for block in blocks(page) if not FOR_DEVELOPERS.match(block)]


@pytest.mark.parametrize("page", PAGES)
def test_commands_for_developers_exist(page: str) -> None:
    """``./run`` has each command, and each module can be run. Other tests check what they do."""
    known = (CLONE / "run").read_text(encoding="utf-8")
    for line in commands(page, for_developers=True):
        match = FOR_DEVELOPERS.match(line)
        assert match
        if match["command"]:
            assert re.search(rf"^    (.*\| )?{match['command']}\)", known, re.MULTILINE), line
        else:
            folder = CLONE / match["module"].replace(".", "/")
            assert folder.with_suffix(".py").exists() or (folder / "__main__.py").exists(), line


@pytest.fixture
def user(project: Project, postgres: Postgres, tmp_path: Path) -> Iterator[dict[str, str]]:
    """A user's folder with the commands that the README installs, a small sandbox, and an empty schema."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    for name, script in {
        "meltano": _MELTANO.format(meltano=shlex.quote(str(MELTANO))),
        "psql": _PSQL.format(python=sys.executable),
    }.items():
        (bin_folder / name).write_text(script, encoding="utf-8")
        (bin_folder / name).chmod(0o755)
    shutil.copy(CLONE / ".env.example", project.folder)
    schema = f"blocks_{tmp_path.name}"[:60]
    started = time.monotonic()

    def now() -> datetime:
        """A clock that moves: the tap goes by it, and a later run must not read at an earlier instant."""
        return NOW + timedelta(seconds=time.monotonic() - started)

    with serve(Sandbox(Options(volume=0.02, agents=3, requests_per_minute=100_000), now=now)) as url:
        _write_files(project.folder, url, postgres, schema)
        yield {
            "PATH": os.pathsep.join([str(bin_folder), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": str(tmp_path),
            "DATABASE_URL": postgres.url,
            "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
        }
    with postgres.connect() as connection:
        for each in (schema, f"{schema}_partners"):
            connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(each)))


def _write_files(folder: Path, url: str, postgres: Postgres, schema: str) -> None:
    """Write the files that a user fills in."""
    access = {"client_id": "sandbox", "client_secret": "sandbox", "base_url": url, "api": "results"}
    config = {**access, "start_date": "2025-06-01T00:00:00Z"}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "state.json").write_text("{}", encoding="utf-8")
    filled = {f"TAP_GENESYS_AGGREGATES_{name.upper()}": value for name, value in config.items()}
    filled |= {**postgres.settings, "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": schema}
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in filled.items()]
    for name in ("acme", "globex"):
        owner = {"GENESYS_CLIENT_ID": name, "GENESYS_CLIENT_SECRET": "its secret"}
        owner |= {
            "TAP_GENESYS_AGGREGATES_ORGANIZATION": name,
            "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": f"{schema}_partners",
        }
        text = "".join(f"{key}={shlex.quote(value)}\n" for key, value in owner.items())
        (folder / f"{name}.env").write_text(text, encoding="utf-8")
    (folder / "filled-in").write_text("".join(lines), encoding="utf-8")


def _run(block: str, project: Project, user: dict[str, str], schema: str) -> str:
    """Run a block, which must succeed, and return its output."""
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", block.replace("--schema genesys", f"--schema {schema}")],
        cwd=project.folder,
        env=user,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, f"{block}\n{output[-3000:]}"
    return output


@pytest.mark.slow
@pytest.mark.meltano
@pytest.mark.postgres
def test_the_blocks_for_users_work(project: Project, user: dict[str, str], tmp_path: Path) -> None:
    """All blocks, in order: set up, load, try, backfill, refresh, views, reconcile."""
    schema = f"blocks_{tmp_path.name}"[:60]
    output = ""
    for page in ("README.md", *(page for page in PAGES if page != "README.md")):
        for block in commands(page, for_developers=False):
            output += _run(block, project, user, schema)
            if ".env" in block and ".env.example" in block:
                with (project.folder / ".env").open("a", encoding="utf-8") as file:
                    file.write((project.folder / "filled-in").read_text(encoding="utf-8"))
    assert "queue_performance: ok" in output
    assert '"type":"STATE"' in output
    assert "queue_performance: equal" in output
    assert "agent_performance: equal" in output
    assert "organization 'acme'\nqueue_performance: equal" in output.replace("\r", "")
