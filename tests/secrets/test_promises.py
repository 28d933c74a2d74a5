"""What ``SECURITY.md`` promises has a test."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_each_promise_names_a_test_that_there_is() -> None:
    """A line of the table is a promise and its proof."""
    lines = re.findall(r"^\| (?!promise|-).+$", (ROOT / "SECURITY.md").read_text("utf-8"), re.MULTILINE)
    assert len(lines) > 10
    for line in lines:
        proof = re.search(r"`(tests/[\w/]+\.py)::(\w+)` \|$", line)
        assert proof, line
        assert f"def {proof[2]}(" in (ROOT / proof[1]).read_text("utf-8"), line
