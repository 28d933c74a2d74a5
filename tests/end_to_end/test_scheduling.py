"""The blocks of docs/scheduling.md: those that can run here are run, the others are checked.

``test_shell_blocks.py`` runs the section about Meltano.
"""

from __future__ import annotations

import configparser
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from demo.paths import CLONE, MELTANO
from genesys_sandbox import Options, Sandbox, serve

from .conftest import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.postgres import Postgres
    from demo.project import Project

PAGE = (CLONE / "docs" / "scheduling.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [(kind, text) for kind, text in BLOCK.findall(PAGE) if kind != "sh"]
LOAD = "meltano run tap-genesys-aggregates target-postgres"
TIMEOUT = 120


def blocks(kind: str) -> list[str]:
    """The blocks of a language."""
    return [text for each, text in BLOCKS if each == kind]


def test_every_block_is_run_or_checked_here() -> None:
    assert [kind for kind, _ in BLOCKS] == ["crontab", "bash", "crontab", "ini", "ini"]


def test_a_line_for_cron_has_five_fields_and_a_command() -> None:
    for line in blocks("crontab"):
        assert re.fullmatch(r"17 \* \* \* \* (cd )?/srv/genesys\S* .*\n", line)
        assert "%" not in line  # cron would take it for the end of a line


def test_units_are_valid(tmp_path: Path) -> None:
    """``systemd-analyze`` says so, where it is found; the service runs what cron runs."""
    for name, text in zip(("genesys.service", "genesys.timer"), blocks("ini"), strict=True):
        (tmp_path / name).write_text(text, encoding="utf-8")
    service, timer = (configparser.ConfigParser(interpolation=None) for _ in range(2))
    service.read(tmp_path / "genesys.service")
    timer.read(tmp_path / "genesys.timer")
    assert service["Service"]["ExecStart"] == f"/usr/bin/env {LOAD}"
    assert service["Service"]["Type"] == "oneshot"
    assert timer["Install"]["WantedBy"] == "timers.target"
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze was not found: only the form was checked")
    files = [tmp_path / "genesys.service", tmp_path / "genesys.timer"]
    command = [analyze, "verify", "--man=no", "--recursive-errors=no", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    calendar = [analyze, "calendar", "--iterations=1", timer["Timer"]["OnCalendar"]]
    assert ":17:00" in subprocess.run(calendar, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def machine(tmp_path: Path, postgres: Postgres, plugins: Path) -> Iterator[dict[str, str]]:
    """The environment of a user who has filled in everything, with the programs on the path."""
    access = {"client_id": "sandbox", "client_secret": "sandbox", "api": "results"}
    programs = tmp_path / "bin"
    programs.mkdir()
    script = f'#!/bin/sh\nshift\nexec "{MELTANO}" run --no-install "$@"\n'
    (programs / "meltano").write_text(script, encoding="utf-8")
    (programs / "meltano").chmod(0o755)
    target = plugins / "loaders" / "target-postgres" / "venv" / "bin"
    sandbox = Sandbox(Options(volume=0.02, agents=3, requests_per_minute=100_000), now=lambda: NOW)
    with serve(sandbox) as url:
        config = {**access, "base_url": url, "start_date": "2025-06-20T00:00:00Z"}
        yield {
            **{f"TAP_GENESYS_AGGREGATES_{name.upper()}": value for name, value in config.items()},
            **postgres.settings,
            "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": "scheduled",
            "PATH": os.pathsep.join(
                [str(programs), str(Path(sys.executable).parent), str(target), os.environ["PATH"]]
            ),
            "HOME": str(tmp_path),
            "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
        }
    with psycopg.connect(postgres.url) as connection:
        connection.execute("drop schema if exists scheduled cascade")


def run(command: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command of the page."""
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )


def rows(postgres: Postgres) -> int:
    """The rows of a table."""
    with psycopg.connect(postgres.url) as connection:
        found = connection.execute("select count(*) from scheduled.queue_performance").fetchone()
    assert found
    return int(found[0])


@pytest.mark.slow
@pytest.mark.meltano
@pytest.mark.postgres
def test_the_line_for_cron_loads_in_silence_and_prints_the_log_of_a_failure(
    project: Project, machine: dict[str, str], postgres: Postgres
) -> None:
    command = blocks("crontab")[0].split(maxsplit=5)[5].replace("/srv/genesys", str(project.folder))
    done = run(["/bin/sh", "-c", command], project.folder, machine)
    assert done.stdout + done.stderr == ""
    assert rows(postgres) > 0
    failed = run(
        ["/bin/sh", "-c", command], project.folder, {**machine, "TAP_GENESYS_AGGREGATES_API": "none"}
    )
    assert "api" in failed.stdout


@pytest.mark.slow
@pytest.mark.meltano
@pytest.mark.postgres
def test_the_script_without_meltano_keeps_its_state(
    tmp_path: Path, machine: dict[str, str], postgres: Postgres
) -> None:
    """Also when a run fails, or another one is running."""
    folder = tmp_path / "genesys"
    folder.mkdir()
    (folder / "load.sh").write_text(blocks("bash")[0], encoding="utf-8")
    (folder / "load.sh").chmod(0o755)
    environment = dict(machine)
    for file, prefix in (("config", "TAP_GENESYS_AGGREGATES_"), ("target-postgres", "TARGET_POSTGRES_")):
        names = [name for name in environment if name.startswith(prefix)]
        found = {name.removeprefix(prefix).lower(): environment.pop(name) for name in names}
        (folder / f"{file}.json").write_text(json.dumps(found), encoding="utf-8")

    def load() -> int:
        return run([str(folder / "load.sh")], tmp_path, environment).returncode

    assert load() == 0
    loaded, state = rows(postgres), json.loads((folder / "state.json").read_text(encoding="utf-8"))
    assert loaded > 0
    assert "queue_performance" in state["bookmarks"]
    assert load() == 0
    assert rows(postgres) == loaded
    (folder / "target-postgres.json").write_text('{"sqlalchemy_url": "postgresql://nobody@127.0.0.1:1/no"}')
    before = (folder / "state.json").read_text(encoding="utf-8")
    assert load() != 0
    assert (folder / "state.json").read_text(encoding="utf-8") == before
    with (folder / "load.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert load() == 0  # it would fail, but it does not start
