"""NUL in a text of the answer: PostgreSQL cannot store it, so a row with one is refused here.

The target would fail at its own time and in its own words; leaving the character out could make two
keys one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_genesys_aggregates.core import schema
from tap_genesys_aggregates.core.refusal import UnforeseenError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.rows import Leaf

_NUL = "\x00"


def may_hold_nul(body: bytes) -> bool:
    r"""Whether a text in a body may hold NUL: in JSON it can only stand as ``\u0000``."""
    return b"\\" in body and b"\\u0000" in body  # one letter is found much faster than six


def without_nul(leaves: Iterable[Leaf], query: Query) -> Iterator[Leaf]:
    """The leaves as they are.

    Args:
        leaves: Leaves of an answer in which there may be NUL.
        query: Whose they are.

    Yields:
        Each leaf.

    Raises:
        UnforeseenError: The key of one holds NUL.
    """
    names = schema.keys(query)[1:]
    for leaf in leaves:
        for name, value in zip(names, leaf.key, strict=True):
            if _NUL in value:
                what = f"query {query.name!r}: {name} is {value[:60]!r}, and no warehouse stores NUL"
                raise UnforeseenError(what, "Leave that group out with a filter on this query")
        yield leaf
