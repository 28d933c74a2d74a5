"""The code as a whole: imports, linters, and names and lengths of modules."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from .generated_settings import ROOT

PACKAGE = ROOT / "tap_genesys_aggregates"
FOLDERS = (
    "tap_genesys_aggregates",
    "pyspark_genesys_aggregates",
    "genesys_sandbox",
    "demo",
    "orchestrate",
    "report",
    "tests",
    "bench",
)
MODULES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
MAX_LINES = 400
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}
CLOCKS = {"now", "utcnow", "today", "time", "monotonic", "perf_counter"}


def run(*command: str) -> tuple[int, str]:
    """Exit status and output of a command of the environment."""
    program = Path(sys.executable).parent / command[0]
    done = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_ruff_reports_nothing() -> None:
    assert run("ruff", "check", "--quiet") == (0, "")


@pytest.mark.slow
def test_mypy_reports_nothing() -> None:
    status, output = run("mypy")
    assert status == 0, output
    assert output.startswith("Success: ")


def test_import_contracts_hold() -> None:
    """The contracts in ``pyproject.toml``: imports go down, and the core has no I/O."""
    status, output = run("lint-imports", "--no-cache")
    assert status == 0, output
    assert "4 kept, 0 broken" in output


def test_the_sandbox_is_independent_of_the_tap() -> None:
    """Neither imports the other, not even for annotations."""
    graph = grimp.build_graph("tap_genesys_aggregates", "genesys_sandbox", cache_dir=None)
    sandbox = {"genesys_sandbox", *graph.find_descendants("genesys_sandbox")}
    crossing = {
        (importer, imported)
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
        if (importer in sandbox) != (imported in sandbox)
    }
    assert len(sandbox) > 1
    assert crossing == set()


@pytest.mark.slow
@pytest.mark.parametrize("part", ["core", "dialects"])
def test_core_and_dialects_do_not_read_the_clock(part: str) -> None:
    """The current time is an argument, ``now``."""
    paths = list((PACKAGE / part).rglob("*.py"))
    calls = [
        f"{path.name}:{node.lineno}"
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS
    ]
    assert paths
    assert calls == []


def test_modules_of_the_package_have_at_most_400_lines() -> None:
    """A longer one probably contains two ideas."""
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}
    assert lengths
    assert {path.name: length for path, length in lengths.items() if length > MAX_LINES} == {}


def test_no_module_has_a_vague_name() -> None:
    names = {path: [*path.relative_to(ROOT).parts[:-1], path.stem] for path in MODULES}
    assert len(names) > len(FOLDERS)
    assert [path for path, parts in names.items() if VAGUE.intersection(parts)] == []
