"""The reference page says what the tap's own data says."""

from __future__ import annotations

from tests.project import reference


def test_reference_is_written_from_the_data() -> None:
    """``docs/reference.md`` is what ``./run docs`` would write now."""
    assert reference.PAGE.read_text(encoding="utf-8") == reference.text()
