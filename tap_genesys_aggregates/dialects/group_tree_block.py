"""Plain pages of the group-tree contract, a column at a time.

The wire format is compiled for one query: a Struct for each level of the tree, the last with the metrics
that the query asks for and no others. A page that does not fit (a tree of another depth, a node without
an id, a metric or statistic unasked, no level of instants) is not plain: ``group_tree.py`` reads it leaf
by leaf, and knows what to say of it.
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
from tap_genesys_aggregates.dialects.key_limits import is_long

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.rows import Number

_MOST_DIMENSIONS = 8
_ID, _GROUPS, _METRICS = map(attrgetter, ("id", "groups", "metrics"))

_Of = TypeVar("_Of")


class _Value(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    value: int | float | None = None


class Links(msgspec.Struct):
    """Where a page leads to (rule 1)."""

    next: str | None = None


class _Leaf(msgspec.Struct, Generic[_Of], gc=False):
    id: str
    groups: list[msgspec.Raw] | None = None
    metrics: _Of | None = None


class _Branch(msgspec.Struct, Generic[_Of], gc=False):
    id: str
    groups: list[_Of] | None = None


class _Answer(msgspec.Struct):
    entities: list[msgspec.Raw] | None = None
    links: Links | None = None


_ANSWER = msgspec.json.Decoder(_Answer)
_LEAF: Any = _Leaf
_BRANCH: Any = _Branch
"""Generic Structs, to be made for types that only a query knows."""


@lru_cache(maxsize=256)
def _compiled(names: tuple[str, ...], levels: int) -> tuple[msgspec.json.Decoder[Any], Any]:
    """The decoder of an entity with so many levels below it, and metrics that are all null.

    Kept, since Python keeps the types that are made for it in any case.
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
        """Compile the wire format.

        Args:
            query: The query.
        """
        self._query = query
        levels = len(query.dimensions)
        self._plain = INTERVAL in query.group_by and levels <= _MOST_DIMENSIONS
        self._decoder, self._nothing = _compiled(query.metrics, min(levels, _MOST_DIMENSIONS))
        self._values = [attrgetter(name) for name in self._nothing.__struct_fields__]

    def read(
        self, body: bytes, bounds: Callable[[str], tuple[str, str]], unknown: str
    ) -> tuple[Block, str | None] | None:
        """The block of a page, and the link to the next one.

        Args:
            body: The bytes of the answer.
            bounds: Start and end of a bucket, from the id of its node.
            unknown: What a dimension is that has no id.

        Returns:
            The block and the link; None where the page is not plain, or holds nothing.
        """
        if not self._plain:
            return None
        levels: list[list[str]] = [[] for _ in range(len(self._query.dimensions) + 1)]
        numbers: list[list[Number | None]] = [[] for _ in self._values]
        try:
            answer = _ANSWER.decode(body)
            # One entity at a time: what it is made of stays where the processor is quick to find it.
            for raw in answer.entities or ():
                if not self._walk([self._decoder.decode(raw)], levels, numbers):
                    return None
            found = self._times(levels, bounds) if levels[0] else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, UnreadableError):
            return None
        if found is None:
            return None
        place, known = found
        starts, ends = zip(*map(known.__getitem__, levels[place]), strict=True)
        keys = tuple(
            column if "" not in column else [each or unknown for each in column]
            for number, column in enumerate(levels)
            if number != place
        )
        if any(is_long(each) for column in keys for each in {*column}):
            return None
        link = answer.links.next if answer.links else None
        return Block(self._query, starts, ends, keys, tuple(numbers)), link or None

    def _walk(self, nodes: list[Any], levels: list[list[str]], numbers: list[list[Number | None]]) -> bool:
        """Add the leaves of some trees to the columns; False where they are not all as deep as asked for."""
        ids: list[Iterable[str]] = []
        for _ in self._query.dimensions:
            groups = [*map(_GROUPS, nodes)]
            if not all(groups):
                return False
            ids = [_spread(each, groups) for each in (*ids, map(_ID, nodes))]
            nodes = [*chain.from_iterable(groups)]
        for level, column in zip(levels, (*ids, map(_ID, nodes)), strict=True):
            level.extend(column)
        metrics = [each or self._nothing for each in map(_METRICS, nodes)]
        for value, numeric in zip(self._values, numbers, strict=True):
            numeric += [None if each is None else each.value for each in map(value, metrics)]
        return not any(map(_GROUPS, nodes))

    def _times(
        self, levels: list[list[str]], bounds: Callable[[str], tuple[str, str]]
    ) -> tuple[int, dict[str, tuple[str, str]]] | None:
        """Which level is the interval's (rule 3), and the bounds of each of its buckets."""
        for place, column in enumerate(levels):
            ids = {*column}
            if all(map(instants.is_instant, ids)):
                return place, {each: bounds(each) for each in ids}
        return None


def _spread(column: Iterable[str], groups: list[list[Any]]) -> list[str]:
    """A column of nodes as a column of their groups: each id as often as it has groups."""
    return [*chain.from_iterable(map(repeat, column, map(len, groups)))]
