"""Every hostile case, and the table of measured outcomes in ``docs/hostile.md``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tests.adversarial import hostile_bodies, hostile_http, hostile_links, hostile_values
from tests.adversarial.tap_run import run_case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.adversarial.server import Case
    from tests.adversarial.tap_run import Measured

CASES: dict[str, Case] = {
    case.name: case
    for module in (hostile_links, hostile_bodies, hostile_values, hostile_http)
    for case in module.CASES
}
_PAGE = Path(__file__).parents[2] / "docs" / "hostile.md"
_HEAD = "| case | what the server does | how the run ends | s | MiB |\n|---|---|---|---:|---:|\n"
_LONGEST_OUTCOME = 150


def documented_names() -> list[str]:
    """The cases in the table of ``docs/hostile.md``, in order."""
    table = _PAGE.read_text(encoding="utf-8").partition(_HEAD)[2]
    return [row.split(" | ")[0].removeprefix("| ") for row in table.splitlines()]


def escape(text: str) -> str:
    """Text for a cell of a Markdown table."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return re.sub(r"([\\|*_<>`\[\]])", r"\\\1", plain)


def _row(case: Case, measured: Measured) -> str:
    """The table row of a case."""
    outcome = re.sub(r"^(\w+: )(query '\w+', window \S+: )?", r"\1", measured.outcome.summary)
    outcome = re.sub(r"127\.0\.0\.1:\d+", "HOST", outcome)
    shown = ascii(outcome)[1:-1] if not outcome.isascii() else outcome
    shown = shown[:_LONGEST_OUTCOME] + ("\u2026" if len(shown) > _LONGEST_OUTCOME else "")
    cells = " | ".join(map(escape, (case.name, case.behavior, shown)))
    return f"| {cells} | {measured.seconds:.1f} | {measured.mib:.0f} |\n"


def run_cases(pattern: str) -> Iterator[tuple[bool, str]]:
    """Run the cases whose names match; without a pattern, run them all and rewrite the table.

    Yields:
        For each case, whether it passed, and its row of the table.
    """
    rows = []
    for case in CASES.values():
        if not re.search(pattern, case.name):
            continue
        measured = run_case(case)
        within_limits = measured.seconds <= case.max_seconds and measured.mib <= case.max_mib
        passed = case.matches(measured.outcome.summary) and measured.outcome.is_handled and within_limits
        rows.append(_row(case, measured))
        yield passed, rows[-1]
    if not pattern:
        text = _PAGE.read_text(encoding="utf-8").partition(_HEAD)[0]
        _PAGE.write_text(text + _HEAD + "".join(rows), encoding="utf-8")
