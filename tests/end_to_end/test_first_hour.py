"""The transcript docs/first-hour.md: the same commands give the same output.

``--snapshot-update`` writes the output into the page.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest

from demo.paths import CLONE

from .newcomer import FILE, machine, publish

if TYPE_CHECKING:
    from pathlib import Path

    from demo.postgres import Postgres

    from .newcomer import Machine

PAGE = CLONE / "docs" / "first-hour.md"
PART = re.compile(rf"{FILE.pattern}|<!-- an hour passes -->|```console\n([^`]*)```", re.MULTILINE)
DURATION = re.compile(r"\bin \d+:\d\d:\d\d\b")


@pytest.mark.slow
@pytest.mark.postgres
def test_the_transcript_is_what_a_newcomer_sees(
    tmp_path: Path, postgres: Postgres, request: pytest.FixtureRequest
) -> None:
    """From nothing: install, load, load again, one more query, views, reconcile."""
    text = PAGE.read_text(encoding="utf-8")
    published = tmp_path / "published"
    published.mkdir()
    with machine(tmp_path, postgres, publish(published)) as newcomer:
        actual = PART.sub(lambda part: _play(part, newcomer), text)
    with psycopg.connect(postgres.url) as connection:
        connection.execute("drop schema if exists genesys cascade")
    if request.config.option.update_snapshots:
        PAGE.write_text(actual, encoding="utf-8")
    assert actual == PAGE.read_text(encoding="utf-8")
    assert "queue_performance: equal" in actual


def _play(part: re.Match[str], newcomer: Machine) -> str:
    """Do what a part of the page says, and return it with the actual output."""
    file, content, transcript = part.groups()
    if file:
        (newcomer.home / file).write_text(newcomer.real(content), encoding="utf-8")
    elif transcript:
        commands = re.findall(r"^\$ (.*)$", transcript, re.MULTILINE)
        shown = "".join(f"$ {each}\n{_output(each, newcomer)}" for each in commands)
        return f"```console\n{shown}```"
    else:
        newcomer.passed += timedelta(hours=1)
    return part[0]


def _output(command: str, newcomer: Machine) -> str:
    """The output of a command, without trailing blanks and lines; every duration counts as a second."""
    if command.startswith("export "):
        name, _, value = command.removeprefix("export ").partition("=")
        newcomer.variables[name] = newcomer.real(value)
        return ""
    lines = DURATION.sub("in 0:00:01", newcomer.run(command)).rstrip().splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)
