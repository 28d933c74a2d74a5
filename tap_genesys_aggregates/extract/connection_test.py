"""``--test``: one small request for each family, and one line about each query.

A family has one permission, so its other queries would be answered alike.
"""

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
    """Probe each family once.

    It ends with the first error that concerns every query, such as a host that cannot be reached.

    Args:
        extractors: One per query.

    Yields:
        Whether the query works, and a line for the user.
    """
    answered: dict[tuple[str, str], tuple[str, bool]] = {}
    for extractor in extractors:
        query = extractor.query
        family = (query.path, query.mode)
        if family in answered:
            first, works = answered[family]
            state = "ok" if works else f"missing permission {permissions(query)}"
            yield works, f"{query.name}: {state} (of the same family as {first}, so not asked again)"
            continue
        try:
            rows = extractor.probe()
        except TapError as error:
            is_denied = isinstance(error, DeniedError)
            yield False, f"{query.name}: {_denied(query) if is_denied else ''}{error}"
            if error.stops_run:
                return
            if is_denied:  # another error may be that of this query alone
                answered[family] = (query.name, False)
        else:
            answered[family] = (query.name, True)
            yield True, f"{query.name}: ok ({rows} rows in its last complete bucket)"


def _denied(query: Query) -> str:
    return f"missing permission {permissions(query)}. "
