"""The results contract: what Genesys Cloud documents (aggregates-api.md).

One POST a window, no pages; the answer is ``results`` → ``data`` (buckets) → ``metrics`` → ``stats``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.errors import UnforeseenError, UnreadableError
from tap_genesys_aggregates.core.rows import Leaf
from tap_genesys_aggregates.dialects.key_limits import may_hold_nul, storable
from tap_genesys_aggregates.dialects.protocol import Call, Page
from tap_genesys_aggregates.dialects.results_block import ResultsBlocks

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
        self._blocks = ResultsBlocks(query)
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
        nul = may_hold_nul(body)
        block = None if nul else self._blocks.read(body, lambda each: self._interval(each, window), NOT_SET)
        if block is not None:
            return Page(block.leaves(), block=block)
        try:
            answer = _DECODER.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            msg = f"the answer is not what the results contract says: {error}"
            raise UnreadableError(msg) from None
        if answer.results is None and (answer.code or answer.message):
            said = f"{(answer.code or '')[:80]} {(answer.message or '')[:200]}"
            msg = f"an error came in place of results: {said}"
            raise UnreadableError(msg)
        # A key could be written with escapes, so only a body without any is known to hold none.
        qualifiers = b'"qualifier"' in body or b"\\" in body
        leaves = self._leaves(answer, window, qualifiers=qualifiers)
        return Page(storable(leaves, self._query))

    def _leaves(self, answer: _Answer, window: Window, *, qualifiers: bool) -> Iterator[Leaf]:
        """A leaf for each group, bucket and (where there are any) qualifier or metric."""
        leaf = self._long if self._query.shape == "long" else self._qualified if qualifiers else self._wide
        bounds: dict[str, tuple[str, str]] = {}
        for result in answer.results or ():
            group = self._group(result.group or {})
            for bucket in result.data or ():
                interval = bounds.get(bucket.interval)
                if interval is None:
                    interval = bounds[bucket.interval] = self._interval(bucket.interval, window)
                yield from leaf(*interval, group, bucket)

    def _wide(self, start: str, end: str, group: tuple[str, ...], bucket: _Bucket) -> tuple[Leaf]:
        """One leaf for a bucket without qualifiers."""
        metrics = bucket.metrics or ()
        cells = {metric.metric: metric.stats for metric in metrics}
        views = bucket.views or ()
        if views:
            cells.update((view.name, view.stats) for view in views)
        if len(cells) != len(metrics) + len(views):
            raise self._twice(start, group)
        return (Leaf(start, end, (*group, NOT_SET) if self._query.qualified else group, cells),)

    def _qualified(self, start: str, end: str, group: tuple[str, ...], bucket: _Bucket) -> Iterator[Leaf]:
        """One leaf for each qualifier in a bucket; its views go with what has none."""
        sets: dict[str, _Bucket] = {}
        if bucket.views:
            sets[NOT_SET] = _Bucket(bucket.interval, [], bucket.views)
        for metric in bucket.metrics or ():
            qualifier = metric.qualifier or NOT_SET
            if qualifier and not self._query.qualified:
                raise self._stray(metric)
            part = sets.setdefault(qualifier, _Bucket(bucket.interval, []))
            part.metrics = [*(part.metrics or ()), metric]
        for qualifier, part in (sets or {NOT_SET: bucket}).items():
            for leaf in self._wide(start, end, group, part):
                key = (*group, qualifier) if self._query.qualified else group
                yield Leaf(start, end, key, leaf.cells)

    def _long(self, start: str, end: str, group: tuple[str, ...], bucket: _Bucket) -> Iterator[Leaf]:
        """One leaf for each metric and view."""
        for metric in bucket.metrics or ():
            yield Leaf(
                start,
                end,
                (*group, metric.metric, metric.qualifier or NOT_SET),
                {metric.metric: metric.stats},
            )
        for view in bucket.views or ():
            yield Leaf(start, end, (*group, view.name, NOT_SET), {view.name: view.stats})

    def _twice(self, start: str, group: tuple[str, ...]) -> UnforeseenError:
        """A metric that comes twice in one bucket: the second would overwrite the first."""
        what = f"query {self._query.name!r}: one metric came twice in the bucket {start} of {group}"
        return UnforeseenError(
            what[:400], "Set shape: long on this query, which keeps the qualifier in the key"
        )

    def _stray(self, metric: _Metric) -> UnforeseenError:
        """A qualifier where the table has no column for it."""
        came = f"{metric.metric[:80]} came with qualifier {str(metric.qualifier)[:80]!r}"
        what = f"query {self._query.name!r}: {came}"
        return UnforeseenError(what, "Set shape: long on this query, which keeps the qualifier in the key")

    def _group(self, group: dict[str, str | None]) -> tuple[str, ...]:
        """The key of a group: what is not set is empty, what was not asked for is refused."""
        for name in group.keys() - self._known:
            what = f"query {self._query.name!r}: rows come grouped by {name[:80]!r}, which was not asked for"
            raise UnforeseenError(
                what, f"Add {name[:80]!r} to group_by of this query, so that no rows collide"
            )
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
