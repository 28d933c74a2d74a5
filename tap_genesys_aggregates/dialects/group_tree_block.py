"""Plain pages of the group-tree contract, a column at a time.

The wire format is compiled for one query: a Struct for each level of the tree, the last with the metrics
that the query asks for and no others. A page that does not fit (a tree of another depth, a node without
an id, a metric or statistic unasked, no level of instants) is not plain: ``group_tree.py`` reads it leaf
by leaf, and knows what to say of it.
"""

from __future__ import annotations

from itertools import chain, repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.block import Block
from tap_genesys_aggregates.core.query import INTERVAL
from tap_genesys_aggregates.core.refusal import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

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


class _Answer(msgspec.Struct, Generic[_Of]):
    entities: list[_Of] | None = None
    links: Links | None = None


_LEAF: Any = _Leaf
_BRANCH: Any = _Branch
_ANSWER: Any = _Answer
"""Generic Structs, to be made for types that only a query knows."""


class GroupTreeBlocks:
    """Reads the plain pages of one query."""

    def __init__(self, query: Query) -> None:
        """Compile the wire format.

        Args:
            query: The query.
        """
        self._query = query
        names = [f"m{number}" for number in range(len(query.metrics))]
        metrics = msgspec.defstruct(
            "Metrics",
            [(name, _Value | None, None) for name in names],
            rename=dict(zip(names, query.metrics, strict=True)),
            forbid_unknown_fields=True,
            gc=False,
        )
        self._nothing = metrics()
        self._values = [attrgetter(name) for name in names]
        self._plain = INTERVAL in query.group_by and len(query.dimensions) <= _MOST_DIMENSIONS
        node = _LEAF[metrics]
        for _ in query.dimensions[:_MOST_DIMENSIONS]:
            node = _BRANCH[node]
        self._decoder: msgspec.json.Decoder[_Answer[Any]] = msgspec.json.Decoder(_ANSWER[node])

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
        try:
            answer = self._decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        leaves, levels = self._walk(answer.entities or [])
        if not leaves or any(map(_GROUPS, leaves)):
            return None
        found = self._times(levels, bounds)
        if found is None:
            return None
        place, known = found
        starts, ends = zip(*map(known.__getitem__, levels[place]), strict=True)
        keys = tuple(
            column if "" not in column else [each or unknown for each in column]
            for number, column in enumerate(levels)
            if number != place
        )
        return Block(self._query, starts, ends, keys, self._numbers(leaves)), (
            answer.links.next or None if answer.links else None
        )

    def _walk(self, nodes: list[Any]) -> tuple[list[Any], list[list[str]]]:
        """The leaves of the trees in order, and the ids above them by level; none where depths differ."""
        levels: list[list[str]] = []
        for _ in self._query.dimensions:
            groups = [*map(_GROUPS, nodes)]
            if not all(groups):
                return [], []
            levels = [_spread(each, groups) for each in (*levels, map(_ID, nodes))]
            nodes = [*chain.from_iterable(groups)]
        return nodes, [*levels, [*map(_ID, nodes)]]

    def _times(
        self, levels: list[list[str]], bounds: Callable[[str], tuple[str, str]]
    ) -> tuple[int, dict[str, tuple[str, str]]] | None:
        """Which level is the interval's (rule 3), and the bounds of each of its buckets."""
        for place, column in enumerate(levels):
            ids = {*column}
            if all(map(instants.is_instant, ids)):
                try:
                    return place, {each: bounds(each) for each in ids}
                except UnreadableError:
                    return None
        return None

    def _numbers(self, leaves: list[Any]) -> tuple[Sequence[Number | None], ...]:
        """A column for each metric."""
        metrics = [each or self._nothing for each in map(_METRICS, leaves)]
        return tuple(
            [None if each is None else each.value for each in map(value, metrics)] for value in self._values
        )


def _spread(column: Iterable[str], groups: list[list[Any]]) -> list[str]:
    """A column of nodes as a column of their groups: each id as often as it has groups."""
    return [*chain.from_iterable(map(repeat, column, map(len, groups)))]
