"""The fast reader of the group-tree API: plain pages, column by column.

The API has two readers. This one decodes a page into types compiled for one query: a Struct for each level
of the tree, the last one with the requested metrics and no others. Whatever does not fit (a tree of another
depth, a node without an id, a metric or statistic that was not requested, no level of instants) is not plain:
``group_tree.py`` reads such a page leaf by leaf, handles every special case and reports errors. The reason
is speed: with this reader, a load is as fast as decoding and encoding alone (bench/README.md: 1.03).
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain, repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.errors import UnreadableError
from tap_genesys_aggregates.core.query import INTERVAL
from tap_genesys_aggregates.core.rows import Block
from tap_genesys_aggregates.dialects.key_limits import is_too_long
from tap_genesys_aggregates.dialects.protocol import Page, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.rows import Number

_MAX_DIMENSIONS = 8
_ID, _GROUPS, _METRICS = map(attrgetter, ("id", "groups", "metrics"))

_T = TypeVar("_T")


class _Value(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    value: int | float | None = None


class Links(msgspec.Struct):
    """The link to the next page (docs/api-notes.md, "Group tree: paging")."""

    next: str | None = None


class _Leaf(msgspec.Struct, Generic[_T], gc=False):
    id: str
    groups: list[msgspec.Raw] | None = None
    metrics: _T | None = None


class _Branch(msgspec.Struct, Generic[_T], gc=False):
    id: str
    groups: list[_T] | None = None


class _Response(msgspec.Struct):
    entities: list[msgspec.Raw] | None = None
    links: Links | None = None
    total: object = None
    error: object = None
    errors: object = None


_RESPONSE = msgspec.json.Decoder(_Response)
_LEAF: Any = _Leaf
_BRANCH: Any = _Branch
"""Generic Structs, to be specialized with the types of a query at run time."""


@lru_cache(maxsize=256)
def _compiled(names: tuple[str, ...], levels: int) -> tuple[msgspec.json.Decoder[Any], Any]:
    """The decoder of an entity with this many levels below it, and metrics that are all null.

    Cached because Python never frees the types that are created here.
    """
    fields = [f"m{number}" for number in range(len(names))]
    metrics = msgspec.defstruct(
        "Metrics",
        [(field, _Value | None, None) for field in fields],
        rename=dict(zip(fields, names, strict=True)),
        forbid_unknown_fields=True,
        gc=False,
    )
    node = _LEAF[metrics]
    for _ in range(levels):
        node = _BRANCH[node]
    return msgspec.json.Decoder(node), metrics()


class GroupTreeBlocks:
    """Reads the plain pages of one query."""

    def __init__(self, query: Query) -> None:
        self._query = query
        levels = len(query.dimensions)
        self._plain = INTERVAL in query.group_by and levels <= _MAX_DIMENSIONS and not query.statistics
        self._decoder, self._no_metrics = _compiled(query.metrics, min(levels, _MAX_DIMENSIONS))
        self._values = [attrgetter(name) for name in self._no_metrics.__struct_fields__]

    def read(self, body: bytes, bounds: Callable[[str], tuple[str, str]], unknown: str) -> Page | None:
        """Parse a page.

        Args:
            body: The bytes of the response.
            bounds: Returns the start and end of a bucket, given the id of its node.
            unknown: The value of a dimension without an id.

        Returns:
            The page, with a block; None if it is not plain, is empty or holds an error.
        """
        if not self._plain:
            return None
        levels: list[list[str]] = [[] for _ in range(len(self._query.dimensions) + 1)]
        numbers: list[list[Number | None]] = [[] for _ in self._values]
        try:
            response = _RESPONSE.decode(body)
            # One entity at a time, so that its objects fit into the processor's cache.
            entities = map(self._decoder.decode, response.entities or ())
            is_plain = all(self._add_leaves([each], levels, numbers) for each in entities)
            if response.error or response.errors or not is_plain:
                return None
            found = self._find_interval(levels, bounds) if levels[0] else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, UnreadableError):
            return None
        if found is None:
            return None
        interval_level, bounds_of = found
        starts, ends = zip(*map(bounds_of.__getitem__, levels[interval_level]), strict=True)
        keys = tuple(
            column if "" not in column else [each or unknown for each in column]
            for number, column in enumerate(levels)
            if number != interval_level
        )
        if any(is_too_long(each) for column in keys for each in {*column}):
            return None
        block = Block(self._query, starts, ends, keys, tuple(numbers))
        link = response.links.next if response.links else None
        return Page(
            block.leaves(), link or None, block, whole_number(response.total), len(response.entities or ())
        )

    def _add_leaves(
        self, nodes: list[Any], levels: list[list[str]], numbers: list[list[Number | None]]
    ) -> bool:
        """Append the leaves of some trees to the columns; returns False if one has another depth."""
        ids: list[Iterable[str]] = []
        for _ in self._query.dimensions:
            groups = [*map(_GROUPS, nodes)]
            if not all(groups):
                return False
            ids = [_spread(each, groups) for each in (*ids, map(_ID, nodes))]
            nodes = [*chain.from_iterable(groups)]
        for level, column in zip(levels, (*ids, map(_ID, nodes)), strict=True):
            level.extend(column)
        metrics = [each or self._no_metrics for each in map(_METRICS, nodes)]
        for value, numeric in zip(self._values, numbers, strict=True):
            numeric += [None if each is None else each.value for each in map(value, metrics)]
        return not any(map(_GROUPS, nodes))

    def _find_interval(
        self, levels: list[list[str]], bounds: Callable[[str], tuple[str, str]]
    ) -> tuple[int, dict[str, tuple[str, str]]] | None:
        """The outermost level whose ids are all instants, and the bounds of each of its buckets."""
        for level, column in enumerate(levels):
            ids = {*column}
            if all(map(instants.is_instant, ids)):
                return level, {each: bounds(each) for each in ids}
        return None


def _spread(column: Iterable[str], groups: list[list[Any]]) -> list[str]:
    """Repeat each id of a column once for each of its groups."""
    return [*chain.from_iterable(map(repeat, column, map(len, groups)))]
