"""A JSON parser without recursion, for documents that are nested too deeply for msgspec.

msgspec and ``json`` recurse, and give up at Python's recursion limit, after some hundreds of levels. But the
server decides how deep a tree is (docs/api-notes.md, "Group tree: the tree"). When msgspec gives up, the
response is parsed here instead: more slowly, with the same result.
"""

from __future__ import annotations

import json
import re
from typing import Any

_TOKEN = re.compile(
    r'[ \t\r\n]*(?:([{}\[\],:])|("(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null))', re.DOTALL
)
_SPACE = re.compile(r"[ \t\r\n]*")
_CLOSES = {"}": dict, "]": list}


def parse(text: str) -> object:
    """Parse a JSON document of any depth.

    Args:
        text: The document.

    Returns:
        What ``json.loads`` would return if its stack were deep enough.

    Raises:
        ValueError: The text is not JSON.
    """
    document = _Document()
    position = 0
    while not document.complete:
        match = _TOKEN.match(text, position)
        punctuation, scalar = match.groups() if match else (None, None)
        if match is None or not (document.scalar(scalar) if scalar else document.punctuation(punctuation)):
            raise ValueError(f"malformed JSON at character {position}")
        position = match.end()
    if _SPACE.fullmatch(text, position) is None:
        raise ValueError(f"malformed JSON at character {position}")
    return document.value


class _Document:
    """The state of the parser: the values so far, the open containers, and what may come next."""

    def __init__(self) -> None:
        self._root: list[Any] = []
        self._open: list[Any] = [self._root]
        self._keys: list[str] = [""]
        self._expects = "value"

    @property
    def complete(self) -> bool:
        """Whether a whole value has been parsed."""
        return bool(self._root) and len(self._open) == 1

    @property
    def value(self) -> object:
        return self._root[0]

    def scalar(self, token: str) -> bool:
        """Add a string, number, true, false or null; returns False if none is allowed here."""
        if self._expects.startswith("key"):
            self._keys[-1] = json.loads(token)
            self._expects = "colon"
            return token.startswith('"')
        if not self._expects.startswith("value"):
            return False
        self._add(json.loads(token))
        return True

    def punctuation(self, sign: str | None) -> bool:
        """Handle a bracket, comma or colon; returns False if it is not allowed here."""
        if sign in {"{", "["}:
            return self._begin({} if sign == "{" else [], "key or end" if sign == "{" else "value or end")
        if sign in _CLOSES:
            return self._end(_CLOSES[sign])
        allowed = self._expects == ("comma" if sign == "," else "colon")
        in_object = isinstance(self._open[-1], dict)
        self._expects = "key" if sign == "," and in_object else "value"
        return allowed

    def _begin(self, container: dict[str, object] | list[object], expects: str) -> bool:
        allowed = self._expects.startswith("value")
        self._add(container)
        self._open.append(container)
        self._keys.append("")
        self._expects = expects
        return allowed

    def _end(self, kind: type) -> bool:
        allowed = len(self._open) > 1 and isinstance(self._open[-1], kind)
        allowed = allowed and (self._expects == "comma" or self._expects.endswith("or end"))
        self._open.pop()
        self._keys.pop()
        self._expects = "comma"
        return allowed

    def _add(self, value: object) -> None:
        """Add a value to the innermost open container."""
        container = self._open[-1]
        if isinstance(container, dict):
            container[self._keys[-1]] = value
        else:
            container.append(value)
        self._expects = "comma"
