"""``./run demo``: what it loads is proven, a second one loads what is due, a false number is found."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest

from demo.ledger import Ledger
from demo.places import CLONE
from demo.postgres import embedded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from demo.postgres import Postgres

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

PATIENCE = 240


@pytest.fixture
def ledger(postgres: Postgres) -> Iterator[Ledger]:
    """What the demo knows of the tests' own Postgres, which it takes for the user's."""
    ledger = Ledger(postgres.url)
    yield ledger
    shutil.rmtree(ledger.folder, ignore_errors=True)


def _demo(url: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "demo"],
        cwd=CLONE,
        env={**os.environ, "DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _begun_by_the_demo(ledger: Ledger) -> list[str]:
    """Commands that run with what the demo puts into the environment."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("MELTANO_DATABASE_URI") == ledger.settings["MELTANO_DATABASE_URI"]:
                found.append(" ".join(process.cmdline()))
    return found


@pytest.mark.meltano
def test_the_demo_proves_what_it_loads(postgres: Postgres, ledger: Ledger) -> None:
    """Twice: the second loads less; and a number that somebody changed meanwhile is not passed over."""
    with _demo(postgres.url) as demo:
        said, _ = demo.communicate(timeout=PATIENCE)
    assert demo.returncode == 0, said
    assert said.count("all equal") == 4
    first = ledger.first
    assert first is not None
    assert first.rows > 0
    with postgres.connect() as connection:
        connection.execute("UPDATE sample_week SET t_handle_sum = 1 WHERE t_handle_count = 817")
    with _demo(postgres.url) as demo:
        said, _ = demo.communicate(timeout=PATIENCE)
    assert demo.returncode == 1, said
    assert "Only what was due" in said
    assert said.count("all equal") == 3
    assert "2 rows differ" in said  # the false one, and the right one that is missing
    assert "Postgres does not hold what it must: sample_week" in said


@pytest.mark.meltano
def test_the_demo_can_be_stopped(postgres: Postgres, ledger: Ledger) -> None:
    """Ctrl-C amid a load: it says so, ends with 130, and nothing that it began goes on."""
    with _demo(postgres.url) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "meltano run" in line:
                break
        deadline = time.monotonic() + PATIENCE
        while not any("tap" in command for command in _begun_by_the_demo(ledger)):
            assert time.monotonic() < deadline
        demo.send_signal(signal.SIGINT)
        said = demo.stdout.read()
        assert demo.wait(PATIENCE) == 130, said
    assert "Stopped." in said
    assert ledger.begun
    assert ledger.first is None
    assert _begun_by_the_demo(ledger) == []


@pytest.mark.parametrize("name", ["data", "a folder with blanks", "long" * 40])
def test_a_postgres_wherever_the_clone_is(tmp_path: Path, name: str) -> None:
    """Its folder may have blanks in its path, or one that is too long for a socket."""
    with embedded(tmp_path / name) as server, psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert (tmp_path / name / "PG_VERSION").exists()
    assert not (tmp_path / name / "postmaster.pid").exists()


def test_no_postgres_outlives_its_holder(tmp_path: Path) -> None:
    """Not even when the holder is killed outright; and what was in it is there the next time."""
    holder = (
        "import sys, time; from pathlib import Path; from demo.postgres import embedded\n"
        "with embedded(Path(sys.argv[1])) as server:\n"
        "    print(server.url, flush=True); time.sleep(600)"
    )
    folder = tmp_path / "data"
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(folder)], cwd=CLONE, stdout=subprocess.PIPE, text=True
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
