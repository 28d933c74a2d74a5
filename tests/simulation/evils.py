"""Which evil befalls a request.

On all days but a lying one none of them is a wrong answer that nobody could tell from a right one: a count
that is another count, or a null where the contract lets it mean "did not happen" (`results: null`, a group
without `data`). What is in here is refused by a reader that is right, or changes nothing, such as fields that
nobody asked for. On a lying day anything may be anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genesys_sandbox.group_tree_endpoint import PATH as TREE_PATH
from genesys_sandbox.sandbox import TOKEN_PATH
from tests.simulation import fatal, lies, mendable

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from random import Random

    from tests.simulation.evil import Evil
    from tests.simulation.visits import Manner

    Kind = Callable[[Random, datetime], Evil]


def evil(rng: Random, manner: Manner, path: str, now: datetime) -> Evil:
    """Something that goes wrong.

    Args:
        rng: Decides.
        manner: A gentle day has only what a retry mends.
        path: What is asked for: a token, a tree, anything else.
        now: The present, for dates in headers.

    Returns:
        What happens.
    """
    kinds: list[Kind] = [*(mendable.ANY * 2)]
    kinds += mendable.TOKEN if path == TOKEN_PATH else mendable.QUERY
    if manner != "gentle":
        kinds += _fatal(path)
    if manner == "lying":
        kinds += [lies.lie] * len(kinds)
    return rng.choice(kinds)(rng, now)


def _fatal(path: str) -> list[Kind]:
    """What ends a run, for this kind of request."""
    if path == TOKEN_PATH:
        return fatal.TOKEN
    return [*fatal.QUERY, *(fatal.TREE if path == TREE_PATH else ())]
