"""The fast reader of the results API: plain responses, column by column.

The API has two readers. This one decodes a response into types compiled for one query: a Struct for each
requested metric, with the statistics that the query knows and no others. Whatever does not fit (a qualifier,
a view, a metric, statistic or dimension that was not requested, a count that is not an integer, a metric
without numbers) is not plain: ``results.py`` reads such a response leaf by leaf, handles every special case
and reports errors. The reason is speed: with this reader, a load reaches 0.76 of the rate of decoding and
encoding alone (bench/README.md).
"""

from __future__ import annotations

from functools import lru_cache, reduce
from itertools import chain, cycle
from operator import attrgetter, or_
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import msgspec
from msgspec.structs import astuple

from tap_genesys_aggregates.core import schema
from tap_genesys_aggregates.core.errors import UnreadableError
from tap_genesys_aggregates.core.rows import LARGEST_INTEGER, Block, Number
from tap_genesys_aggregates.dialects.key_limits import is_too_long

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tap_genesys_aggregates.core.query import Query

_M = TypeVar("_M")
_Integer = Annotated[int, msgspec.Meta(ge=-LARGEST_INTEGER, le=LARGEST_INTEGER)]
_VIEWS, _INTERVAL = map(attrgetter, ("views", "interval"))


class _Bucket(msgspec.Struct, Generic[_M], gc=False):
    interval: str
    metrics: list[_M] | None = None
    views: list[object] | None = None


class _Result(msgspec.Struct, Generic[_M], gc=False):
    group: dict[str, str | None] | None = None
    data: list[_Bucket[_M]] | None = None


class _Response(msgspec.Struct, gc=False):
    results: list[msgspec.Raw] | None = None
    error: object = None
    errors: object = None


_RESPONSE = msgspec.json.Decoder(_Response)
_RESULT: Any = _Result
"""A generic Struct, to be specialized with the types of a query at run time."""


@lru_cache(maxsize=256)
def _compiled(
    metrics: tuple[tuple[str, tuple[tuple[str, str], ...]], ...],
) -> tuple[msgspec.json.Decoder[_Result[Any]], list[Any]]:
    """The decoder of a result with these metrics, and for each metric statistics that are all null.

    Cached because Python never frees the types that are created here.
    """
    types = [_metric(name, statistics, index) for index, (name, statistics) in enumerate(metrics)]
    return msgspec.json.Decoder(_RESULT[reduce(or_, types)]), [each.blank for each in types]


def _metric(name: str, kinds: tuple[tuple[str, str], ...], index: int) -> Any:  # noqa: ANN401  # a new Struct
    """The Struct of a metric, with its index in the query, and the statistics that have a column."""
    types = {"integer": _Integer | None, "number": int | float | None}
    fields = [(statistic, types[kind], None) for statistic, kind in kinds]
    stats = msgspec.defstruct("Stats", fields, forbid_unknown_fields=True, gc=False, eq=False)
    return msgspec.defstruct(
        "Metric",
        [("stats", stats | None, None)],
        tag_field="metric",
        tag=name,
        forbid_unknown_fields=True,
        gc=False,
        namespace={"index": index, "blank": stats()},
    )


class ResultsBlocks:
    """Reads the plain responses of one query; with shape ``long``, qualifiers or views, it has none."""

    def __init__(self, query: Query) -> None:
        self._query = query
        kinds: dict[str, list[tuple[str, str]]] = {name: [] for name in query.metrics}
        for each in schema.columns(query):
            if each.wire and each.wire[0] in kinds:
                kinds[each.wire[0]].append((each.wire[1], each.kind))
        # Statistics that the query leaves out are decoded too; their columns are then dropped.
        left_out = schema.dropped_statistics(query)
        dropped = {name: left_out.get(name, ()) for name in kinds}
        metrics = tuple(
            (name, (*known, *((each, "number") for each in dropped[name]))) for name, known in kinds.items()
        )
        has_column = [[True] * len(known) + [False] * len(dropped[name]) for name, known in kinds.items()]
        self._decoder, self._blanks = _compiled(metrics)
        self._width = sum(map(len, has_column))
        self._indexes = [index for index, kept in enumerate(chain.from_iterable(has_column)) if kept]
        self._expected = frozenset(query.dimensions)
        self._plain = query.shape == "wide" and not query.qualified and not query.views

    def read(
        self,
        body: bytes,
        bounds: Callable[[str], tuple[str, str]],
        key_value: Callable[[str | None], str],
    ) -> Block | None:
        """Parse a response into a block.

        Args:
            body: The bytes of the response.
            bounds: Returns the start and end of a bucket, given its interval as written in the response.
            key_value: Returns the value in the key for a dimension's value, which may be missing.

        Returns:
            The block; None if the response is not plain, is empty or holds an error.
        """
        if not self._plain:
            return None
        dimensions = self._query.dimensions
        keys: tuple[list[str], ...] = tuple([] for _ in dimensions)
        intervals: list[str] = []
        values: list[Number | None] = []
        try:
            # One result at a time, so that its objects fit into the processor's cache.
            response = _RESPONSE.decode(body)
            if response.error or response.errors:
                return None
            for raw in response.results or ():
                result = self._decoder.decode(raw)
                group, data = result.group or {}, result.data or ()
                numbers = None if any(map(_VIEWS, data)) else self._numbers(data)
                too_long = any(map(is_too_long, filter(None, group.values())))
                if numbers is None or too_long or not self._expected.issuperset(group):
                    return None
                intervals += map(_INTERVAL, data)
                values += numbers
                for column, name in zip(keys, dimensions, strict=True):
                    column.extend([key_value(group.get(name))] * len(data))
            bounds_of = {interval: bounds(interval) for interval in {*intervals}}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, UnreadableError):
            return None
        if not intervals:
            return None
        starts, ends = zip(*map(bounds_of.__getitem__, intervals), strict=True)
        columns = tuple(values[index :: self._width] for index in self._indexes)
        return Block(self._query, starts, ends, keys, columns)

    def _numbers(self, buckets: Sequence[_Bucket[Any]]) -> Iterable[Number | None] | None:
        """The numbers of each bucket in turn; None if a bucket has a metric twice, or one without numbers."""
        lists: list[Sequence[Any]] = [bucket.metrics or () for bucket in buckets]
        stats = self._stats(lists)
        missing = stats.count(None)
        if missing + sum(map(len, lists)) != len(stats):
            return None
        if missing:
            stats = [blank if each is None else each for each, blank in zip(stats, cycle(self._blanks))]
        return chain.from_iterable(map(astuple, stats))

    def _stats(self, lists: list[Sequence[Any]]) -> list[Any]:
        """For each bucket in turn, the statistics of every metric of the query, in the query's order."""
        width = len(self._blanks)
        stats: list[Any] = [None] * (len(lists) * width)
        for first, metrics in zip(range(0, len(stats), width), lists, strict=True):
            for metric in metrics:
                stats[first + metric.index] = metric.stats
        return stats
