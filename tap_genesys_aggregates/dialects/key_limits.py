"""Keys that a warehouse can store: PostgreSQL takes no NUL, and indexes no key beyond some 2,700 bytes.

The target would fail at its own time and in its own words; cutting the text could make two keys one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_genesys_aggregates.core import schema
from tap_genesys_aggregates.core.errors import UnforeseenError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.rows import Leaf

LONGEST = 2_000
"""Characters of one value in a key."""
_NUL = "\x00"


def may_hold_nul(body: bytes) -> bool:
    r"""Whether a text in a body may hold NUL: in JSON it can only stand as ``\u0000``."""
    return b"\\" in body and b"\\u0000" in body  # one letter is found much faster than six


def is_long(value: str) -> bool:
    """Whether a value is longer than a key may be."""
    return len(value) > LONGEST


def storable(leaves: Iterable[Leaf], query: Query) -> Iterator[Leaf]:
    """The leaves as they are.

    Args:
        leaves: Leaves of an answer.
        query: Whose they are.

    Yields:
        Each leaf.

    Raises:
        UnforeseenError: The key of one holds NUL, or a value that is too long.
    """
    names = schema.keys(query)[1:]
    for leaf in leaves:
        for name, value in zip(names, leaf.key, strict=True):
            if _NUL in value or is_long(value):
                what = "with NUL" if _NUL in value else f"and so on for {len(value):,} characters"
                told = f"{name} is {value[:60]!r}, {what}, which no warehouse has in a key"
                advice = "Leave that group out with a filter on this query"
                raise UnforeseenError(f"query {query.name!r}: {told}", advice)
        yield leaf
