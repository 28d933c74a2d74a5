"""The docs: every guarantee has its test, links lead somewhere, and so do citations of the API notes."""

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


PAGES = sorted(each.relative_to(ROOT).as_posix() for each in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")))


@pytest.mark.parametrize("page", PAGES)
def test_links_in_the_docs_exist(page: str) -> None:
    """Links within the project, to pages and their headings."""
    here = ROOT / page
    for target, anchor in LINK.findall(here.read_text("utf-8")):
        if "://" in target:
            continue
        there = (here.parent / target).resolve() if target else here
        assert there.exists(), f"{page}: {target}"
        assert not anchor or anchor in headings(there), f"{page}: {target}#{anchor}"


def test_the_readme_links_to_every_page_of_the_docs() -> None:
    linked = {target for target, _ in LINK.findall((ROOT / "README.md").read_text("utf-8"))}
    assert [page for page in PAGES if page.startswith("docs/") and page not in linked] == []


def test_comments_cite_headings_of_the_api_notes() -> None:
    """A citation may continue on the next line of its comment."""
    cited = re.compile(r'api-notes\.md,[\s#]+"([^"]+)"')
    folders = ("tap_genesys_aggregates", "genesys_sandbox", "demo", "bench", "tests")
    sources = {path: path.read_text("utf-8") for each in folders for path in (ROOT / each).rglob("*.py")}
    found = [
        (str(path.relative_to(ROOT)), re.sub(r"[\s#]+", " ", heading))
        for path, text in sources.items()
        for heading in cited.findall(text)
    ]
    notes = (ROOT / "docs" / "api-notes.md").read_text("utf-8")
    known = set(re.findall(r"^## (.+)$", notes, re.MULTILINE))
    assert len(found) > 10
    assert [each for each in found if each[1] not in known] == []
