"""How the house is built: who may import whom, how long a module is, what it may be called."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from .generated_settings import ROOT

PACKAGE = ROOT / "tap_genesys_aggregates"
PARTS = ("tap_genesys_aggregates", "genesys_sandbox", "demo", "tests", "bench")
MODULES = sorted(path for part in PARTS for path in (ROOT / part).rglob("*.py"))
LONGEST = 400
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}
CLOCKS = {"now", "utcnow", "today", "time", "monotonic", "perf_counter"}


def test_imports_go_downwards() -> None:
    """The contracts in ``pyproject.toml`` hold: the floors of the house, and a core that touches nothing."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "3 kept, 0 broken" in run.stdout


def test_the_sandbox_is_independent_of_the_tap() -> None:
    """It imports nothing of the tap, and nothing of the tap imports it, not even for annotations."""
    graph = grimp.build_graph("tap_genesys_aggregates", "genesys_sandbox", cache_dir=None)
    inside = {"genesys_sandbox", *graph.find_descendants("genesys_sandbox")}
    crossing = {
        (importer, imported)
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
        if (importer in inside) != (imported in inside)
    }
    assert len(inside) > 1
    assert crossing == set()


@pytest.mark.parametrize("part", ["core", "dialects"])
def test_the_pure_parts_do_not_ask_what_time_it_is(part: str) -> None:
    """``now`` is an argument there."""
    asked = [
        f"{path.name}:{node.lineno}"
        for path in (PACKAGE / part).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS
    ]
    assert list((PACKAGE / part).rglob("*.py"))
    assert asked == []


def test_modules_are_short() -> None:
    """None is longer than a person reads at once."""
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert len(lengths) > len(PARTS)
    assert {str(path.relative_to(ROOT)): length for path, length in lengths.items() if length > LONGEST} == {}


def test_names_say_something() -> None:
    """No module or folder is called by a word that fits everything."""
    names = {path: [*path.relative_to(ROOT).parts[:-1], path.stem] for path in MODULES}
    assert [path for path, parts in names.items() if VAGUE.intersection(parts)] == []
