"""A group-tree query, checked, and the URL that carries it to its next page."""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from genesys_sandbox import fields
from genesys_sandbox.buckets import Granularity, parse_granularity
from genesys_sandbox.filters import compile_tree_filter
from genesys_sandbox.instants import from_text, to_ms
from genesys_sandbox.messages import refuse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from genesys_sandbox.filters import Test
    from genesys_sandbox.messages import Request

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
class Page:
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


def read_page(request: Request, as_of: int) -> Page:
    """The page that a request asks for: by its body, or by a link that was handed out.

    Raises:
        RefusedError: 400, there is neither, or the link is not ours.
    """
    cursor = request.query.get("cursor")
    if cursor is None:
        body = fields.record(request.payload, "body")
        number = fields.number(body, "pageNumber", default=1, most=_MOST_PAGES)
        return Page(body, number, as_of, gap=False)
    if request.body:
        refuse("A next page is asked for without a body")
    try:
        state = json.loads(zlib.decompress(base64.urlsafe_b64decode(cursor)))
        return Page(state["body"], int(request.query["pageNumber"]), state["as_of"], state["gap"])
    except (binascii.Error, zlib.error, ValueError, KeyError, TypeError):
        refuse("Unknown cursor", "invalid.value")


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
        RefusedError: 400, as the host of this contract would.
    """
    levels = fields.known(fields.texts(body, "groupBy"), (INTERVAL, *DIMENSIONS), "groupBy")
    metrics = fields.known(fields.texts(body, "metrics"), tuple(METRICS), "metric")
    start, end = _date(body, "dateFrom"), _date(body, "dateTo")
    if not metrics or start >= end:
        refuse("Metrics are required, and dateFrom must be before dateTo")
    by_time = INTERVAL in levels
    return TreeQuery(
        start=start,
        end=end,
        levels=tuple(dict.fromkeys(levels)),
        granularity=parse_granularity(fields.text(body, "interval")) if by_time else None,
        zone=fields.zone(body),
        metrics=tuple(dict.fromkeys(metrics)),
        keep=_filter(body),
        page_size=fields.number(body, "pageSize", default=25, most=_MOST_ENTITIES),
    )


def _date(body: Mapping[str, object], name: str) -> int:
    value = fields.text(body, name)
    if _DATE.fullmatch(value) is None:
        refuse(
            "{field} must be ISO 8601 with milliseconds and Z: {value}",
            "invalid.date",
            field=name,
            value=value,
        )
    try:
        return to_ms(from_text(value))
    except ValueError:
        refuse("{field} is no date: {value}", "invalid.date", field=name, value=value)


def _filter(body: Mapping[str, object]) -> Test:
    if body.get("filter") is None:
        return lambda _: True
    clause = fields.record(body["filter"], "filter")
    if clause.get("type", "conversation") != "conversation":
        refuse("The filter's type must be conversation")
    if clause.get("expression") is None:
        return lambda _: True
    return compile_tree_filter(fields.record(clause["expression"], "expression"), frozenset(DIMENSIONS))
