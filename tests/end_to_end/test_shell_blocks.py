"""The shell blocks of the README and of the docs do what they say, as they stand there."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from psycopg import sql

from demo.paths import CLONE, MELTANO
from genesys_sandbox import Options, Sandbox, serve

from .conftest import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.postgres import Postgres
    from demo.project import Project

BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
OF_THE_CLONE = re.compile(r"\./run (?P<command>[a-z]+)|\.venv/bin/python -m (?P<module>[a-z_.]+)")
PAGES = sorted(
    ["README.md", "CONTRIBUTING.md", *(f"docs/{page.name}" for page in (CLONE / "docs").glob("*.md"))]
)
PATIENCE = 60

# What stands on the PATH of a user who has followed the README; psql may be missing here, psycopg is not.
_MELTANO = """\
#!/bin/sh
case "$1" in
    install) exit 0 ;;
    run) shift; set -- run --no-install "$@" ;;
esac
exec {meltano} "$@"
"""
_PSQL = """\
#!{python}
import sys, psycopg
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    connection.execute(sys.stdin.read().encode())
"""


def blocks(page: str) -> list[str]:
    """The shell blocks of a page."""
    return BLOCK.findall((CLONE / page).read_text(encoding="utf-8"))


def lines_for(page: str, *, clone: bool) -> list[str]:
    """The commands of a page that are for a developer's clone, or the blocks that are for a user."""
    if clone:
        return [line for block in blocks(page) for line in block.splitlines() if OF_THE_CLONE.match(line)]
    return [block for block in blocks(page) if not OF_THE_CLONE.match(block)]


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_a_clone_are_there(page: str) -> None:
    """``./run`` knows each; modules can be run. What they do is the subject of other tests."""
    known = (CLONE / "run").read_text(encoding="utf-8")
    for line in lines_for(page, clone=True):
        match = OF_THE_CLONE.match(line)
        assert match
        if match["command"]:
            assert re.search(rf"^    (.*\| )?{match['command']}\)", known, re.MULTILINE), line
        else:
            folder = CLONE / match["module"].replace(".", "/")
            assert folder.with_suffix(".py").exists() or (folder / "__main__.py").exists(), line


@pytest.fixture
def user(project: Project, postgres: Postgres, tmp_path: Path) -> Iterator[dict[str, str]]:
    """A user's folder, with what the README told to be installed; a small organisation; an empty schema."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, script in {
        "meltano": _MELTANO.format(meltano=shlex.quote(str(MELTANO))),
        "psql": _PSQL.format(python=sys.executable),
    }.items():
        (commands / name).write_text(script, encoding="utf-8")
        (commands / name).chmod(0o755)
    shutil.copy(CLONE / ".env.example", project.folder)
    schema = f"blocks_{tmp_path.name}"[:60]
    with serve(Sandbox(Options(volume=0.02, agents=3, requests_per_minute=100_000), now=lambda: NOW)) as url:
        _settle(project.folder, url, postgres, schema)
        yield {
            "PATH": os.pathsep.join([str(commands), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": str(tmp_path),
            "DATABASE_URL": postgres.url,
            "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
        }
    with postgres.connect() as connection:
        connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema)))


def _settle(folder: Path, url: str, postgres: Postgres, schema: str) -> None:
    """The two files that a user fills in."""
    access = {"client_id": "sandbox", "client_secret": "sandbox", "base_url": url, "api": "results"}
    config = {**access, "start_date": "2025-06-01T00:00:00Z"}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "state.json").write_text("{}", encoding="utf-8")
    filled = {f"TAP_GENESYS_AGGREGATES_{name.upper()}": value for name, value in config.items()}
    filled |= {**postgres.settings, "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": schema}
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in filled.items()]
    (folder / "filled-in").write_text("".join(lines), encoding="utf-8")


def _run(block: str, project: Project, user: dict[str, str], schema: str) -> str:
    """What a block says; it must end well."""
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", block.replace("--schema genesys", f"--schema {schema}")],
        cwd=project.folder,
        env=user,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{block}\n{said[-3000:]}"
    return said


@pytest.mark.slow
@pytest.mark.meltano
@pytest.mark.postgres
def test_what_a_user_is_told_to_do_works(project: Project, user: dict[str, str], tmp_path: Path) -> None:
    """Every block, in order: set up, load, try, back-fill, refresh, views, reconcile."""
    schema = f"blocks_{tmp_path.name}"[:60]
    said = ""
    for page in ("README.md", *(page for page in PAGES if page != "README.md")):
        for block in lines_for(page, clone=False):
            said += _run(block, project, user, schema)
            if ".env" in block and ".env.example" in block:
                with (project.folder / ".env").open("a", encoding="utf-8") as file:
                    file.write((project.folder / "filled-in").read_text(encoding="utf-8"))
    assert "queue_performance: ok" in said
    assert '"type":"STATE"' in said
    assert "queue_performance: equal" in said
    assert "agent_performance: equal" in said
