"""``./run demo`` verifies what it loads, loads only what is due the second time, and finds a wrong value."""

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
import pytest

from demo.history import DemoHistory
from demo.paths import CLONE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from demo.postgres import Postgres

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

TIMEOUT = 240
_PROXIES = dict.fromkeys(("HTTP_PROXY", "http_proxy"), "http://127.0.0.1:9")
"""No proxy listens there, and requests to the sandbox need none. ALL_PROXY would keep pip from its index."""


@pytest.fixture
def history(postgres: Postgres) -> Iterator[DemoHistory]:
    """The demo's history of the tests' Postgres, which the demo treats as the user's own."""
    history = DemoHistory(postgres.url)
    yield history
    shutil.rmtree(history.folder, ignore_errors=True)


def _demo(url: str, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "demo", *options],
        cwd=CLONE,
        env={**os.environ, **_PROXIES, "DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _processes_of_the_demo(history: DemoHistory) -> list[str]:
    """Running commands whose environment was set by the demo."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("MELTANO_DATABASE_URI") == history.settings["MELTANO_DATABASE_URI"]:
                found.append(" ".join(process.cmdline()))
    return found


@pytest.mark.meltano
def test_the_demo_verifies_what_it_loads(postgres: Postgres, history: DemoHistory) -> None:
    """The second run loads only what is due, and finds a value that was changed in between."""
    with _demo(postgres.url) as demo:
        output, _ = demo.communicate(timeout=TIMEOUT)
    assert demo.returncode == 0, output
    assert output.count("all equal") == 5
    page = history.folder / "report.html"
    assert f"The page: {page}" in output
    assert "tables equal the sandbox's own books" in page.read_text(encoding="utf-8").replace("&#x27;", "'")
    first = history.first
    assert first is not None
    assert first.rows > 0
    with postgres.connect() as connection:
        connection.execute("UPDATE sample_week SET t_handle_sum = 1 WHERE t_handle_count = 817")
    with _demo(postgres.url) as demo:
        output, _ = demo.communicate(timeout=TIMEOUT)
    assert demo.returncode == 1, output
    assert "Loaded only what was due" in output
    assert output.count("all equal") == 4
    assert "differ from the sandbox&#x27;s own books: sample_week" in page.read_text(encoding="utf-8")
    assert "2 rows differ" in output  # the wrong row, and the expected row that is missing
    assert "Postgres does not hold the expected rows: sample_week" in output


@pytest.mark.meltano
def test_the_demo_can_be_stopped(postgres: Postgres, history: DemoHistory) -> None:
    """On Ctrl-C during a load it prints a message, exits with 130, and leaves no process behind."""
    with _demo(postgres.url) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "meltano run" in line:
                break
        deadline = time.monotonic() + TIMEOUT
        while not any("tap" in command for command in _processes_of_the_demo(history)):
            assert time.monotonic() < deadline
        demo.send_signal(signal.SIGINT)
        output = demo.stdout.read()
        assert demo.wait(TIMEOUT) == 130, output
    assert "Stopped." in output
    assert history.started
    assert history.first is None
    assert _processes_of_the_demo(history) == []


_WITHOUT_LOADS = """\
import sys
from pathlib import Path
from demo import cli, errors, history, paths

class Run:
    def __init__(self, *_):
        pass

    def run(self):
        if "fails" in sys.argv:
            raise errors.DemoError("A load failed.")
        return 0

history.DEMO = paths.DEMO = Path(sys.argv[1])
cli.project.prepare = lambda: None
cli.DemoRun = Run
sys.exit(cli.run([each for each in sys.argv[2:] if each != "fails"]))
"""


def _quick_demo(folder: Path, *options: str) -> str:
    """The demo's command line with an embedded Postgres but without loads; its output."""
    command = [sys.executable, "-c", _WITHOUT_LOADS, str(folder), *options]
    done = subprocess.run(command, cwd=CLONE, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert done.returncode == ("fails" in options), done.stderr
    return done.stdout


def _servers(folder: Path) -> list[str]:
    """Commands that run with or in a folder; a zombie has ended."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and (
                str(folder) in " ".join(process.cmdline()) or process.cwd().startswith(str(folder))
            ):
                found.append(" ".join(process.cmdline()))
    return found


@pytest.fixture
def demos(tmp_path: Path) -> Iterator[Path]:
    """The folder of demos; none of them outlives the test."""
    yield tmp_path
    _quick_demo(tmp_path, "--stop")


def test_the_demo_can_keep_postgres_running(demos: Path) -> None:
    """It prints a command to look at the tables, and another to stop; a new demo takes over the server."""
    output = _quick_demo(demos, "--keep")
    psql, stop = output.split("to stop it:\n\n")[1].splitlines()[:2]
    assert stop == "./run demo --stop"
    command = ["/bin/sh", "-c", f"{psql} -At -c 'show search_path'"]
    for _ in range(2):
        shown = subprocess.run(command, capture_output=True, text=True, check=True)
        assert shown.stdout == "genesys_demo\n"
        assert psql in _quick_demo(demos, "--keep")
    assert _quick_demo(demos, "--stop") == "Stopped. The data is kept.\n"
    assert _servers(demos) == []
    assert _quick_demo(demos, "--stop") == "No Postgres of the demo is running.\n"


@pytest.mark.parametrize("options", [[], ["--keep", "fails"]], ids=["without --keep", "a demo that fails"])
def test_otherwise_the_demo_leaves_no_postgres_behind(demos: Path, options: list[str]) -> None:
    assert "keeps running" not in _quick_demo(demos, *options)
    assert _servers(demos) == []
