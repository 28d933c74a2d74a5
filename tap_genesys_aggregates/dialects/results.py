"""The results contract: what Genesys Cloud documents (aggregates-api.md).

One POST a window, no pages; the answer is ``results`` → ``data`` (buckets) → ``metrics`` → ``stats``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.refusal import UnforeseenError, UnreadableError
from tap_genesys_aggregates.core.rows import Leaf
from tap_genesys_aggregates.dialects.protocol import Call, Page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.windows import Window

NOT_SET = ""
"""What a key column holds where the answer leaves a dimension out: a key cannot be null."""

_Stats = dict[str, int | float | None]


class _Metric(msgspec.Struct, gc=False):
    metric: str
    qualifier: str | None = None
    stats: _Stats | None = None


class _View(msgspec.Struct, gc=False):
    name: str
    stats: _Stats | None = None


class _Bucket(msgspec.Struct, gc=False):
    interval: str
    metrics: list[_Metric] | None = None
    views: list[_View] | None = None


class _Result(msgspec.Struct, gc=False):
    group: dict[str, str | None] | None = None
    data: list[_Bucket] | None = None


class _Answer(msgspec.Struct, gc=False):
    results: list[_Result] | None = None
    message: str | None = None
    code: str | None = None


_DECODER = msgspec.json.Decoder(_Answer)


def _users_filter(users: tuple[str, ...]) -> dict[str, object]:
    """The filter for some users, as ``and[or[…]]``: a flat ``or`` is said to undercount."""
    predicates = [
        {"type": "dimension", "dimension": "userId", "operator": "matches", "value": user} for user in users
    ]
    return {"type": "and", "clauses": [{"type": "or", "predicates": predicates}]}


class ResultsDialect:
    """Speaks the results contract for one query."""

    def __init__(self, query: Query) -> None:
        """Compile what is the same in every request.

        Args:
            query: The query.
        """
        self._query = query
        self._dimensions = query.dimensions
        self._known = frozenset(query.dimensions)
        self._body: dict[str, object] = {
            "granularity": query.granularity.text,
            "timeZone": query.zone.key,
            "groupBy": list(query.group_by),
            "metrics": list(query.metrics),
            **({"filter": query.filter} if query.filter else {}),
            **({"views": [view.wire for view in query.views]} if query.views else {}),
            **query.extra,
        }

    def call(self, window: Window, link: str | None, users: tuple[str, ...] = ()) -> Call:
        """The one request of a window; this contract has no pages."""
        del link
        chosen = {"filter": _users_filter(users)} if users else {}
        return Call("POST", self._query.path, {"interval": str(window), **self._body, **chosen})

    def read(self, body: bytes, window: Window) -> Page:
        """Read an answer; ``results``, groups, buckets and metrics may be missing or null."""
        try:
            answer = _DECODER.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            msg = f"the answer is not what the results contract says: {error}"
            raise UnreadableError(msg) from None
        if answer.results is None and (answer.code or answer.message):
            said = f"{(answer.code or '')[:80]} {(answer.message or '')[:200]}"
            msg = f"an error came in place of results: {said}"
            raise UnreadableError(msg)
        return Page(self._leaves(answer, window))

    def _leaves(self, answer: _Answer, window: Window) -> Iterator[Leaf]:
        """A leaf for each group, bucket and (where there are any) qualifier or metric."""
        leaf = self._long if self._query.shape == "long" else self._wide
        bounds: dict[str, tuple[str, str]] = {}
        for result in answer.results or ():
            group = self._group(result.group or {})
            for bucket in result.data or ():
                interval = bounds.get(bucket.interval)
                if interval is None:
                    interval = bounds[bucket.interval] = self._interval(bucket.interval, window)
                yield from leaf(*interval, group, bucket)

    def _wide(self, start: str, end: str, group: tuple[str, ...], bucket: _Bucket) -> Iterator[Leaf]:
        """One leaf for a bucket, or one for each qualifier in it."""
        views = [(view.name, view.stats) for view in bucket.views or ()]
        metrics = bucket.metrics or ()
        if not self._query.qualified:
            cells = [(metric.metric, metric.stats) for metric in metrics if not self._stray(metric)]
            self._each_once(cells, start, group)
            yield Leaf(start, end, group, cells + views)
            return
        sets: dict[str, list[tuple[str, _Stats | None]]] = {NOT_SET: views} if views else {}
        for metric in metrics:
            sets.setdefault(metric.qualifier or NOT_SET, []).append((metric.metric, metric.stats))
        for qualifier, cells in sets.items():
            self._each_once(cells, start, group)
            yield Leaf(start, end, (*group, qualifier), cells)

    def _long(self, start: str, end: str, group: tuple[str, ...], bucket: _Bucket) -> Iterator[Leaf]:
        """One leaf for each metric and view."""
        named = [
            (metric.metric, metric.qualifier or NOT_SET, metric.stats) for metric in bucket.metrics or ()
        ]
        named += [(view.name, NOT_SET, view.stats) for view in bucket.views or ()]
        for name, qualifier, stats in named:
            yield Leaf(start, end, (*group, name, qualifier), [(name, stats)])

    def _each_once(self, cells: list[tuple[str, _Stats | None]], start: str, group: tuple[str, ...]) -> None:
        """Refuse a metric that comes twice in one bucket: the second would overwrite the first."""
        if len({name for name, _ in cells}) != len(cells):
            what = f"query {self._query.name!r}: one metric came twice in the bucket {start} of {group}"
            raise UnforeseenError(
                what[:400], "Set shape: long on this query, which keeps the qualifier in the key"
            )

    def _stray(self, metric: _Metric) -> bool:
        """Refuse a qualifier where the table has no column for it; False otherwise."""
        if not metric.qualifier:
            return False
        what = f"query {self._query.name!r}: {metric.metric} came with qualifier {metric.qualifier[:80]!r}"
        advice = "Set shape: long on this query, which keeps the qualifier in the key"
        raise UnforeseenError(what, advice)

    def _group(self, group: dict[str, str | None]) -> tuple[str, ...]:
        """The key of a group: what is not set is empty, what was not asked for is refused."""
        for name in group.keys() - self._known:
            what = f"query {self._query.name!r}: rows come grouped by {name!r}, which was not asked for"
            raise UnforeseenError(what, f"Add {name!r} to group_by of this query, so that no rows collide")
        return tuple([group.get(name) or NOT_SET for name in self._dimensions])

    def _interval(self, interval: str, window: Window) -> tuple[str, str]:
        """Start and end of a bucket in UTC, from an interval in any offset."""
        try:
            start, end = map(instants.parse, interval.split("/"))
        except ValueError:
            msg = f"query {self._query.name!r}: {interval[:80]!r} is no interval"
            raise UnreadableError(msg) from None
        if not window.start <= start < min(end, window.end):
            msg = f"query {self._query.name!r}: bucket {interval[:80]} lies outside the window {window}"
            raise UnreadableError(msg)
        return instants.text(start), instants.text(end)
