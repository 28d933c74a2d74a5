"""Limits on the values in a key: PostgreSQL stores no NUL and indexes no key longer than about 2,700 bytes.

Without this check the target would fail later, with an error that names no query. Cutting the text instead
could turn two keys into one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_genesys_aggregates.core import schema
from tap_genesys_aggregates.core.errors import UnforeseenError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.rows import Leaf

MAX_LENGTH = 2_000
"""Characters of one value in a key."""
_NUL = "\x00"


def may_contain_nul(body: bytes) -> bool:
    r"""Whether a string in a JSON document may contain NUL, which JSON can only write as ``\u0000``."""
    return b"\\" in body and b"\\u0000" in body  # a single byte is found much faster than six


def is_too_long(value: str) -> bool:
    """Whether a value is longer than a key allows."""
    return len(value) > MAX_LENGTH


def check_keys(leaves: Iterable[Leaf], query: Query) -> Iterator[Leaf]:
    """Pass leaves through unchanged, and stop at one whose key a warehouse could not store.

    Args:
        leaves: Leaves of a response.
        query: The query that they belong to.

    Raises:
        UnforeseenError: A key contains NUL, or a value that is too long.
    """
    names = schema.response_keys(query)[1:]
    for leaf in leaves:
        for name, value in zip(names, leaf.key, strict=True):
            if _NUL in value or is_too_long(value):
                problem = "contains NUL" if _NUL in value else f"has {len(value):,} characters"
                what = f"{name} {value[:60]!r} {problem}, and a warehouse cannot store that in a key"
                advice = (
                    "Exclude that group with a filter on this query, and set on_query_change: continue on "
                    "it, so that its table is kept"
                )
                raise UnforeseenError(f"query {query.name!r}: {what}", advice)
        yield leaf
