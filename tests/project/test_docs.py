"""The docs: every guarantee has its test, and links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROOFS = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs" / "guarantees.md").read_text("utf-8"))
LINK = re.compile(r"\]\(([^)#]*)(?:#([\w-]+))?\)")


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    found = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in found}


def test_the_page_of_guarantees_names_tests() -> None:
    assert len(PROOFS) > 10


@pytest.mark.parametrize(("file", "test"), PROOFS)
def test_each_guarantee_has_its_test(file: str, test: str) -> None:
    assert re.search(rf"^def {test}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE), (
        f"{file} has no {test}"
    )


@pytest.mark.parametrize(
    "page", ["README.md", *(f"docs/{each.name}" for each in (ROOT / "docs").glob("*.md"))]
)
def test_links_in_the_docs_exist(page: str) -> None:
    """Links within the project, to pages and their headings."""
    here = ROOT / page
    for target, anchor in LINK.findall(here.read_text("utf-8")):
        if "://" in target:
            continue
        there = (here.parent / target).resolve() if target else here
        assert there.exists(), f"{page}: {target}"
        assert not anchor or anchor in headings(there), f"{page}: {target}#{anchor}"
