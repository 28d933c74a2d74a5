"""Generates ``docs/messages.md`` from the cases: each line of the page is what a run has just said.

``./run docs`` runs it; ``tests/messages/test_messages.py`` runs each case again and compares.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.messages import files, network, values

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE = Path(__file__).parents[2] / "docs" / "messages.md"
_WORDS = re.compile(r" \(\w+(: [^()]*)?\)")
_HEAD = """\
# Troubleshooting by message

What the tap says about wrong files, wrong values and network faults. Each is one line on standard error,
without a traceback, and the exit code is 1. (The failure of a single query is logged when it happens, and
again when the run ends.) `./run docs` produces each case and writes down what the tap says; a test does so
again and compares. Refusals in the middle of a load have [a page of their own](refusals.md).

"""
_FILES = """\
## Files

`--config` may be given several times; later files take precedence. No line shows what is in a file.

| option | the file is | message |
|---|---|---|
"""
_VALUES = """
## Values

These are found before anything is sent. After a *warning* the run goes on.

| written | message |
|---|---|
"""
_ACCEPTED = """
These are accepted:

| written | means |
|---|---|
"""
_NETWORK = """
## Network

Each line names the host and the port, and has Python's own words in parentheses; none has the path of a URL
or the password of a proxy. A fault that may pass is tried again up to `max_retries` times first; a
certificate that is not trusted, or a proxy that refuses, is not. `--test` stops at the first host that it
cannot reach.

| what is wrong | message |
|---|---|
"""


def tidy(line: str) -> str:
    """A line with a port that is always the same, and the window of the run left out."""
    line = re.sub(r"(127\.0\.0\.1|localhost):\d+", r"\1:8443", line)
    line = re.sub(r"window \S+:", "window …:", line)
    return re.sub(r"it is \S+ now", "it is … now", line)


def without_words(line: str) -> str:
    """A line without Python's own words, which depend on its version and on the system."""
    return _WORDS.sub("", tidy(line))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _code(text: str) -> str:
    return f"`{_cell(text)}`"


def _shown(written: str) -> str:
    return written if written.startswith("no ") else _code(written)


def file_row(case: files.FileCase, line: str) -> str:
    """The row of a wrong file."""
    return f"| `{case.option}` | {case.what} | {_code(tidy(line))} |\n"


def value_row(case: values.ValueCase, line: str) -> str:
    """The row of a wrong value."""
    mark = "*Warning:* " if case.is_warning else ""
    return f"| {_shown(case.written)} | {mark}{_code(tidy(line))} |\n"


def network_row(case: network.NetworkCase, line: str) -> str:
    """The row of a network fault."""
    return f"| {case.what} | {_code(tidy(line))} |\n"


def accepted_row(written: object, means: object) -> str:
    """The row of a value that is accepted."""
    shown = (json.dumps(each)[1:-1].replace('"', "", 2) for each in (written, means))
    return "| {} | {} |\n".format(*map(_code, shown))


def _rows() -> Iterable[str]:
    yield _HEAD + _FILES
    with tempfile.TemporaryDirectory() as root:
        folders = (Path(root, str(number)) for number in range(1_000))

        def new() -> Path:
            folder = next(folders)
            folder.mkdir()
            return folder

        yield from (file_row(case, case.run(new()).line) for case in files.CASES)
        yield _VALUES
        yield from (value_row(case, case.run(new()).line) for case in values.CASES)
        yield _ACCEPTED
        yield from (accepted_row(*each) for each in values.ACCEPTED)
        yield _NETWORK
        yield from (network_row(case, case.run(new()).line) for case in network.CASES)


def main() -> int:
    """Write the page; a row that differs only in Python's own words stays as it is."""
    lines = PAGE.read_text("utf-8").splitlines(keepends=True) if PAGE.exists() else []
    before = {without_words(line): line for line in lines}
    new = "".join(_rows()).splitlines(keepends=True)
    PAGE.write_text("".join(before.get(without_words(line), line) for line in new), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
