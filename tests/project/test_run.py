"""``./run`` prepares an environment once, and ends honestly; with a Python that only pretends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from .written import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PYTHON = """\
#!/bin/sh
echo "$(basename "$0") $*" >>"$DIARY"
case "$*" in
    "-m venv "*)
        mkdir -p "$3/bin"
        for name in python uv ruff mypy lint-imports pip-audit; do cp "$0" "$3/bin/$name"; done ;;
    "-m pip config list") echo "$PIP_CONFIG" ;;
    "-m pip install "*) if [ -n "$SLOW" ]; then echo $$ >"$SLOW"; exec sleep 60; fi ;;
esac
case "$(basename "$0") $*" in
    $FAILS*) exit 3 ;;
esac
"""
PATIENCE = 20
LOCKS = [f"requirements{which}.lock" for which in ("", "-meltano", "-peers", "-audit")]


class Clone:
    """A copy of what ``./run`` needs, and a Python that writes a diary instead of working."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "clone"
        self.diary = folder / "diary"
        self.folder.mkdir()
        for name in ("run", "pyproject.toml"):
            shutil.copy(ROOT / name, self.folder)
        for name in LOCKS:
            (self.folder / name).write_text("uv==1 \\\n    --hash=sha256:00\nzzz==2\n", encoding="utf-8")
        self.python = folder / "pretender"
        self.python.write_text(PYTHON, encoding="utf-8")
        self.python.chmod(0o755)
        self.variables = {"PYTHON": str(self.python), "DIARY": str(self.diary), "FAILS": "nothing"}

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Begin a command, from another folder."""
        self.diary.write_text("", encoding="utf-8")
        return subprocess.Popen(
            [str(self.folder / "run"), *arguments],
            cwd="/",
            env={"PATH": os.environ["PATH"], "PIP_CONFIG": "", "SLOW": "", **self.variables, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, **variables: str) -> tuple[int, str]:
        """Run a command: its status, and what it says."""
        with self.start(*arguments, **variables) as process:
            output, said = process.communicate(timeout=PATIENCE)
        return process.returncode, output + said

    @property
    def installed(self) -> list[str]:
        """What pip and uv were told to install, and how."""
        lines = self.diary.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if "pip install" in line]


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A fresh clone."""
    return Clone(tmp_path)


def test_it_says_what_it_can(clone: Clone) -> None:
    """Without a command it shows them all; with one that is not there it fails, and installs nothing."""
    status, said = clone.run()
    assert status == 0
    assert all(name in said for name in ("demo", "test", "test fast", "lint", "lock", "bench", "simulate"))
    status, said = clone.run("tset")
    assert (status, "tset" in said) == (2, True)
    assert clone.installed == []


def test_it_prepares_once(clone: Clone) -> None:
    """First uv, by hash; with it everything, by hash; then the project alone. The next time nothing."""
    assert clone.run("lint")[0] == 0
    assert clone.installed == [
        "python -m pip install -qq --require-hashes -r .venv/uv.lock",
        "uv pip install --quiet --python .venv/bin/python --require-hashes -r requirements.lock",
        "python -m pip install -qq --no-deps --no-build-isolation --editable .",
    ]
    quick = (clone.folder / ".venv" / "uv.lock").read_text(encoding="utf-8")
    assert quick == "uv==1 \\\n    --hash=sha256:00\n"
    assert clone.run("lint")[0] == 0
    assert clone.installed == []


def test_it_prepares_again_when_the_lock_changes(clone: Clone) -> None:
    """Another lock, another environment."""
    clone.run("lint")
    with (clone.folder / "requirements.lock").open("a", encoding="utf-8") as lock:
        lock.write("zzzz==3\n")
    clone.run("lint")
    assert len(clone.installed) == 3


def test_it_prepares_again_where_the_clone_has_moved(clone: Clone) -> None:
    """Scripts of an environment hold its path, so a moved clone cannot use its old one."""
    clone.run("lint")
    clone.folder = clone.folder.rename(clone.folder.with_name("moved clone"))
    assert clone.run("lint")[0] == 0
    assert len(clone.installed) == 3


def test_pip_does_it_where_uv_cannot(clone: Clone) -> None:
    """When uv fails, pip installs the same, by hash."""
    status, said = clone.run("lint", FAILS="uv pip install")
    assert (status, "trying pip" in said) == (0, True)
    assert "python -m pip install -qq --require-hashes -r requirements.lock" in clone.installed


def test_pip_does_it_where_it_knows_another_index(clone: Clone) -> None:
    """Where pip's settings name an index, uv, which does not read them, is not asked."""
    assert clone.run("lint", PIP_CONFIG="global.index-url='https://index.invalid/simple'")[0] == 0
    assert clone.installed[0] == "python -m pip install -qq --require-hashes -r requirements.lock"
    assert len(clone.installed) == 2


def test_what_is_half_made_is_made_anew(clone: Clone) -> None:
    """An installation that fails is told as such, and the next run begins from nothing."""
    assert clone.run("lint", FAILS="python -m pip install -qq --no-deps")[0] == 3
    assert clone.run("lint")[0] == 0
    assert len(clone.installed) == 3


@pytest.mark.parametrize("tool", ["ruff", "mypy", "lint-imports"])
def test_lint_fails_when_one_of_its_tools_does(clone: Clone, tool: str) -> None:
    """And the others still have their say."""
    assert clone.run("lint", FAILS=tool)[0] == 1
    lines = clone.diary.read_text(encoding="utf-8").splitlines()
    assert [line.strip() for line in lines[-3:]] == ["ruff check", "mypy", "lint-imports"]


def test_a_part_that_is_not_there_is_named(clone: Clone) -> None:
    """``bench`` and ``simulate`` say so where a clone lacks them."""
    assert clone.run("bench") == (2, "This clone has no bench to run.\n")
    assert clone.run("simulate") == (2, "This clone has no tests.simulation to run.\n")


@pytest.mark.parametrize(
    ("command", "ends", "environments"),
    [
        ("bench", ["python -m bench profile"], {".venv", ".demo/meltano", ".demo/peers"}),
        ("demo", ["python -m demo profile"], {".venv", ".demo/meltano"}),
    ],
)
def test_a_command_prepares_what_it_uses(
    clone: Clone, command: str, ends: list[str], environments: set[str]
) -> None:
    """Only the bench wants its peers, from a lock of their own, by hash; then it is run as it was told."""
    (clone.folder / command).mkdir()
    (clone.folder / command / "__main__.py").touch()
    assert clone.run(command, "profile")[0] == 0
    told = [line.split() for line in clone.installed if line.startswith("uv ")]
    assert {words[words.index("--python") + 1].removesuffix("/bin/python") for words in told} == environments
    assert all("--require-hashes" in words for words in told)
    assert clone.diary.read_text(encoding="utf-8").splitlines()[-1:] == ends


def test_an_environment_that_fails_is_not_passed_over(clone: Clone) -> None:
    """Where the peers cannot be installed, the bench does not begin."""
    (clone.folder / "bench").mkdir()
    (clone.folder / "bench" / "__main__.py").touch()
    fails = "*-r requirements-peers.lock"
    assert clone.run("bench", FAILS=fails)[0] == 3
    assert "python -m bench" not in clone.diary.read_text(encoding="utf-8")


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_can_be_stopped_while_it_prepares(clone: Clone, signum: int, code: int) -> None:
    """A signal ends what it has started too, and it does not look like success."""
    note = clone.folder / "pid"
    with clone.start("lint", SLOW=str(note)) as process:
        _until(lambda: note.exists() and note.read_text(encoding="utf-8").strip())
        child = int(note.read_text(encoding="utf-8"))
        process.send_signal(signum)
        assert process.wait(PATIENCE) == code
        _until(lambda: not _alive(child))


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_an_audit_asks_about_every_lock(clone: Clone) -> None:
    """Each is asked about, whatever was said of the others; and one that is found weak is a failure."""
    assert clone.run("audit")[0] == 0
    code, _ = clone.run("audit", FAILS="pip-audit *-r requirements-peers.lock")
    assert code == 1
    asked = [line for line in clone.diary.read_text(encoding="utf-8").splitlines() if "pip-audit" in line]
    assert sorted(line.rpartition(" ")[2] for line in asked) == sorted(LOCKS)
    assert all("--require-hashes" in line and "--strict" in line for line in asked)
