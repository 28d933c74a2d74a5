"""Answers group-tree queries: a tree of groups with subtotals, page by page."""

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
    from genesys_sandbox.query_parts import Test


PATH = "/api/v2/analytics/conversations/aggregate/query"
INTERVAL = "interval"

DIMENSIONS = {
    "routing.queue.id": "queueId",
    "user.id": "userId",
    "mediaType": "mediaType",
    "direction": "direction",
}
"""Dimensions of this contract, and what the facts call them."""

METRICS = {
    "conversationCount": (("tHandle", "tAbandon", "tFlowOut"), "count"),
    "handleDurationSum": (("tHandle",), "sum"),
    "wrapupDurationSum": (("tAcw",), "sum"),
    "talkDurationSum": (("tTalkComplete",), "sum"),
    "holdDurationSum": (("tHeldComplete",), "sum"),
    "waitDurationSum": (("tWait",), "sum"),
    "abandonCount": (("tAbandon",), "count"),
}
"""Metrics of this contract: of which timers, and whether they are counted or summed (milliseconds)."""

_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_MOST_ENTITIES = 1_000
_MOST_PAGES = 1_000_000


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page of which query is asked for, and as of when, so that pages fit together.

    Attributes:
        gap: Whether this is an empty page before the one of that number.
    """

    body: Mapping[str, object]
    number: int
    as_of: int
    gap: bool

    def link(self, size: int) -> str:
        """Where this page is found, without a body."""
        state = json.dumps({"body": self.body, "as_of": self.as_of, "gap": self.gap})
        cursor = base64.urlsafe_b64encode(zlib.compress(state.encode())).decode()
        return f"{PATH}?{urlencode({'pageNumber': self.number, 'pageSize': size, 'cursor': cursor})}"


def read_page(request: Request, as_of: int) -> PageRequest:
    """The page that a request asks for: by its body, or by a link that was handed out.

    Raises:
        ApiError: 400, there is neither, or the link is not ours.
    """
    cursor = request.query.get("cursor")
    if cursor is None:
        body = query_parts.record(request.payload, "body")
        number = query_parts.number(body, "pageNumber", default=1, most=_MOST_PAGES)
        return PageRequest(body, number, as_of, gap=False)
    if request.body:
        reject("A next page is asked for without a body")
    try:
        state = json.loads(zlib.decompress(base64.urlsafe_b64decode(cursor)))
        return PageRequest(state["body"], int(request.query["pageNumber"]), state["as_of"], state["gap"])
    except (binascii.Error, zlib.error, ValueError, KeyError, TypeError):
        reject("Unknown cursor", "invalid.value")


@dataclass(frozen=True, slots=True)
class TreeQuery:
    """A query, checked.

    Attributes:
        start: First instant, UTC milliseconds.
        end: First instant that no longer belongs to it.
        levels: As asked: dimensions of this contract, and perhaps `interval`.
        granularity: None where there is no such level.
    """

    start: int
    end: int
    levels: tuple[str, ...]
    granularity: Granularity | None
    zone: ZoneInfo
    metrics: tuple[str, ...]
    keep: Test
    page_size: int


def read_tree_query(body: Mapping[str, object]) -> TreeQuery:
    """Check a query's body.

    Raises:
        ApiError: 400, as the host of this contract would.
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
        keep=_filter(body),
        page_size=query_parts.number(body, "pageSize", default=25, most=_MOST_ENTITIES),
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
        reject("{field} is no date: {value}", "invalid.date", field=name, value=value)


def _filter(body: Mapping[str, object]) -> Test:
    if body.get("filter") is None:
        return lambda _: True
    clause = query_parts.record(body["filter"], "filter")
    if clause.get("type", "conversation") != "conversation":
        reject("The filter's type must be conversation")
    if clause.get("expression") is None:
        return lambda _: True
    return compile_tree_filter(query_parts.record(clause["expression"], "expression"), frozenset(DIMENSIONS))


_COUNT = "conversationCount"
_TOTAL = "the total of all conversations, asked for or not"
_TREES_KEPT = 16


@dataclass(slots=True)
class TreeNode:
    """A group: its subtotals, and the groups within it by id (None for an unset dimension)."""

    totals: dict[str, float] = field(default_factory=dict)
    groups: dict[str | None, TreeNode] = field(default_factory=dict)

    def add(self, metric: str, value: float) -> None:
        """Take in one value."""
        self.totals[metric] = self.totals.get(metric, 0) + value


class GroupTreeEndpoint:
    """The group-tree contract over one history."""

    def __init__(self, history: History, options: Options) -> None:
        """Response from a history, in the manner the options say."""
        self._history = history
        self._options = options
        self._roots = lru_cache(maxsize=_TREES_KEPT)(self._grow)

    def query(self, request: Request, as_of: int) -> dict[str, object]:
        """The body of the page that a request asks for.

        The first page's link fixes what is known at the other pages, so that they fit together.

        Raises:
            ApiError: the query is malformed.
        """
        page = read_page(request, as_of)
        asked = read_tree_query(page.body)
        root = self._roots(json.dumps({**page.body, "pageNumber": 1}), page.as_of)
        groups = _in_order(root if asked.levels else TreeNode(groups={None: root}))
        first, size = (page.number - 1) * asked.page_size, asked.page_size
        shown = [] if page.gap else groups[first : first + size]
        following = self._following(page, more=first + size < len(groups))
        links = {"next": self._link(following, request, size)} if following else {}
        return {
            "entities": [self._render(key, node, asked.metrics) for key, node in shown],
            "summary": {"totalConversations": root.totals.get(_TOTAL, 0)},
            "pageSize": size,
            "pageNumber": page.number,
            "total": len(groups),
            "links": links,
        }

    def _grow(self, body: str, as_of: int) -> TreeNode:
        asked = read_tree_query(json.loads(body))
        boundaries = cut(asked.start, asked.end, asked.granularity, asked.zone)
        labels = [to_text(boundary) for boundary in boundaries]
        levels = self._levels(asked)
        counted, ends = _sources(asked.metrics), _sources((_COUNT,))
        root = TreeNode()
        for event in self._history.between("conversations", asked.start, asked.end, as_of, counted | ends):
            if not asked.keep(partial(self._value, event.subject)):
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

    def _levels(self, asked: TreeQuery) -> tuple[str, ...]:
        """The levels of the tree from its root on."""
        if self._options.nesting == "as_asked" or INTERVAL not in asked.levels:
            return asked.levels
        return (*(level for level in asked.levels if level != INTERVAL), INTERVAL)

    def _following(self, page: PageRequest, *, more: bool) -> PageRequest | None:
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
            "groups": [self._render(inner, group, metrics) for inner, group in _in_order(node)],
        }


def _sources(metrics: tuple[str, ...]) -> dict[str, list[tuple[str, str]]]:
    """Which timers are read, and what each adds to which metric."""
    found: dict[str, list[tuple[str, str]]] = {}
    for metric in dict.fromkeys(metrics):
        timers, statistic = METRICS[metric]
        for timer in timers:
            found.setdefault(timer, []).append((metric, statistic))
    return found


def _in_order(node: TreeNode) -> list[tuple[str | None, TreeNode]]:
    return sorted(node.groups.items(), key=lambda entry: entry[0] or "")
