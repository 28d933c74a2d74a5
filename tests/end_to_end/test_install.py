"""The blocks of docs/install.md, and so those of the README, in fresh environments outside the clone."""

from __future__ import annotations

import contextlib
import functools
import json
import re
import threading
from datetime import timedelta
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import psycopg
import pytest
import yaml

from demo.paths import CLONE

from .newcomer import git, machine, publish, repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from demo.postgres import Postgres

    from .newcomer import Machine

PAGE = (CLONE / "docs" / "install.md").read_text(encoding="utf-8")
README = (CLONE / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```(?:sh|json)\n.*?```", re.DOTALL)
COMMANDS = re.findall(r"^\| (?:uv|pipx|pip)\b.*?\| `(.*?)` \| `(.*?)` \|$", PAGE, re.MULTILINE)
"""To upgrade and to uninstall, for each way to install."""
SHELL = re.compile(r"```sh\n(.*?)```", re.DOTALL)

pytestmark = [pytest.mark.slow, pytest.mark.postgres]


def section(page: str, heading: str) -> str:
    """The text under a heading of the second level."""
    return page.split(f"\n## {heading}\n")[1].partition("\n## ")[0]


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published repository."""
    return publish(tmp_path_factory.mktemp("published"))


@pytest.fixture
def newcomer(tmp_path: Path, postgres: Postgres, published: Path) -> Iterator[Machine]:
    """A newcomer's machine, and a database without the schema of the docs."""
    with machine(tmp_path, postgres, published) as found:
        yield found
    with psycopg.connect(postgres.url) as connection:
        connection.execute("drop schema if exists genesys cascade")


def test_the_readme_shows_blocks_of_the_page_as_they_are() -> None:
    blocks = BLOCK.findall(section(README, "Install"))
    assert len(blocks) > 3
    assert [block for block in blocks if block not in PAGE] == []


@pytest.mark.parametrize("way", range(3), ids=["uv", "pipx", "pip"])
def test_each_way_to_install_works(way: int, newcomer: Machine, published: Path) -> None:
    """Both commands are on the path, and `--test` tries every query; then upgrade and uninstall."""
    blocks = SHELL.findall(section(PAGE, "The tap"))
    assert len(blocks) == 3
    newcomer.write_files(PAGE)
    (check,) = SHELL.findall(section(PAGE, "The config"))
    output = newcomer.run(
        blocks[way] + check + "tap-genesys-aggregates-warehouse views --config config.json\n"
    )
    assert "queue_performance: ok" in output
    assert "agent_performance: ok" in output
    assert "agent_performance_current" in output
    environment = ". genesys/bin/activate\n" if "venv" in blocks[way] else ""
    upgrade, uninstall = COMMANDS[way]
    with _next_version(published):
        output = newcomer.run(f"{environment}{upgrade}\ntap-genesys-aggregates --version\n{uninstall}\n")
    assert "tap-genesys-aggregates v99.0.0" in output
    assert newcomer.run(f"{environment}command -v tap-genesys-aggregates || echo gone") == "gone\n"


@contextlib.contextmanager
def _next_version(published: Path) -> Iterator[None]:
    """Publish another version, for the time of a block."""
    project = published / "pyproject.toml"
    text, count = re.subn(
        r'^version = ".*"$', 'version = "99.0.0"', project.read_text("utf-8"), flags=re.MULTILINE
    )
    assert count == 1
    project.write_text(text, encoding="utf-8")
    author = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    git(published, *author, "commit", "--quiet", "--all", "--message", "the next version")
    yield
    git(published, "reset", "--quiet", "--hard", "HEAD~1")


def test_rows_arrive_in_files_and_in_postgres(newcomer: Machine, postgres: Postgres) -> None:
    """From nothing, with the commands of the page in their order."""
    newcomer.write_files(PAGE)
    newcomer.run(SHELL.findall(section(PAGE, "The tap"))[0])
    (to_files,) = SHELL.findall(section(PAGE, "Rows in files"))
    newcomer.run(to_files)
    lines = (newcomer.home / "rows" / "queue_performance.jsonl").read_text(encoding="utf-8").splitlines()
    assert {"interval_start", "queue_id"} <= json.loads(lines[0]).keys()
    (to_postgres,) = SHELL.findall(section(PAGE, "Rows in PostgreSQL"))
    newcomer.run(to_postgres)
    assert _count(postgres) == len(lines) > 0
    (again,) = SHELL.findall(section(PAGE, "The next run"))
    newcomer.run(again)
    assert _count(postgres) == len(lines)
    state = json.loads((newcomer.home / "state.json").read_text(encoding="utf-8"))
    assert "queue_performance" in state["bookmarks"]


@pytest.mark.meltano
def test_meltano_adds_the_tap_from_its_definition(
    newcomer: Machine, postgres: Postgres, tmp_path: Path
) -> None:
    """In a project of its own, with the commands of the page in their order, each run later than the last."""
    add, load, lookup, more = SHELL.findall(section(PAGE, "With Meltano"))
    (variables,) = re.findall(r"```text\n(.*?)```", section(PAGE, "With Meltano"), re.DOTALL)
    definition = f"{repository()}/raw/main/plugin.yaml"
    assert definition in add
    with _hub(tmp_path / "hub") as url:
        newcomer.variables["MELTANO_HUB_URL"] = url
        newcomer.run(add.replace(definition, str(CLONE / "plugin.yaml")))
    newcomer.home /= "warehouse"
    (newcomer.home / ".env").write_text(newcomer.real(variables), encoding="utf-8")
    output = newcomer.run(load)
    assert "queue_performance: ok" in output
    first, loaded = _count(postgres), {"queue_performance", "agent_performance", "extractions"}
    assert first > 0
    assert _tables(postgres) == loaded
    newcomer.passed += timedelta(hours=1)
    newcomer.run(lookup)
    assert _tables(postgres) == loaded | {"queues"}
    newcomer.passed += timedelta(hours=1)
    output = newcomer.run(more)
    assert _count(postgres) >= first
    assert _tables(postgres) == loaded | {"queues", "agent_status"}
    assert "queue_performance: equal" in output
    assert "agent_status: equal" in output


def _tables(postgres: Postgres) -> set[str]:
    """The tables in the database."""
    with psycopg.connect(postgres.url) as connection:
        rows = connection.execute("select tablename from pg_tables where schemaname = 'genesys'").fetchall()
    return {name for (name,) in rows}


@contextlib.contextmanager
def _hub(folder: Path) -> Iterator[str]:
    """A Meltano Hub that knows target-postgres."""
    project = yaml.safe_load((CLONE / "meltano.yml").read_text(encoding="utf-8"))
    (target,) = (each for each in project["plugins"]["loaders"] if each["name"] == "target-postgres")
    target = {name: each for name, each in target.items() if name != "config"}
    plugins = folder / "meltano" / "api" / "v1" / "plugins" / "loaders"
    (plugins / "target-postgres").mkdir(parents=True)
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        reference = {"ref": f"{url}/{(plugins / 'target-postgres' / 'here').relative_to(folder)}"}
        entry = {"logo_url": "", "default_variant": "here", "variants": {"here": reference}}
        known = {"target-postgres": entry}
        (plugins / "index").write_text(json.dumps(known), encoding="utf-8")
        definition = {
            **target,
            "variant": "here",
            "repo": "https://example.com",
            "docs": "https://example.com",
        }
        (plugins / "target-postgres" / "here").write_text(json.dumps(definition), encoding="utf-8")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield url
        server.shutdown()


def _count(postgres: Postgres) -> int:
    """The rows of the table in the database."""
    with psycopg.connect(postgres.url) as connection:
        row = connection.execute("select count(*) from genesys.queue_performance").fetchone()
    assert row
    return int(row[0])
