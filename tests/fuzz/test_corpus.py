"""Every input that is kept, read by everything that reads bytes of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fuzz.__main__ import campaign
from tests.fuzz.targets import TARGETS, corpus, outcome

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("path", corpus(), ids=lambda path: path.name)
def test_an_input_is_read_or_refused(path: Path) -> None:
    """In time, in one line where it is refused, with rows that JSON and a warehouse hold where it is read."""
    body = path.read_bytes()
    assert all(outcome(name, body).startswith(f"{name}: ") for name in TARGETS)


def test_each_reader_reads_something_of_the_corpus() -> None:
    """What is only ever refused would prove little."""
    ways = {outcome(name, path.read_bytes()) for path in corpus() for name in TARGETS}
    refused = ("Error", "no JSON", ": _")
    read = {way.split(":")[0] for way in ways if not any(word in way for word in refused)}
    read |= {way.split(":")[0] for way in ways if way.endswith(": _")}
    assert set(TARGETS) - read <= {"error"}


def test_a_short_campaign_finds_no_crash() -> None:
    """Two seconds of spoiling, the same ones each time as far as they go."""
    count, ways, crashes = campaign(2, seed=1)
    assert crashes == {}
    assert count > 10
    assert ways > 50
