"""``./run`` prepares environments once and reports failures. A fake Python records its calls."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from .generated_settings import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow

PYTHON = """\
#!/bin/sh
echo "$(basename "$0") $*" >>"$CALLS"
case "$*" in
    "-m venv "*)
        mkdir -p "$3/bin"
        for name in python uv ruff mypy lint-imports pip-audit cyclonedx-py; do
            cp "$0" "$3/bin/$name"
        done ;;
    "-m pip config list") echo "$PIP_CONFIG" ;;
    "-m pip install "*) if [ -n "$SLOW" ]; then echo $$ >"$SLOW"; exec sleep 60; fi ;;
esac
case "$(basename "$0") $*" in
    $FAILS*) exit 3 ;;
esac
"""
TIMEOUT = 20
UV = "--require-hashes --build-constraints requirements-build.lock -r requirements.lock"
PIP = [
    "python -m pip install -qq --require-hashes -r requirements-build.lock",
    "python -m pip install -qq --require-hashes --no-build-isolation -r requirements.lock",
]
LOCKS = [path.name for path in ROOT.glob("requirements*.lock")]
OTHERS = {".demo/meltano", ".demo/peers", ".demo/dbt"}
PLUGINS = {f".demo/plugins/{name}" for name in ("tap-genesys-aggregates", "target-postgres", "target-jsonl")}


class Clone:
    """A copy of the files that ``./run`` needs, and a fake Python that only records its calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "clone"
        self.calls = folder / "calls"
        self.folder.mkdir()
        for name in ("run", "pyproject.toml"):
            shutil.copy(ROOT / name, self.folder)
        for name in LOCKS:
            (self.folder / name).write_text("uv==1 \\\n    --hash=sha256:00\nzzz==2\n", encoding="utf-8")
        self.python = folder / "fake-python"
        self.python.write_text(PYTHON, encoding="utf-8")
        self.python.chmod(0o755)
        self.variables = {"PYTHON": str(self.python), "CALLS": str(self.calls), "FAILS": "nothing"}

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Start a command from another folder."""
        self.calls.write_text("", encoding="utf-8")
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
        """Run a command; return its exit status and its output."""
        with self.start(*arguments, **variables) as process:
            output, errors = process.communicate(timeout=TIMEOUT)
        return process.returncode, output + errors

    @property
    def installed(self) -> list[str]:
        """The calls of pip and uv that install something."""
        lines = self.calls.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if "pip install" in line]


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_without_a_command_it_shows_its_usage(clone: Clone) -> None:
    """An unknown command is an error; neither installs anything."""
    status, output = clone.run()
    assert status == 0
    assert all(name in output for name in ("demo", "test", "test fast", "lint", "lock", "bench", "simulate"))
    status, output = clone.run("tset")
    assert (status, "tset" in output) == (2, True)
    assert clone.installed == []


def test_an_environment_is_prepared_once(clone: Clone) -> None:
    """First uv is installed, then all packages with uv, then this project; hashes are always checked."""
    assert clone.run("lint")[0] == 0
    assert clone.installed == [
        "python -m pip install -qq --require-hashes -r .venv/uv.lock",
        f"uv pip install --quiet --python .venv/bin/python {UV}",
        "python -m pip install -qq --no-deps --no-build-isolation --editable .",
    ]
    uv_lock = (clone.folder / ".venv" / "uv.lock").read_text(encoding="utf-8")
    assert uv_lock == "uv==1 \\\n    --hash=sha256:00\n"
    assert clone.run("lint")[0] == 0
    assert clone.installed == []


def test_an_environment_is_prepared_again_when_its_lock_file_changes(clone: Clone) -> None:
    clone.run("lint")
    with (clone.folder / "requirements.lock").open("a", encoding="utf-8") as lock:
        lock.write("zzzz==3\n")
    clone.run("lint")
    assert len(clone.installed) == 3


def test_an_environment_is_prepared_again_when_the_clone_moves(clone: Clone) -> None:
    """The scripts of an environment contain its path, so they do not work after a move."""
    clone.run("lint")
    clone.folder = clone.folder.rename(clone.folder.with_name("moved clone"))
    assert clone.run("lint")[0] == 0
    assert len(clone.installed) == 3


def test_pip_is_used_when_uv_fails(clone: Clone) -> None:
    """It installs the same lock file, with hashes checked."""
    status, output = clone.run("lint", FAILS="uv pip install")
    assert (status, "trying pip" in output) == (0, True)
    assert clone.installed[-3:-1] == PIP


def test_pip_is_used_when_its_configuration_names_an_index(clone: Clone) -> None:
    """Because uv does not read that configuration."""
    assert clone.run("lint", PIP_CONFIG="global.index-url='https://index.invalid/simple'")[0] == 0
    assert clone.installed[:-1] == PIP


def test_an_incomplete_environment_is_created_again(clone: Clone) -> None:
    """A failed installation is reported, and the next run starts from scratch."""
    assert clone.run("lint", FAILS="python -m pip install -qq --no-deps")[0] == 3
    assert clone.run("lint")[0] == 0
    assert len(clone.installed) == 3


@pytest.mark.parametrize("tool", ["ruff", "mypy", "lint-imports"])
def test_lint_fails_when_one_of_its_tools_does(clone: Clone, tool: str) -> None:
    """The other tools still run."""
    assert clone.run("lint", FAILS=tool)[0] == 1
    lines = clone.calls.read_text(encoding="utf-8").splitlines()
    assert [line.strip() for line in lines[-3:]] == ["ruff check", "mypy", "lint-imports"]


def test_a_missing_part_of_the_project_is_named(clone: Clone) -> None:
    """``bench`` and ``simulate`` fail with a message in a clone without them."""
    assert clone.run("bench") == (2, "This clone does not contain bench.\n")
    assert clone.run("simulate") == (2, "This clone does not contain tests.simulation.\n")


@pytest.mark.parametrize(
    ("command", "ends", "environments"),
    [
        ("bench", ["python -m bench profile"], {".venv", ".demo/spark", *OTHERS, *PLUGINS}),
        (
            "demo",
            ["python -m demo profile"],
            {".venv", ".demo/meltano", ".demo/dbt", ".demo/report", *PLUGINS},
        ),
        ("report", ["python -m report profile"], {".demo/report"}),
    ],
)
def test_a_command_prepares_the_environments_it_uses(
    clone: Clone, command: str, ends: list[str], environments: set[str]
) -> None:
    """Only those, in parallel. Then the command runs with its arguments."""
    (clone.folder / command).mkdir()
    (clone.folder / command / "__main__.py").touch()
    assert clone.run(command, "profile")[0] == 0
    calls = [line.split() for line in clone.installed if line.startswith("uv ")]
    assert {words[words.index("--python") + 1].removesuffix("/bin/python") for words in calls} == environments
    assert all("--require-hashes" in words for words in calls)
    assert clone.calls.read_text(encoding="utf-8").splitlines()[-1:] == ends


@pytest.mark.parametrize(("arguments", "which"), [([], "all"), (["others"], "others")])
def test_the_tests_on_every_python_are_those_of_the_fast_loop(
    clone: Clone, arguments: list[str], which: str
) -> None:
    """``./run test-all`` passes them to nox, which knows the Pythons."""
    assert clone.run("test", "fast")[0] == 0
    fast = clone.calls.read_text(encoding="utf-8").splitlines()[-1].partition(" -q -m ")[2]
    assert clone.run("test-all", *arguments)[0] == 0
    called = clone.calls.read_text(encoding="utf-8").splitlines()[-1]
    assert called == f"python -m nox -- {which} -q -m {fast}"
    assert "tests/core" in fast


def test_a_failed_installation_stops_the_command(clone: Clone) -> None:
    """If the peers cannot be installed, the benchmarks do not start."""
    (clone.folder / "bench").mkdir()
    (clone.folder / "bench" / "__main__.py").touch()
    fails = "*-r requirements-peers.lock"
    assert clone.run("bench", FAILS=fails)[0] == 3
    assert "python -m bench" not in clone.calls.read_text(encoding="utf-8")


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_can_be_stopped_during_an_installation(clone: Clone, signum: int, code: int) -> None:
    """A signal stops its child processes too, and the exit status shows the signal."""
    note = clone.folder / "pid"
    with clone.start("lint", SLOW=str(note)) as process:
        _until(lambda: note.exists() and note.read_text(encoding="utf-8").strip())
        child = int(note.read_text(encoding="utf-8"))
        process.send_signal(signum)
        assert process.wait(TIMEOUT) == code
        _until(lambda: not _alive(child))


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_an_audit_checks_every_lock_file(clone: Clone) -> None:
    """All are checked even if one has a vulnerability, and that makes the audit fail."""
    assert clone.run("audit")[0] == 0
    code, _ = clone.run("audit", "-s", "osv", FAILS="pip-audit *-r requirements-peers.lock")
    assert code == 1
    audits = [line for line in clone.calls.read_text(encoding="utf-8").splitlines() if "pip-audit" in line]
    assert sorted(line.rpartition(" ")[2] for line in audits) == sorted(LOCKS)
    assert all("--require-hashes" in line and "--strict" in line and "-s osv" in line for line in audits)


def test_an_sbom_is_made_of_every_lock_file(clone: Clone) -> None:
    assert clone.run("sbom")[0] == 0
    calls = clone.calls.read_text(encoding="utf-8").splitlines()
    listed = [line.split() for line in calls if "cyclonedx-py" in line]
    assert {(words[-1], words[-2]) for words in listed} == {
        (lock, f"dist/{lock.removesuffix('.lock')}.cdx.json") for lock in LOCKS
    }
    assert clone.run("sbom", FAILS="cyclonedx-py")[0] == 3
