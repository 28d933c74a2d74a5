"""Comments that cite docs/api-notes.md name a heading that it has."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEADINGS = set(re.findall(r"^## (.+)$", (ROOT / "docs" / "api-notes.md").read_text("utf-8"), re.MULTILINE))
CITED = re.compile(r'api-notes\.md,[\s#]+"([^"]+)"')
SOURCES = [
    path
    for folder in ("tap_genesys_aggregates", "genesys_sandbox", "demo", "bench", "tests")
    for path in (ROOT / folder).rglob("*.py")
]


def test_each_citation_names_a_heading() -> None:
    """A citation may continue on the next line of its comment."""
    unknown = {
        (str(path.relative_to(ROOT)), " ".join(heading.split()))
        for path in SOURCES
        for heading in CITED.findall(path.read_text("utf-8"))
        if re.sub(r"[\s#]+", " ", heading) not in HEADINGS
    }
    assert not unknown
