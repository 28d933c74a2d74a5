"""Answering group-tree queries: a tree of groups with subtotals, page by page."""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from genesys_sandbox.buckets import cut
from genesys_sandbox.instants import to_text
from genesys_sandbox.tree_query import (
    DIMENSIONS,
    INTERVAL,
    METRICS,
    TreeQuery,
    read_page,
    read_tree_query,
)

if TYPE_CHECKING:
    from genesys_sandbox.facts import Subject
    from genesys_sandbox.history import History
    from genesys_sandbox.messages import Request
    from genesys_sandbox.options import Options
    from genesys_sandbox.tree_query import Page

_COUNT = "conversationCount"
_TOTAL = "the total of all conversations, asked for or not"
_TREES_KEPT = 16


@dataclass(slots=True)
class Node:
    """A group: its subtotals, and the groups within it by id (None for an unset dimension)."""

    totals: dict[str, float] = field(default_factory=dict)
    groups: dict[str | None, Node] = field(default_factory=dict)

    def add(self, metric: str, value: float) -> None:
        """Take in one value."""
        self.totals[metric] = self.totals.get(metric, 0) + value


class GroupTree:
    """The group-tree contract over one history."""

    def __init__(self, history: History, options: Options) -> None:
        """Answer from a history, in the manner the options say."""
        self._history = history
        self._options = options
        self._roots = lru_cache(maxsize=_TREES_KEPT)(self._grow)

    def query(self, request: Request, as_of: int) -> dict[str, object]:
        """The body of the page that a request asks for.

        The first page's link fixes what is known at the other pages, so that they fit together.

        Raises:
            RefusedError: the query is malformed.
        """
        page = read_page(request, as_of)
        asked = read_tree_query(page.body)
        root = self._roots(json.dumps({**page.body, "pageNumber": 1}), page.as_of)
        groups = _in_order(root if asked.levels else Node(groups={None: root}))
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

    def _grow(self, body: str, as_of: int) -> Node:
        asked = read_tree_query(json.loads(body))
        boundaries = cut(asked.start, asked.end, asked.granularity, asked.zone)
        labels = [to_text(boundary) for boundary in boundaries]
        levels = self._levels(asked)
        counted, ends = _sources(asked.metrics), _sources((_COUNT,))
        root = Node()
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
                nodes.append(nodes[-1].groups.setdefault(key, Node()))
            for metric, statistic in counted[event.metric]:
                for node in nodes:
                    node.add(metric, 1 if statistic == "count" else event.value)
        return root

    def _value(self, subject: Subject, dimension: str) -> str | None:
        return self._history.centre.vocabulary.value(subject, DIMENSIONS[dimension])

    def _levels(self, asked: TreeQuery) -> tuple[str, ...]:
        """The levels of the tree from its root on."""
        if self._options.nesting == "as_asked" or INTERVAL not in asked.levels:
            return asked.levels
        return (*(level for level in asked.levels if level != INTERVAL), INTERVAL)

    def _following(self, page: Page, *, more: bool) -> Page | None:
        if page.gap:
            return replace(page, gap=False)
        return replace(page, number=page.number + 1, gap=self._options.empty_pages) if more else None

    def _link(self, page: Page, request: Request, size: int) -> str:
        return (request.origin if self._options.absolute_links else "") + page.link(size)

    def _render(self, key: str | None, node: Node, metrics: tuple[str, ...]) -> dict[str, object]:
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


def _in_order(node: Node) -> list[tuple[str | None, Node]]:
    return sorted(node.groups.items(), key=lambda entry: entry[0] or "")
