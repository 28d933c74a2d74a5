"""The results API, the one that Genesys Cloud documents (docs/api-notes.md, "Results: the answer").

One POST per window, without pages. A response is ``results`` → ``data`` (buckets) → ``metrics`` → ``stats``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from tap_genesys_aggregates.core import instants, schema
from tap_genesys_aggregates.core.errors import UnforeseenError, UnreadableError, with_new_key
from tap_genesys_aggregates.core.rows import Leaf, is_number, json_text, merged_statistics
from tap_genesys_aggregates.core.statistics import STATISTICS
from tap_genesys_aggregates.dialects.error_bodies import check_empty, refuse_error
from tap_genesys_aggregates.dialects.key_limits import check_keys, may_contain_nul
from tap_genesys_aggregates.dialects.protocol import Call, Page
from tap_genesys_aggregates.dialects.results_block import ResultsBlocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.windows import Window

NOT_SET = "(not set)"
"""The key value of a dimension or qualifier that the response leaves out: a key column cannot be null."""
EMPTY = "(empty)"
"""The key value of one that is an empty string: some targets store an empty string as NULL."""
KNOWN_FIELDS = frozenset({"systemToOrganizationMappings"})
"""What may stand beside ``results`` (docs/api-notes.md, "Results: the answer")."""

_Numbers = dict[str, int | float | None]
_S = TypeVar("_S")


class _Metric(msgspec.Struct, Generic[_S], gc=False):
    metric: str
    qualifier: object = None
    stats: _S | None = None


class _View(msgspec.Struct, Generic[_S], gc=False):
    name: str
    stats: _S | None = None


class _Bucket(msgspec.Struct, Generic[_S], gc=False):
    interval: str
    metrics: list[_Metric[_S]] | None = None
    views: list[_View[_S]] | None = None


class _Result(msgspec.Struct, Generic[_S], gc=False):
    group: dict[str, object] | None = None
    data: list[_Bucket[_S]] | None = None


class _Response(msgspec.Struct, Generic[_S], gc=False):
    results: list[_Result[_S]] | None = None
    error: object = None
    errors: object = None


_DECODER = msgspec.json.Decoder(_Response[_Numbers])
_LENIENT_DECODER = msgspec.json.Decoder(_Response[dict[str, Any]])
"""Accepts statistics that are not numbers."""


def key_value(value: object) -> str:
    """The value in the key for a dimension or qualifier: text as it is, anything else as JSON text."""
    if isinstance(value, str):
        return value or EMPTY
    return NOT_SET if value is None else json_text(value)


def _users_filter(users: tuple[str, ...]) -> dict[str, object]:
    """A filter on users, as an ``and`` of one ``or`` (docs/api-notes.md, "Results: users")."""
    predicates = [
        {"type": "dimension", "dimension": "userId", "operator": "matches", "value": user} for user in users
    ]
    return {"type": "and", "clauses": [{"type": "or", "predicates": predicates}]}


class ResultsDialect:
    """The results API, compiled for one query."""

    def __init__(self, query: Query, known_fields: frozenset[str] = KNOWN_FIELDS) -> None:
        self._query = query
        self._known_fields = known_fields
        self._dimensions = query.dimensions
        self._expected = frozenset(query.dimensions)
        self._numeric = {each.wire for each in schema.columns(query) if each.wire}
        self._blocks = ResultsBlocks(query)
        self._body: dict[str, object] = {
            # Without a granularity, the whole interval is one bucket.
            **({} if query.is_coarse else {"granularity": query.granularity.text}),
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
            block = self._blocks.read(body, lambda each: self._interval(each, window), key_value)
        if block is not None:
            return Page(block.leaves(), block=block)
        try:
            response = self._decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            msg = f"the response does not match the results API: {error}"
            raise UnreadableError(msg) from None
        if response.error or response.errors:
            raise refuse_error(body, "results")
        if not response.results:
            check_empty(body, "results", self._known_fields)
        # JSON can write a field name with escapes, so only a body without a backslash is safe to search.
        qualifiers = b'"qualifier"' in body or b"\\" in body
        return Page(check_keys(self._leaves(response, window, qualifiers=qualifiers), self._query))

    def _decode(self, body: bytes) -> _Response[Any]:
        """Decode a response. A statistic that is not a number is an error only if it has a numeric column."""
        try:
            return _DECODER.decode(body)
        except msgspec.ValidationError:
            response = _LENIENT_DECODER.decode(body)
            for result in response.results or ():
                for bucket in result.data or ():
                    for metric in bucket.metrics or ():
                        metric.stats = self._readable(metric.metric, metric.stats)
                    for view in bucket.views or ():
                        view.stats = self._readable(view.name, view.stats)
            return response

    def _readable(self, name: str, stats: dict[str, Any] | None) -> dict[str, Any]:
        """Statistics of which all that have a numeric column are numbers.

        Others that are not numbers are kept for long rows, which have them as text, and dropped for wide.
        """
        is_long = self._query.shape == "long"
        kept: dict[str, Any] = {}
        for statistic, value in (stats or {}).items():
            if not is_number(value):
                if statistic in STATISTICS if is_long else (name, statistic) in self._numeric:
                    raise msgspec.ValidationError(f"statistic {statistic[:80]!r} is not a number")
                if not is_long:
                    continue
            kept[statistic] = value
        return kept

    def _leaves(self, response: _Response[Any], window: Window, *, qualifiers: bool) -> Iterator[Leaf]:
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

    def _wide(self, start: str, end: str, group: tuple[str, ...], bucket: _Bucket[Any]) -> tuple[Leaf]:
        """The leaf of a bucket without qualifiers."""
        metrics = bucket.metrics or ()
        cells = {metric.metric: metric.stats for metric in metrics}
        views = bucket.views or ()
        if views:
            cells.update((view.name, view.stats) for view in views)
        if len(cells) != len(metrics) + len(views):
            cells = self._merged(start, group, bucket)
        return (Leaf(start, end, (*group, NOT_SET) if self._query.qualified else group, cells),)

    def _merged(
        self, start: str, group: tuple[str, ...], bucket: _Bucket[Any]
    ) -> dict[str, dict[str, int | float | None] | None]:
        """The metrics of a bucket in which one comes twice: the same numbers count once."""
        named = [(each.metric, each.stats) for each in bucket.metrics or ()]
        named += [(each.name, each.stats) for each in bucket.views or ()]
        cells: dict[str, dict[str, int | float | None] | None] = {}
        for name, stats in named:
            cells[name] = merged_statistics(cells.get(name), stats)
            if cells[name] is None:
                raise self._duplicate_metric(name, start, group)
        return cells

    def _qualified(
        self, start: str, end: str, group: tuple[str, ...], bucket: _Bucket[Any]
    ) -> Iterator[Leaf]:
        """A leaf for each qualifier of a bucket; views belong to the leaf without a qualifier."""
        by_qualifier: dict[str, _Bucket[Any]] = {}
        if bucket.views:
            by_qualifier[NOT_SET] = _Bucket(bucket.interval, [], bucket.views)
        for metric in bucket.metrics or ():
            qualifier = key_value(metric.qualifier)
            if not self._query.qualified:
                if qualifier not in {NOT_SET, EMPTY}:
                    raise self._unexpected_qualifier(metric)
                qualifier = NOT_SET
            part = by_qualifier.setdefault(qualifier, _Bucket(bucket.interval, []))
            part.metrics = [*(part.metrics or ()), metric]
        for qualifier, part in (by_qualifier or {NOT_SET: bucket}).items():
            for leaf in self._wide(start, end, group, part):
                key = (*group, qualifier) if self._query.qualified else group
                yield Leaf(start, end, key, leaf.cells)

    def _long(self, start: str, end: str, group: tuple[str, ...], bucket: _Bucket[Any]) -> Iterator[Leaf]:
        """A leaf for each metric and view of a bucket."""
        for metric in bucket.metrics or ():
            key = (*group, metric.metric, key_value(metric.qualifier))
            yield Leaf(start, end, key, {metric.metric: metric.stats})
        for view in bucket.views or ():
            yield Leaf(start, end, (*group, view.name, NOT_SET), {view.name: view.stats})

    def _duplicate_metric(self, name: str, start: str, group: tuple[str, ...]) -> UnforeseenError:
        """The error for a metric that is in one bucket with different numbers: which are right is unknown."""
        shown = f"{name[:80]!r} appears twice, with different numbers, in the bucket {start} of {group}"
        advice = f"Leave {name[:80]!r} out of this query"
        return UnforeseenError(f"query {self._query.name!r}: {shown}"[:400], advice)

    def _unexpected_qualifier(self, metric: _Metric[Any]) -> UnforeseenError:
        name, qualifier = metric.metric[:80], key_value(metric.qualifier)[:80]
        what = f"query {self._query.name!r}: {name} has the qualifier {qualifier!r}, which has no column"
        advice = with_new_key(
            "set shape: long on this query, which has the qualifier in its key,", self._query.name
        )
        return UnforeseenError(what, f"Leave {name!r} out of metrics of this query; or {advice}")

    def _group(self, group: dict[str, object]) -> tuple[str, ...]:
        """The key of a group; a dimension that was not requested is an error."""
        for name in group.keys() - self._expected:
            raise self._unexpected_dimension(name)
        return tuple([key_value(group.get(name)) for name in self._dimensions])

    def _unexpected_dimension(self, name: str) -> UnforeseenError:
        what = f"query {self._query.name!r}: rows are grouped by {name[:80]!r}, which was not requested"
        change = f"Add {name[:80]!r} to group_by of this query"
        if self._query.endpoint == "users":
            wanted = ", ".join((*self._dimensions, name[:80]))
            change = f"Set group_by: [{wanted}] on this query, of which only userId is sent,"
        return UnforeseenError(what, with_new_key(change, self._query.name))

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
