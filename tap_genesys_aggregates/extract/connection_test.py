"""``--test``: one small request a query, and what came of it in a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_genesys_aggregates.config.families import families
from tap_genesys_aggregates.core.errors import TapError
from tap_genesys_aggregates.http.errors import DeniedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.streams import AggregateStream

GROUP_TREE_SCOPE = "analytics:conversation:view"
"""What a group-tree host wants (group-tree.md)."""


def permissions(query: Query) -> str:
    """The permission that a query needs, by name: one of several where the family takes several."""
    family = families().get(query.endpoint or "")
    if family is None:
        return GROUP_TREE_SCOPE if query.api == "group_tree" else "that of its family"
    return " or ".join(family.permissions_any)


def report(streams: Iterable[AggregateStream]) -> Iterator[tuple[bool, str]]:
    """Try each query once, on its last complete bucket.

    Args:
        streams: The queries' streams.

    Returns:
        For each, whether it went well, and a line for the user.
    """
    return map(_try, streams)


def _try(stream: AggregateStream) -> tuple[bool, str]:
    """One query's line."""
    try:
        rows = stream.probe()
    except DeniedError as error:
        return False, f"{stream.name}: missing permission {permissions(stream.query)}. {error}"
    except TapError as error:
        return False, f"{stream.name}: {error}"
    return True, f"{stream.name}: ok ({rows} rows in its last complete bucket)"
