"""The table of ``docs/hostile.md``: what was measured, a line a case."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.hostile.case import Case
    from tests.hostile.measuring import Measured

PAGE = Path(__file__).parents[2] / "docs" / "hostile.md"
HEAD = "| case | what the server does | how the run ends | s | MiB |\n|---|---|---|---:|---:|\n"
_LONGEST = 150


def line(case: Case, measured: Measured) -> str:
    """One case's line."""
    ending = re.sub(r"^(\w+: )(query '\w+', window \S+: )?", r"\1", measured.ending.said)
    ending = re.sub(r"127\.0\.0\.1:\d+", "HOST", ending)
    said = ascii(ending)[1:-1] if not ending.isascii() else ending
    cells = (case.name, case.does, said[:_LONGEST] + ("\u2026" if len(said) > _LONGEST else ""))
    shown = " | ".join(cell(each) for each in cells)
    return f"| {shown} | {measured.seconds:.1f} | {measured.memory:.0f} |\n"


def write(lines: list[str]) -> None:
    """Put the table in place of the one that the page has."""
    above = PAGE.read_text(encoding="utf-8").partition(HEAD)[0]
    PAGE.write_text(above + HEAD + "".join(lines), encoding="utf-8")


def names() -> list[str]:
    """The cases that the page has a line for, in order."""
    table = PAGE.read_text(encoding="utf-8").partition(HEAD)[2]
    return [row.split(" | ")[0].removeprefix("| ") for row in table.splitlines()]


def cell(text: str) -> str:
    """A text that a table of Markdown shows as it is."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return re.sub(r"([\\|*_<>`\[\]])", r"\\\1", plain)
