"""The results API, the one that Genesys Cloud documents (docs/api-notes.md, "Results: the answer").

One POST per window, without pages. A response is ``results`` → ``data`` (buckets) → ``metrics`` → ``stats``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.errors import UnforeseenError, UnreadableError
from tap_genesys_aggregates.core.rows import Leaf
from tap_genesys_aggregates.dialects.key_limits import check_keys, may_contain_nul
from tap_genesys_aggregates.dialects.protocol import Call, Page
from tap_genesys_aggregates.dialects.results_block import ResultsBlocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.windows import Window

NOT_SET = ""
"""The value of a dimension that the response leaves out: a key column cannot be null."""

_LONG_ADVICE = "Set shape: long on this query, which keeps the qualifier in the key"
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


class _Response(msgspec.Struct, gc=False):
    results: list[_Result] | None = None
    message: str | None = None
    code: str | None = None


_DECODER = msgspec.json.Decoder(_Response)


def _users_filter(users: tuple[str, ...]) -> dict[str, object]:
    """A filter on users, as an ``and`` of one ``or`` (docs/api-notes.md, "Results: users")."""
    predicates = [
        {"type": "dimension", "dimension": "userId", "operator": "matches", "value": user} for user in users
    ]
    return {"type": "and", "clauses": [{"type": "or", "predicates": predicates}]}


class ResultsDialect:
    """The results API, compiled for one query."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._dimensions = query.dimensions
        self._expected = frozenset(query.dimensions)
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
        """Build the one request of a window; this API has no pages."""
        del link
        chosen = {"filter": _users_filter(users)} if users else {}
        return Call("POST", self._query.path, {"interval": str(window), **self._body, **chosen})

    def read(self, body: bytes, window: Window) -> Page:
        """Parse a response, in which results, groups, buckets and metrics may be missing or null."""
        block = None
        if not may_contain_nul(body):
            block = self._blocks.read(body, lambda each: self._interval(each, window), NOT_SET)
        if block is not None:
            return Page(block.leaves(), block=block)
        try:
            response = _DECODER.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            msg = f"the response does not match the results API: {error}"
            raise UnreadableError(msg) from None
        if response.results is None and (response.code or response.message):
            error_text = f"{(response.code or '')[:80]} {(response.message or '')[:200]}"
            raise UnreadableError(f"the response is an error instead of results: {error_text}")
        # JSON can write a field name with escapes, so only a body without a backslash is safe to search.
        qualifiers = b'"qualifier"' in body or b"\\" in body
        return Page(check_keys(self._leaves(response, window, qualifiers=qualifiers), self._query))

    def _leaves(self, response: _Response, window: Window, *, qualifiers: bool) -> Iterator[Leaf]:
        """A leaf for each group and bucket, and for each qualifier or metric if they are part of the key."""
        leaf = self._long if self._query.shape == "long" else self._qualified if qualifiers else self._wide
        bounds: dict[str, tuple[str, str]] = {}
        for result in response.results or ():
            group = self._group(result.group or {})
            for bucket in result.data or ():
                interval = bounds.get(bucket.interval)
                if interval is None:
                    interval = bounds[bucket.interval] = self._interval(bucket.interval, window)
                yield from leaf(*interval, group, bucket)

    def _wide(self, start: str, end: str, group: tuple[str, ...], bucket: _Bucket) -> tuple[Leaf]:
        """The leaf of a bucket without qualifiers."""
        metrics = bucket.metrics or ()
        cells = {metric.metric: metric.stats for metric in metrics}
        views = bucket.views or ()
        if views:
            cells.update((view.name, view.stats) for view in views)
        if len(cells) != len(metrics) + len(views):
            raise self._duplicate_metric(start, group)
        return (Leaf(start, end, (*group, NOT_SET) if self._query.qualified else group, cells),)

    def _qualified(self, start: str, end: str, group: tuple[str, ...], bucket: _Bucket) -> Iterator[Leaf]:
        """A leaf for each qualifier of a bucket; views belong to the leaf without a qualifier."""
        by_qualifier: dict[str, _Bucket] = {}
        if bucket.views:
            by_qualifier[NOT_SET] = _Bucket(bucket.interval, [], bucket.views)
        for metric in bucket.metrics or ():
            qualifier = metric.qualifier or NOT_SET
            if qualifier and not self._query.qualified:
                raise self._unexpected_qualifier(metric)
            part = by_qualifier.setdefault(qualifier, _Bucket(bucket.interval, []))
            part.metrics = [*(part.metrics or ()), metric]
        for qualifier, part in (by_qualifier or {NOT_SET: bucket}).items():
            for leaf in self._wide(start, end, group, part):
                key = (*group, qualifier) if self._query.qualified else group
                yield Leaf(start, end, key, leaf.cells)

    def _long(self, start: str, end: str, group: tuple[str, ...], bucket: _Bucket) -> Iterator[Leaf]:
        """A leaf for each metric and view of a bucket."""
        for metric in bucket.metrics or ():
            yield Leaf(
                start,
                end,
                (*group, metric.metric, metric.qualifier or NOT_SET),
                {metric.metric: metric.stats},
            )
        for view in bucket.views or ():
            yield Leaf(start, end, (*group, view.name, NOT_SET), {view.name: view.stats})

    def _duplicate_metric(self, start: str, group: tuple[str, ...]) -> UnforeseenError:
        """The error for a metric that is twice in one bucket: the second would overwrite the first."""
        what = f"query {self._query.name!r}: a metric appears twice in the bucket {start} of {group}"
        return UnforeseenError(what[:400], _LONG_ADVICE)

    def _unexpected_qualifier(self, metric: _Metric) -> UnforeseenError:
        what = f"{metric.metric[:80]} has the qualifier {str(metric.qualifier)[:80]!r}, which has no column"
        return UnforeseenError(f"query {self._query.name!r}: {what}", _LONG_ADVICE)

    def _group(self, group: dict[str, str | None]) -> tuple[str, ...]:
        """The key of a group: a missing dimension is empty, an unexpected one an error."""
        for name in group.keys() - self._expected:
            what = f"query {self._query.name!r}: rows are grouped by {name[:80]!r}, which was not requested"
            raise UnforeseenError(
                what, f"Add {name[:80]!r} to group_by of this query, so that no two rows have the same key"
            )
        return tuple([group.get(name) or NOT_SET for name in self._dimensions])

    def _interval(self, interval: str, window: Window) -> tuple[str, str]:
        """The start and end of a bucket in UTC, from an interval with any offset."""
        try:
            start, end = map(instants.parse, interval.split("/"))
        except ValueError:
            msg = f"query {self._query.name!r}: {interval[:80]!r} is not an interval"
            raise UnreadableError(msg) from None
        if not window.start <= start < min(end, window.end):
            msg = f"query {self._query.name!r}: bucket {interval[:80]} is outside the window {window}"
            raise UnreadableError(msg)
        return instants.text(start), instants.text(end)
