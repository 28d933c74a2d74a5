"""The tree drawn in docs/architecture.md is the tree of the repository."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
PACKAGE = "tap_genesys_aggregates/"
OPENED = (PACKAGE, "tests/")
"""The folders whose contents are drawn."""
NOT_OURS = {"build", "dist", "output", "plugins", "__pycache__"}
"""Folders that tools leave behind."""


def drawn() -> list[str]:
    """The paths of the drawing; an indented entry is inside the entry above it."""
    drawing = re.search(r"## The tree\n\n```text\n(.*?)```", PAGE, re.DOTALL)
    assert drawing
    paths, folder = [], ""
    for line in drawing[1].splitlines():
        name = line.split()[0]
        folder = folder if line.startswith(" ") else name
        paths.append(folder + name if line.startswith(" ") else name)
    return paths


def folders(of: Path) -> set[str]:
    """The folders in a folder that belong to the repository."""
    return {
        f"{each.name}/"
        for each in of.iterdir()
        if each.is_dir()
        and each.name[0] != "."
        and each.name not in NOT_OURS
        and (any(each.glob("[!_.]*")) or (each / "__init__.py").exists())
    }


def test_the_drawing_is_the_tree() -> None:
    """Every folder and every top-level module is drawn once, and nothing else."""
    modules = {each.name for each in (ROOT / PACKAGE).glob("*.py")} - {"__init__.py"}
    inside = {top: folders(ROOT / top) for top in OPENED}
    inside[PACKAGE] |= modules
    paths = drawn()
    assert len(paths) == len(set(paths))
    assert set(paths) == folders(ROOT) | {top + name for top in OPENED for name in inside[top]}


def test_the_page_names_files_that_exist() -> None:
    """Each file named in the table of changes is there."""
    named = re.findall(r"`([\w/]+\.py)`", PAGE)
    assert len(named) > 20
    for name in named:
        assert (ROOT / name).exists() or (ROOT / PACKAGE / name).exists(), name
