"""The group-tree contract: pages of entities, each a tree of groups (group-tree.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.errors import UnforeseenError, UnreadableError
from tap_genesys_aggregates.core.query import INTERVAL, column
from tap_genesys_aggregates.core.rows import Leaf
from tap_genesys_aggregates.dialects import deep_json
from tap_genesys_aggregates.dialects.group_tree_block import GroupTreeBlocks, Links
from tap_genesys_aggregates.dialects.key_limits import may_hold_nul, storable
from tap_genesys_aggregates.dialects.protocol import Call, Page

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.windows import Window

UNKNOWN = "unknown"
"""What a dimension is where the answer gives no id (rule 4)."""

_Metrics = dict[str, dict[str, int | float | None] | None]


class Node(msgspec.Struct, gc=False):
    """One group of the tree; without ``groups`` it is a leaf."""

    id: str | None = None
    metrics: _Metrics | None = None
    groups: list[Node] | None = None


class _Answer(msgspec.Struct):
    entities: list[Node] | None = None
    links: Links | None = None
    message: str | None = None
    code: str | None = None


_Path = tuple[tuple[str | None, ...], _Metrics]
"""A leaf: the ids of its ancestors, outermost first, its own last; and its metrics."""


_DECODER = msgspec.json.Decoder(_Answer)


def _decode(body: bytes) -> _Answer:
    """The answer; where the tree is too deep for the decoder, with its nodes still plain dicts."""
    try:
        return _DECODER.decode(body)
    except RecursionError:
        plain = msgspec.convert(deep_json.parse(body.decode()), dict[str, Any])
    entities = plain.pop("entities", None)
    answer = msgspec.convert(plain, _Answer)
    answer.entities = msgspec.convert(entities, list[Any] | None)
    return answer


def _shallow(item: object) -> Node:
    """One node of a deep tree, checked like any other, its groups left as they are."""
    plain = msgspec.convert(item, dict[str, Any])
    groups = msgspec.convert(plain.pop("groups", None), list[Any] | None)
    node = msgspec.convert(plain, Node)
    node.groups = groups
    return node


class GroupTreeDialect:
    """Speaks the group-tree contract for one query."""

    def __init__(self, query: Query) -> None:
        """Compile what is the same in every request.

        Args:
            query: The query.
        """
        self._query = query
        self._dimensions = query.dimensions
        self._levels = len(query.dimensions) + 1
        self._blocks = GroupTreeBlocks(query)
        self._body: dict[str, object] = {
            "groupBy": list(query.group_by),
            "interval": query.granularity.text,
            "metrics": list(query.metrics),
            **({"filter": query.filter} if query.filter else {}),
            "pageSize": query.page_size,
            "pageNumber": 1,
        }

    def call(self, window: Window, link: str | None, users: tuple[str, ...] = ()) -> Call:
        """Page 1 asks in the body; a next page is a POST without one, everything is in its link."""
        del users
        if link is not None:
            return Call("POST", link)
        dates = {"dateFrom": instants.text(window.start), "dateTo": instants.text(window.end)}
        return Call("POST", self._query.path, {**dates, **self._body})

    def read(self, body: bytes, window: Window) -> Page:
        """Read a page; entities, groups, ids and metrics may be missing or null."""
        nul = may_hold_nul(body)
        found = None if nul else self._blocks.read(body, lambda each: self._bounds(each, window), UNKNOWN)
        if found is not None:
            block, link = found
            return Page(block.leaves(), link, block)
        try:
            answer = _decode(body)
            paths = list(self._paths(answer.entities or ()))
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            msg = f"the answer is not what the group-tree contract says: {error}"
            raise UnreadableError(msg) from None
        if answer.entities is None and (answer.code or answer.message):
            said = f"{(answer.code or '')[:80]} {(answer.message or '')[:200]}"
            msg = f"an error came in place of entities: {said}"
            raise UnreadableError(msg)
        following = answer.links.next if answer.links else None
        leaves = self._leaves(paths, window)
        return Page(storable(leaves, self._query), following or None)

    def _paths(self, entities: Iterable[Node]) -> Iterator[_Path]:
        """The leaves of the trees in order, without recursion: depth is the server's to choose."""
        stack: list[tuple[object, tuple[str | None, ...]]] = [(node, ()) for node in reversed(list(entities))]
        while stack:
            item, above = stack.pop()
            node = item if isinstance(item, Node) else _shallow(item)
            ids = (*above, node.id)
            if len(ids) > self._levels:
                raise self._too_deep(len(ids))
            if node.groups:
                stack.extend((child, ids) for child in reversed(node.groups))
            else:
                yield ids, node.metrics or {}

    def _leaves(self, paths: list[_Path], window: Window) -> Iterator[Leaf]:
        """A leaf for each path: which level is which dimension is rule 3."""
        level = self._interval_level(paths)
        bounds: dict[str | None, tuple[str, str]] = {}
        for ids, metrics in paths:
            interval, others = None, ids
            if level is not None and level < len(ids):
                interval, others = ids[level], ids[:level] + ids[level + 1 :]
            if interval not in bounds:
                bounds[interval] = self._bounds(interval, window)
            start, end = bounds[interval]
            yield Leaf(start, end, self._key(others, len(ids)), metrics)

    def _key(self, ids: tuple[str | None, ...], depth: int) -> tuple[str, ...]:
        """The dimensions of a leaf, from its ids without the interval's."""
        wanted = len(self._dimensions)
        if not self._query.group_by or ids == (None,):  # the total of what was asked for needs no id
            ids = ids[:wanted]
        if len(ids) > wanted:
            raise self._too_deep(depth)
        missing = (UNKNOWN,) * (wanted - len(ids))
        return (*[each or UNKNOWN for each in ids], *missing)

    def _interval_level(self, paths: list[_Path]) -> int | None:
        """The outermost level whose ids all read as ISO instants, leaving out those without one."""
        for level in range(self._levels):
            ids = {path[level] for path, _ in paths if len(path) > level}
            if ids - {None} and all(instants.is_instant(each) for each in ids if each is not None):
                return level
        return None

    def _bounds(self, interval: str | None, window: Window) -> tuple[str, str]:
        """Start and end of a leaf's bucket; without an interval it is the window (rule 4)."""
        if interval is None:
            return instants.text(window.start), instants.text(window.end)
        start = instants.parse(interval)
        if not window.start <= start < window.end:
            msg = f"query {self._query.name!r}: bucket {interval[:80]} lies outside the window {window}"
            raise UnreadableError(msg)
        # On the grid it is the grid that knows where the next bucket begins: on the day that clocks change
        # the last bucket may be short, and a day may begin at 01:00.
        grid, zone = self._query.grid, self._query.zone
        on_grid = grid.floor(start) == start
        end = grid.following(start) if on_grid else self._query.granularity.after(start, zone)
        return instants.text(start), instants.text(end)

    def _too_deep(self, depth: int) -> UnforeseenError:
        """A level that no name of ``group_by`` is left for."""
        names = ", ".join((*map(column, self._dimensions), INTERVAL))
        has = f"the tree has a level {depth} that group_by does not name ({names[:200]})"
        what = f"query {self._query.name!r}: {has}"
        return UnforeseenError(what, "Add its dimension to group_by of this query")
