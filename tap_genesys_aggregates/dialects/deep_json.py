"""JSON that is nested deeper than the decoder's own stack, read without recursion.

msgspec gives up at some hundreds of levels, at Python's recursion limit. The depth of a tree is the
server's to choose (group-tree.md, rule 2), so such an answer is read here instead: slower, and the
same values.
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
    """Read a JSON document of any depth.

    Args:
        text: The document.

    Returns:
        What ``json.loads`` would return, had it the stack.

    Raises:
        ValueError: It is no JSON.
    """
    document = _Document()
    position = 0
    while not document.complete:
        match = _TOKEN.match(text, position)
        mark, scalar = match.groups() if match else (None, None)
        if match is None or not (document.scalar(scalar) if scalar else document.mark(mark)):
            raise ValueError(f"malformed JSON at character {position}")
        position = match.end()
    if _SPACE.fullmatch(text, position) is None:
        raise ValueError(f"malformed JSON at character {position}")
    return document.value


class _Document:
    """What has been read so far: the containers that are open, and what may come next."""

    def __init__(self) -> None:
        self._root: list[Any] = []
        self._open: list[Any] = [self._root]
        self._keys: list[str] = [""]
        self._expects = "value"

    @property
    def complete(self) -> bool:
        """Whether a whole value has been read."""
        return bool(self._root) and len(self._open) == 1

    @property
    def value(self) -> object:
        """The value read."""
        return self._root[0]

    def scalar(self, token: str) -> bool:
        """Take a string, number, true, false or null; False where none may stand."""
        if self._expects.startswith("key"):
            self._keys[-1] = json.loads(token)
            self._expects = "colon"
            return token.startswith('"')
        if not self._expects.startswith("value"):
            return False
        self._add(json.loads(token))
        return True

    def mark(self, sign: str | None) -> bool:
        """Take a bracket, comma or colon; False where it may not stand."""
        if sign in {"{", "["}:
            return self._begin({} if sign == "{" else [], "key or end" if sign == "{" else "value or end")
        if sign in _CLOSES:
            return self._end(_CLOSES[sign])
        fits = self._expects == ("comma" if sign == "," else "colon")
        in_object = isinstance(self._open[-1], dict)
        self._expects = "key" if sign == "," and in_object else "value"
        return fits

    def _begin(self, container: dict[str, object] | list[object], expects: str) -> bool:
        fits = self._expects.startswith("value")
        self._add(container)
        self._open.append(container)
        self._keys.append("")
        self._expects = expects
        return fits

    def _end(self, kind: type) -> bool:
        fits = len(self._open) > 1 and isinstance(self._open[-1], kind)
        fits = fits and (self._expects == "comma" or self._expects.endswith("or end"))
        self._open.pop()
        self._keys.pop()
        self._expects = "comma"
        return fits

    def _add(self, value: object) -> None:
        """Put a value where it belongs."""
        container = self._open[-1]
        if isinstance(container, dict):
            container[self._keys[-1]] = value
        else:
            container.append(value)
        self._expects = "comma"
