"""Errors that come with status 200: they are never taken for an empty answer.

A gateway may answer 200 with ``{"error": …}``. Committed as a window without rows, that would remove settled
data for good. So an answer without rows may hold nothing else that the API does not document
(docs/api-notes.md, "Results: the answer"). Fields that are null or empty say nothing and are ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tap_genesys_aggregates.core.errors import UnreadableError
from tap_genesys_aggregates.core.rows import json_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PAGING_FIELDS = frozenset(
    {
        "pageSize",
        "pageNumber",
        "pageCount",
        "total",
        "firstUri",
        "lastUri",
        "nextUri",
        "previousUri",
        "selfUri",
    }
)
"""What stands beside ``entities`` in a page of a list."""

_WORDS = ("status", "code", "error", "message", "errors")
_MAX_WORD_LENGTH = 200
_LATER = "Try again later; if it keeps happening, report it to the server's owner"


def refuse_error(body: bytes, part: str) -> UnreadableError:
    """The error for a response that holds an error, whatever else it holds.

    Args:
        body: The bytes of the response, a JSON object.
        part: The field that it should have, ``results`` or the like.
    """
    return _error(_fields(body), part, ())


def check_error(body: bytes, part: str) -> None:
    """Check that a response without a field that it must have is not an error.

    Args:
        body: The bytes of the response.
        part: The field.

    Raises:
        UnreadableError: It is an error; the message has the server's words.
    """
    fields = _fields(body)
    if part not in fields and any(_says(fields.get(name)) for name in _WORDS):
        raise _error(fields, part, ())


def check_empty(body: bytes, part: str, known: frozenset[str]) -> None:
    """Check that a response without rows is empty, and not an error.

    Args:
        body: The bytes of the response, a JSON object.
        part: The field in which rows would have come.
        known: The fields that may stand beside it.

    Raises:
        UnreadableError: It holds something else; the message has the server's words.
    """
    fields = _fields(body)
    unknown = [name for name, value in fields.items() if name != part and name not in known and _says(value)]
    if unknown:
        raise _error(fields, part, unknown)


def _fields(body: bytes) -> Mapping[str, object]:
    """The fields of a response; of one that is not an object, none."""
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _says(value: object) -> bool:
    """Whether a field says anything; zero and false do."""
    return value is not None and value not in ("", [], {})


def _error(fields: Mapping[str, object], part: str, unknown: Sequence[str]) -> UnreadableError:
    words = [_word(fields[name]) for name in _WORDS if _says(fields.get(name))]
    if words:
        return UnreadableError(f"the response is an error instead of {part}: {': '.join(words)}", _LATER)
    names = ", ".join(repr(name[:60]) for name in unknown[:5])
    return UnreadableError(f"the response has no {part}, but {names}, so it may be an error", _LATER)


def _word(value: object) -> str:
    """A value of an error for a message, cut to a reasonable length."""
    return (value if isinstance(value, str) else json_text(value))[:_MAX_WORD_LENGTH]
