"""The demo's Postgres runs in any folder, ends with its parent process, and is for its user alone."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from demo import postgres_process
from demo.paths import CLONE
from demo.postgres import embedded

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
FOLDERS = ["data", "a folder with spaces", "long" * 40]

# Imports as root, because the other user may not be able to read this Python; then attacks as that user.
ATTACK = """
import json, os, pwd, sys, psycopg
from pathlib import Path
url, data, socket = sys.argv[1:]
user = pwd.getpwnam("nobody")
os.setgroups([])
os.setgid(user.pw_gid)
os.setuid(user.pw_uid)
attacks = {
    "connect": lambda: psycopg.connect(url),
    "connect as oneself": lambda: psycopg.connect(url.replace("postgres@", "nobody@")),
    "list the data": lambda: os.listdir(data),
    "read the data": lambda: Path(data, "PG_VERSION").read_text(),
    "list the folder of the socket": lambda: os.listdir(socket),
}
outcomes = {}
for name, attack in attacks.items():
    try:
        attack()
        outcomes[name] = "succeeded"
    except (OSError, psycopg.OperationalError) as error:
        outcomes[name] = str(error)
print(json.dumps(outcomes))
"""


def _attack(url: str, data: Path) -> dict[str, str]:
    """What comes of the attacks of another local user."""
    command = [sys.executable, "-c", ATTACK, url, str(data), str(_socket_folder(url))]
    outcomes: dict[str, str] = json.loads(subprocess.check_output(command, cwd=CLONE))
    return outcomes


def _socket_folder(url: str) -> Path:
    return Path(parse_qs(urlsplit(url).query)["host"][0])


def _printed(url: str, command: str) -> str:
    """What a command prints that the server runs."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TEMPORARY TABLE printed (line text)")
        connection.execute(f"COPY printed FROM PROGRAM '{command}'".encode())
        return "\n".join(line for (line,) in connection.execute("SELECT line FROM printed"))


def _modes(*folders: Path) -> dict[Path, tuple[int, int]]:
    """Mode and owner of these folders and of all their parents."""
    paths = {each for folder in folders for each in (folder, *folder.parents)}
    return {path: (stat.S_IMODE(path.stat().st_mode), path.stat().st_uid) for path in paths}


@pytest.mark.parametrize("name", FOLDERS)
def test_it_works_in_any_folder(tmp_path: Path, name: str) -> None:
    """The path may contain spaces, or be too long for a socket."""
    with embedded(tmp_path / name) as server, psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert (tmp_path / name / "PG_VERSION").exists()
    assert not (tmp_path / name / "postmaster.pid").exists()


@pytest.mark.parametrize("name", FOLDERS)
def test_only_its_user_can_enter_its_folders(tmp_path: Path, name: str) -> None:
    """Those of the data and of the socket, which is gone when the server is."""
    with embedded(tmp_path / name) as server, psycopg.connect(server.url) as connection:
        socket = _socket_folder(server.url)
        root = os.geteuid() == 0
        user = pwd.getpwnam(postgres_process.SERVER_USER) if root else pwd.getpwuid(os.geteuid())
        for folder in (socket, tmp_path / name):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert folder.stat().st_uid == user.pw_uid
        assert stat.S_IMODE((socket / ".s.PGSQL.5432").stat().st_mode) == 0o700
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
    assert not socket.exists()


def test_the_url_is_the_same_at_every_start(tmp_path: Path) -> None:
    """Unless somebody else has put something in the place of the folder of the socket."""
    with embedded(tmp_path / "data") as first:
        pass
    with embedded(tmp_path / "data") as second:
        assert second.url == first.url
    taken = _socket_folder(first.url)
    taken.mkdir(mode=0o755)
    taken.chmod(0o755)
    try:
        with embedded(tmp_path / "data") as third:
            assert third.url != first.url
            assert stat.S_IMODE(_socket_folder(third.url).stat().st_mode) == 0o700
        assert list(taken.iterdir()) == []
    finally:
        taken.rmdir()


@as_root
@pytest.mark.parametrize("name", FOLDERS)
def test_another_local_user_cannot_connect_or_read(tmp_path: Path, name: str) -> None:
    with embedded(tmp_path / name) as server:
        outcomes = _attack(server.url, tmp_path / name)
    assert len(outcomes) == 5
    assert {each for each in outcomes.values() if "ermission denied" not in each} == set()


@as_root
def test_another_local_user_who_reaches_the_socket_is_still_refused(tmp_path: Path) -> None:
    """Even if the data folder, as earlier demos made it, trusts every local user."""
    with embedded(tmp_path / "data"):
        pass
    access = tmp_path / "data" / "pg_hba.conf"
    access.write_text("local all all trust\n", encoding="utf-8")
    with embedded(tmp_path / "data") as server:
        socket = _socket_folder(server.url)
        socket.chmod(0o755)
        (socket / ".s.PGSQL.5432").chmod(0o777)
        outcomes = _attack(server.url, tmp_path / "data")
    assert 'Peer authentication failed for user "postgres"' in outcomes["connect"]
    assert 'Peer authentication failed for user "nobody"' in outcomes["connect as oneself"]


@as_root
def test_a_program_that_the_server_runs_for_root_has_no_group_of_roots(tmp_path: Path) -> None:
    user = pwd.getpwnam(postgres_process.SERVER_USER)
    assert user.pw_gid not in {0, *os.getgroups()}
    with embedded(tmp_path / "data") as server:
        assert _printed(server.url, "id -u; id -G") == f"{user.pw_uid}\n{user.pw_gid}"


def test_the_server_does_not_inherit_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENESYS_CLIENT_SECRET", "hush-hush-hush")
    with embedded(tmp_path / "data") as server:
        variables = _printed(server.url, "env")
    assert "PATH=" in variables
    assert "hush" not in variables


def test_no_mode_of_another_folder_changes(tmp_path: Path) -> None:
    """Parents that others cannot enter stay so; the programs stay as they were installed."""
    parent = tmp_path / "closed" / "half closed"
    parent.mkdir(parents=True)
    parent.parent.chmod(0o700)
    parent.chmod(0o750)
    programs = [Path(each) for each, _, _ in os.walk(postgres_process._PROGRAMS)]  # noqa: SLF001
    before = _modes(parent, *programs)
    with embedded(parent / "data") as server, psycopg.connect(server.url):
        assert _modes(parent, *programs) == before
    assert _modes(parent, *programs) == before
    assert before[parent][0] == 0o750


@as_root
def test_the_programs_may_be_where_only_root_can_read(tmp_path: Path) -> None:
    """As in a clone in the home folder of root: the server runs a copy, and its modes stay as they are."""
    site, installed = tmp_path / "site", postgres_process._PROGRAMS.parent  # noqa: SLF001
    for folder in (installed, installed.with_name(f"{installed.name}.libs")):
        if folder.exists():
            shutil.copytree(folder, site / folder.name, symlinks=True)
    site.chmod(0o700)
    programs = site / installed.name / postgres_process._PROGRAMS.name  # noqa: SLF001
    start = (
        "import sys; from pathlib import Path; from demo import postgres_process\n"
        "postgres_process._PROGRAMS = Path(sys.argv[1])\n"
        "postgres_process.serve(Path(sys.argv[2]))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", start, str(programs), str(tmp_path / "data")],
        cwd=CLONE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        with psycopg.connect(process.stdout.readline().strip()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        process.communicate()
    assert process.returncode == 0
    assert stat.S_IMODE(site.stat().st_mode) == 0o700


def test_no_postgres_outlives_its_parent_process(tmp_path: Path) -> None:
    """Not even when the parent is killed with SIGKILL; and the data is still there the next time."""
    parent = (
        "import sys, time; from pathlib import Path; from demo.postgres import embedded\n"
        "with embedded(Path(sys.argv[1])) as server:\n"
        "    print(server.url, flush=True); time.sleep(600)"
    )
    folder = tmp_path / "data"
    with subprocess.Popen(
        [sys.executable, "-c", parent, str(folder)], cwd=CLONE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        process.kill()
    deadline = time.monotonic() + 30
    while (folder / "postmaster.pid").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    with embedded(folder) as server, psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_a_server_whose_process_was_killed_is_replaced(tmp_path: Path) -> None:
    """It is stopped by the next start, and its data is kept."""
    folder = tmp_path / "data"
    with subprocess.Popen(
        [sys.executable, "-m", "demo.postgres_process", str(folder)],
        cwd=CLONE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        left = process.stdout.readline().strip()
        process.kill()
    with psycopg.connect(left) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    with embedded(folder) as server, psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    assert not _socket_folder(left).exists()
