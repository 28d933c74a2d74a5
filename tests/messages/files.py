"""Wrong files for ``--config``, ``--state`` and ``--catalog``."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING
from unittest.mock import patch

from tests.messages.command import CONFIG, SECRET, Ended, run, write

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS = ("--config", "--state", "--catalog")


@dataclass(frozen=True)
class FileCase:
    """A file that is wrong.

    Attributes:
        option: The option that names it.
        what: What is wrong with it, in a few words.
        name: Its name.
        content: What it contains; None if it is not a file.
    """

    option: str
    what: str
    name: str
    content: bytes | None = None

    def run(self, folder: Path) -> Ended:
        """Run the command with the file."""
        if self.content is not None:
            (folder / self.name).write_bytes(self.content)
        elif self.what == "a folder":
            (folder / self.name).mkdir()
        arguments = [self.option, self.name]
        if self.option != "--config":
            arguments += ["--config", write(folder, CONFIG)]
        if self.what == "not readable":  # not by way of permissions: root may read anything
            refused = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            with patch("click.open_file", side_effect=refused):
                return run(folder, *arguments[:2])
        return run(folder, *arguments)


_ANY = (
    ("not there", "nothing.json", None),
    ("not readable", "locked.json", b"{}"),
    ("a folder", "folder", None),
    ("empty", "empty.json", b" \n"),
    ("JSON with a mistake", "mistake.json", f'{{\n  "client_secret": "{SECRET}"\n  "x": 1\n}}\n'.encode()),
    ("YAML", "settings.yml", f"# mine\nclient_id: a-client\nclient_secret: {SECRET}\n".encode()),
    ("YAML with a marker", "marked.yml", f"---\nclient_secret: {SECRET}\n".encode()),
    ("a list", "list.json", f'[{{"client_secret": "{SECRET}"}}]'.encode()),
    ("text", "text.json", f'"{SECRET}"'.encode()),
    ("binary", "binary.json", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
    ("UTF-16, as some editors save it", "utf16.json", "{}".encode("utf-16")),
)
_STATE = b'{"bookmarks": {}}'
_OF_ONE = (
    FileCase("--config", "variables", "settings.env", f"GENESYS_CLIENT_SECRET={SECRET}\n".encode()),
    FileCase("--config", "JSON instead of a path", f'{{"client_secret": "{SECRET}"}}'),
    FileCase("--state", "every state of a run", "states.jsonl", _STATE + b"\n" + _STATE + b"\n"),
    FileCase(
        "--state", "a whole STATE message", "state.json", b'{"type": "STATE", "value": ' + _STATE + b"}"
    ),
    FileCase(
        "--state", "what `meltano state get` prints", "meltano.json", b'{"singer_state": ' + _STATE + b"}"
    ),
    FileCase("--state", "another file", "other.json", b'{"client_id": "a-client"}'),
    FileCase("--catalog", "another file", "state.json", _STATE),
)
_OF_ANY = tuple(FileCase(option, what, name, content) for option in OPTIONS for what, name, content in _ANY)
CASES = sorted(_OF_ANY + _OF_ONE, key=lambda case: OPTIONS.index(case.option))
