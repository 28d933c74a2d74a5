"""The group-tree API: pages of entities, each a tree (docs/api-notes.md, "Group tree: the tree")."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from tap_genesys_aggregates.core import instants, schema
from tap_genesys_aggregates.core.errors import UnforeseenError, UnreadableError, with_new_key
from tap_genesys_aggregates.core.query import INTERVAL, column
from tap_genesys_aggregates.core.rows import Leaf, is_number, json_text
from tap_genesys_aggregates.core.statistics import VALUE
from tap_genesys_aggregates.dialects import deep_json
from tap_genesys_aggregates.dialects.error_bodies import PAGING_FIELDS, check_empty, refuse_error
from tap_genesys_aggregates.dialects.group_tree_block import GroupTreeBlocks, Links
from tap_genesys_aggregates.dialects.key_limits import check_keys, may_contain_nul
from tap_genesys_aggregates.dialects.protocol import Call, Page, whole_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.windows import Window

UNKNOWN = "unknown"
"""The value of a dimension that has no id (docs/api-notes.md, "Group tree: rows")."""

KNOWN_FIELDS = PAGING_FIELDS | {"summary", "links"}
"""What may stand beside ``entities``."""

_Metrics = dict[str, dict[str, int | float | None] | None]
_Cells = Mapping[str, dict[str, int | float | None] | None]
_NO_METRICS: _Cells = MappingProxyType({})
"""Of every leaf without metrics, instead of a dict for each: there can be millions (docs/hostile.md)."""
_M = TypeVar("_M")


class Node(msgspec.Struct, Generic[_M], gc=False):
    """A group of the tree; a node without ``groups`` is a leaf."""

    id: object = None
    metrics: _M | None = None
    groups: list[Node[_M]] | None = None


class _Response(msgspec.Struct, Generic[_M]):
    entities: list[Node[_M]] | None = None
    links: Links | None = None
    total: object = None
    error: object = None
    errors: object = None


_Path = tuple[tuple[str | None, ...], _Cells]
"""A leaf: the ids from the outermost group down to the leaf, and its metrics."""
_DECODER = msgspec.json.Decoder(_Response[_Metrics])


def _decode(body: bytes) -> _Response[Any]:
    """Decode a response. If it is too deep for msgspec, or odd, its nodes stay plain dicts for now."""
    try:
        return _DECODER.decode(body)
    except msgspec.ValidationError:
        plain = msgspec.json.decode(body, type=dict[str, Any])
    except RecursionError:
        plain = msgspec.convert(deep_json.parse(body.decode()), dict[str, Any])
    entities = plain.pop("entities", None)
    response = msgspec.convert(plain, _Response[Any])
    response.entities = msgspec.convert(entities, list[Any] | None)
    return response


def _convert(item: object) -> Node[Any]:
    """Convert one node of a plain tree; its groups stay plain dicts, and its metrics as they are."""
    plain = msgspec.convert(item, dict[str, Any])
    groups = msgspec.convert(plain.get("groups"), list[Any] | None)
    return Node(plain.get("id"), plain.get("metrics"), groups)


def _key_value(value: object) -> str | None:
    """An id as the text that it has in the key; None if there is none."""
    return value if isinstance(value, str) or value is None else json_text(value)


class GroupTreeDialect:
    """The group-tree API, compiled for one query."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._dimensions = query.dimensions
        self._levels = len(query.dimensions) + 1
        self._numeric = {each.wire for each in schema.columns(query) if each.wire}
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
        """Build a request: the first page has a body; a next page is a POST of its link, without a body."""
        del users
        if link is not None:
            return Call("POST", link)
        dates = {"dateFrom": instants.text(window.start), "dateTo": instants.text(window.end)}
        return Call("POST", self._query.path, {**dates, **self._body})

    def read(self, body: bytes, window: Window) -> Page:
        """Parse a page, in which entities, groups, ids and metrics may be missing or null."""
        page = None
        if not may_contain_nul(body):
            page = self._blocks.read(body, lambda each: self._bounds(each, window), UNKNOWN)
        if page is not None:
            return page
        try:
            response = _decode(body)
            paths = list(self._paths(response.entities or ()))
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            msg = f"the response does not match the group-tree API: {error}"
            raise UnreadableError(msg) from None
        if response.error or response.errors:
            raise refuse_error(body, "entities")
        if not response.entities:
            check_empty(body, "entities", KNOWN_FIELDS)
        following = response.links.next if response.links else None
        return Page(
            check_keys(self._leaves(paths, window), self._query),
            following or None,
            total=whole_number(response.total),
            entities=len(response.entities or ()),
        )

    def _paths(self, entities: Iterable[Node[Any]]) -> Iterator[_Path]:
        """The leaves of the trees in order, without recursion: the server decides how deep a tree is."""
        stack: list[tuple[object, tuple[str | None, ...]]] = [(node, ()) for node in reversed(list(entities))]
        while stack:
            item, above = stack.pop()
            node = item if isinstance(item, Node) else _convert(item)
            ids = (*above, _key_value(node.id))
            if len(ids) > self._levels:
                raise self._too_deep(len(ids))
            if node.groups:
                stack.extend((child, ids) for child in reversed(node.groups))
            else:
                yield ids, (node.metrics if item is node else self._readable(node.metrics)) or _NO_METRICS

    def _readable(self, metrics: object) -> _Metrics:
        """The metrics of a plain leaf, without statistics that are neither numbers nor have a column."""
        kept: _Metrics = {}
        for name, statistics in (msgspec.convert(metrics, dict[str, Any] | None) or {}).items():
            numbers = msgspec.convert(statistics, dict[str, Any] | None) or {}
            kept[name] = {
                statistic: msgspec.convert(value, int | float | None)
                for statistic, value in numbers.items()
                if statistic == VALUE or (name, statistic) in self._numeric or is_number(value)
            }
        return kept

    def _leaves(self, paths: list[_Path], window: Window) -> Iterator[Leaf]:
        """A leaf for each path; finds out first which level holds the intervals."""
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
        """The dimensions of a leaf, from its ids other than the interval."""
        wanted = len(self._dimensions)
        if not self._query.group_by or ids == (None,):  # the total of the window needs no id
            ids = ids[:wanted]
        if len(ids) > wanted:
            raise self._too_deep(depth)
        missing = (UNKNOWN,) * (wanted - len(ids))
        return (*[each or UNKNOWN for each in ids], *missing)

    def _interval_level(self, paths: list[_Path]) -> int | None:
        """The outermost level whose ids are all ISO instants, ignoring missing ids.

        The levels may come in another order than in ``group_by`` (docs/api-notes.md, "Group tree: the tree").
        """
        for level in range(self._levels):
            ids = {path[level] for path, _ in paths if len(path) > level}
            if ids - {None} and all(instants.is_instant(each) for each in ids if each is not None):
                return level
        return None

    def _bounds(self, interval: str | None, window: Window) -> tuple[str, str]:
        """The start and end of a leaf's bucket; without an interval, those of the window."""
        if interval is None:
            return instants.text(window.start), instants.text(window.end)
        start = instants.parse(interval)
        if not window.start <= start < window.end:
            msg = f"query {self._query.name!r}: bucket {interval[:80]} is outside the window {window}"
            raise UnreadableError(msg)
        # On the grid, the grid knows where the next bucket begins: on the day of a clock change the last
        # bucket may be short, and a day may begin at 01:00. Off the grid, a bucket lasts one granularity.
        grid, zone = self._query.grid, self._query.zone
        on_grid = grid.floor(start) == start
        end = grid.following(start) if on_grid else self._query.granularity.after(start, zone)
        return instants.text(start), instants.text(end)

    def _too_deep(self, depth: int) -> UnforeseenError:
        names = ", ".join((*map(column, self._dimensions), INTERVAL))
        what = f"the tree has a level {depth} that group_by does not name ({names[:200]})"
        advice = with_new_key("Add its dimension to group_by of this query", self._query.name)
        return UnforeseenError(f"query {self._query.name!r}: {what}", advice)
