"""``--test``: one small request per query, and one line about each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_genesys_aggregates.config.families import families
from tap_genesys_aggregates.core.errors import TapError
from tap_genesys_aggregates.http.errors import DeniedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.extract.extractor import Extractor

GROUP_TREE_SCOPE = "analytics:conversation:view"
"""What a group-tree host requires (docs/api-notes.md, "Group tree: the query")."""


def permissions(query: Query) -> str:
    """The permission that a query needs, by name; any one of several where the family accepts several."""
    family = families().get(query.endpoint or "")
    if family is None:
        return GROUP_TREE_SCOPE if query.api == "group_tree" else "that of its family"
    return " or ".join(family.permissions_any)


def report(extractors: Iterable[Extractor]) -> Iterator[tuple[bool, str]]:
    """Probe each query once.

    Args:
        extractors: One per query.

    Yields:
        Whether the query works, and a line for the user.
    """
    for extractor in extractors:
        yield _probe(extractor)


def _probe(extractor: Extractor) -> tuple[bool, str]:
    query = extractor.query
    try:
        rows = extractor.probe()
    except DeniedError as error:
        return False, f"{query.name}: missing permission {permissions(query)}. {error}"
    except TapError as error:
        return False, f"{query.name}: {error}"
    return True, f"{query.name}: ok ({rows} rows in its last complete bucket)"
