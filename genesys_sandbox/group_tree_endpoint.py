"""The group-tree endpoint: a tree of groups with subtotals, page by page."""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from genesys_sandbox import query_parts
from genesys_sandbox.http_messages import reject
from genesys_sandbox.query_parts import Granularity, compile_tree_filter, cut, parse_granularity
from genesys_sandbox.timestamps import from_text, to_ms, to_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from genesys_sandbox.contact_center import History
    from genesys_sandbox.events import Subject
    from genesys_sandbox.http_messages import Request
    from genesys_sandbox.options import Options
    from genesys_sandbox.query_parts import Predicate


PATH = "/api/v2/analytics/conversations/aggregate/query"
INTERVAL = "interval"

DIMENSIONS = {
    "routing.queue.id": "queueId",
    "user.id": "userId",
    "mediaType": "mediaType",
    "direction": "direction",
}
"""Dimensions of the group tree, and their names in events."""

METRICS = {
    "conversationCount": (("tHandle", "tAbandon", "tFlowOut"), "count"),
    "handleDurationSum": (("tHandle",), "sum"),
    "wrapupDurationSum": (("tAcw",), "sum"),
    "talkDurationSum": (("tTalkComplete",), "sum"),
    "holdDurationSum": (("tHeldComplete",), "sum"),
    "waitDurationSum": (("tWait",), "sum"),
    "abandonCount": (("tAbandon",), "count"),
}
"""Metrics of the group tree: their source timers, and whether they are counted or summed (milliseconds)."""

# The host answers 400 to anything else (docs/api-notes.md, "Group tree: the query").
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_MAX_PAGE_SIZE = 1_000
_MAX_PAGES = 1_000_000


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A page of a query, and as of when, so that all pages are consistent.

    Attributes:
        gap: Whether this is the empty page before page `number`.
    """

    body: Mapping[str, object]
    number: int
    as_of: int
    gap: bool

    def link(self, size: int) -> str:
        """Return the link to this page. A request for it has no body."""
        state = json.dumps({"body": self.body, "as_of": self.as_of, "gap": self.gap})
        cursor = base64.urlsafe_b64encode(zlib.compress(state.encode())).decode()
        return f"{PATH}?{urlencode({'pageNumber': self.number, 'pageSize': size, 'cursor': cursor})}"


def read_page(request: Request, as_of: int) -> PageRequest:
    """Return the page that a request asks for, by its body or by a link from an earlier page.

    Raises:
        ApiError: 400, it has neither, or the link is not from this sandbox.
    """
    cursor = request.query.get("cursor")
    if cursor is None:
        body = query_parts.record(request.payload, "body")
        number = query_parts.number(body, "pageNumber", default=1, maximum=_MAX_PAGES)
        return PageRequest(body, number, as_of, gap=False)
    if request.body:
        reject("A request for a next page must not have a body")
    try:
        state = json.loads(zlib.decompress(base64.urlsafe_b64decode(cursor)))
        return PageRequest(state["body"], int(request.query["pageNumber"]), state["as_of"], state["gap"])
    except (binascii.Error, zlib.error, ValueError, KeyError, TypeError):
        reject("Unknown cursor", "invalid.value")


@dataclass(frozen=True, slots=True)
class TreeQuery:
    """A validated group-tree query.

    Attributes:
        start: Start, UTC milliseconds.
        end: End (exclusive), UTC milliseconds.
        levels: The requested levels: dimensions, and perhaps `interval`.
        granularity: None without the level `interval`.
    """

    start: int
    end: int
    levels: tuple[str, ...]
    granularity: Granularity | None
    zone: ZoneInfo
    metrics: tuple[str, ...]
    matches: Predicate
    page_size: int


def read_tree_query(body: Mapping[str, object]) -> TreeQuery:
    """Validate the body of a query.

    Raises:
        ApiError: 400, as the real host responds.
    """
    levels = query_parts.known(query_parts.texts(body, "groupBy"), (INTERVAL, *DIMENSIONS), "groupBy")
    metrics = query_parts.known(query_parts.texts(body, "metrics"), tuple(METRICS), "metric")
    start, end = _date(body, "dateFrom"), _date(body, "dateTo")
    if not metrics or start >= end:
        reject("Metrics are required, and dateFrom must be before dateTo")
    by_time = INTERVAL in levels
    return TreeQuery(
        start=start,
        end=end,
        levels=tuple(dict.fromkeys(levels)),
        granularity=parse_granularity(query_parts.text(body, "interval")) if by_time else None,
        zone=query_parts.zone(body),
        metrics=tuple(dict.fromkeys(metrics)),
        matches=_filter(body),
        page_size=query_parts.number(body, "pageSize", default=25, maximum=_MAX_PAGE_SIZE),
    )


def _date(body: Mapping[str, object], name: str) -> int:
    value = query_parts.text(body, name)
    if _DATE.fullmatch(value) is None:
        reject(
            "{field} must be ISO 8601 with milliseconds and Z: {value}",
            "invalid.date",
            field=name,
            value=value,
        )
    try:
        return to_ms(from_text(value))
    except ValueError:
        reject("{field} is not a valid date: {value}", "invalid.date", field=name, value=value)


def _filter(body: Mapping[str, object]) -> Predicate:
    if body.get("filter") is None:
        return lambda _: True
    clause = query_parts.record(body["filter"], "filter")
    if clause.get("type", "conversation") != "conversation":
        reject("The filter's type must be conversation")
    if clause.get("expression") is None:
        return lambda _: True
    return compile_tree_filter(query_parts.record(clause["expression"], "expression"), frozenset(DIMENSIONS))


_COUNT = "conversationCount"
_TOTAL = "all conversations, whether or not the count is requested"
_TREES_KEPT = 16


@dataclass(slots=True)
class TreeNode:
    """A group: its subtotals, and the groups within it by ID (None for an unset dimension)."""

    totals: dict[str, float] = field(default_factory=dict)
    groups: dict[str | None, TreeNode] = field(default_factory=dict)

    def add(self, metric: str, value: float) -> None:
        self.totals[metric] = self.totals.get(metric, 0) + value


class GroupTreeEndpoint:
    """Answers group-tree queries from one history."""

    def __init__(self, history: History, options: Options) -> None:
        self._history = history
        self._options = options
        self._roots = lru_cache(maxsize=_TREES_KEPT)(self._build)

    def query(self, request: Request, as_of: int) -> dict[str, object]:
        """Return the body of the requested page.

        The link on the first page fixes the `as_of` of the other pages, so that all pages are consistent.

        Raises:
            ApiError: The query is malformed.
        """
        page = read_page(request, as_of)
        query = read_tree_query(page.body)
        root = self._roots(json.dumps({**page.body, "pageNumber": 1}), page.as_of)
        groups = _sorted_groups(root if query.levels else TreeNode(groups={None: root}))
        first, size = (page.number - 1) * query.page_size, query.page_size
        visible = [] if page.gap else groups[first : first + size]
        next_page = self._next_page(page, more=first + size < len(groups))
        links = {"next": self._link(next_page, request, size)} if next_page else {}
        return {
            "entities": [self._render(key, node, query.metrics) for key, node in visible],
            "summary": {"totalConversations": root.totals.get(_TOTAL, 0)},
            "pageSize": size,
            "pageNumber": page.number,
            "total": len(groups),
            "links": links,
        }

    def _build(self, body: str, as_of: int) -> TreeNode:
        query = read_tree_query(json.loads(body))
        boundaries = cut(query.start, query.end, query.granularity, query.zone)
        labels = [to_text(boundary) for boundary in boundaries]
        levels = self._levels(query)
        counted, ends = _sources(query.metrics), _sources((_COUNT,))
        root = TreeNode()
        for event in self._history.between("conversations", query.start, query.end, as_of, counted | ends):
            if not query.matches(partial(self._value, event.subject)):
                continue
            if event.metric in ends:
                root.add(_TOTAL, 1)
            if event.metric not in counted:
                continue
            label = labels[bisect_right(boundaries, event.at) - 1]
            path = [label if level == INTERVAL else self._value(event.subject, level) for level in levels]
            nodes = [root]
            for key in path:
                nodes.append(nodes[-1].groups.setdefault(key, TreeNode()))
            for metric, statistic in counted[event.metric]:
                for node in nodes:
                    node.add(metric, 1 if statistic == "count" else event.value)
        return root

    def _value(self, subject: Subject, dimension: str) -> str | None:
        return self._history.contact_center.directory.value(subject, DIMENSIONS[dimension])

    def _levels(self, query: TreeQuery) -> tuple[str, ...]:
        """Return the levels of the tree, from the root down.

        The example nests the interval last although it is named first (docs/api-notes.md,
        "Group tree: the tree").
        """
        if self._options.nesting == "as_requested" or INTERVAL not in query.levels:
            return query.levels
        return (*(level for level in query.levels if level != INTERVAL), INTERVAL)

    def _next_page(self, page: PageRequest, *, more: bool) -> PageRequest | None:
        if page.gap:
            return replace(page, gap=False)
        return replace(page, number=page.number + 1, gap=self._options.empty_pages) if more else None

    def _link(self, page: PageRequest, request: Request, size: int) -> str:
        return (request.origin if self._options.absolute_links else "") + page.link(size)

    def _render(self, key: str | None, node: TreeNode, metrics: tuple[str, ...]) -> dict[str, object]:
        named: dict[str, object] = {} if key is None and self._options.omit_ids else {"id": key or "unknown"}
        return {
            **named,
            "metrics": {name: {"value": node.totals[name]} for name in metrics if name in node.totals},
            "groups": [self._render(inner, group, metrics) for inner, group in _sorted_groups(node)],
        }


def _sources(metrics: tuple[str, ...]) -> dict[str, list[tuple[str, str]]]:
    """Return what each source timer adds to which metric."""
    found: dict[str, list[tuple[str, str]]] = {}
    for metric in dict.fromkeys(metrics):
        timers, statistic = METRICS[metric]
        for timer in timers:
            found.setdefault(timer, []).append((metric, statistic))
    return found


def _sorted_groups(node: TreeNode) -> list[tuple[str | None, TreeNode]]:
    return sorted(node.groups.items(), key=lambda entry: entry[0] or "")
