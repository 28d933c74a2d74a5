"""The columns of a query's table, and the JSON schema that Singer wants of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tap_genesys_aggregates.core import statistics
from tap_genesys_aggregates.core.errors import SettingError
from tap_genesys_aggregates.core.query import column
from tap_genesys_aggregates.core.statistics import STATISTICS, VALUE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_genesys_aggregates.core.query import Query

Kind = Literal["string", "integer", "number", "boolean", "date-time"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: As the warehouse has it.
        kind: JSON Schema's type, or ``date-time``.
        description: Its description: meaning, unit and where it comes from.
        key: Whether it is part of the primary key, and so never null.
        source: The setting that asked for it, as the user wrote it; for messages.
        wire: Metric or view, and statistic, whose value it holds.
    """

    name: str
    kind: Kind
    description: str
    key: bool = False
    source: str = ""
    wire: tuple[str, str] | None = None


BEGIN = Column(
    "interval_start", "date-time", "Start of the bucket, UTC. [computed from the answer]", key=True
)
_END = Column("interval_end", "date-time", "Exclusive end of the bucket, UTC. [computed from the answer]")
_EXTRACTED = Column(
    "extracted_at", "date-time", "When the window of this row was asked for, UTC; one instant a window. [tap]"
)
_FINAL = Column(
    "is_final",
    "boolean",
    "Whether the bucket was older than the look-back when it was read, so that it should not change. [tap]",
)
_METRIC = Column("metric", "string", "Metric or view, in the API's own spelling. [answer: metric]", key=True)
_QUALIFIER = Column(
    "qualifier",
    "string",
    "Status that the numbers are for, such as a presence; empty where there is none. [answer: qualifier]",
    key=True,
)


def columns(query: Query) -> tuple[Column, ...]:
    """The columns of a query's rows, in order.

    Args:
        query: The query.

    Returns:
        The key first, then ``interval_end``, the numbers, ``extracted_at`` and ``is_final``.

    Raises:
        SettingError: Two settings would give one column.
    """
    found: dict[str, Column] = {}
    for new in _all(query):
        old = found.setdefault(new.name, new)
        if old is not new:
            what = f"query {query.name!r}: {old.source or old.name} and {new.source or new.name}"
            raise SettingError(f"{what} would both be column {new.name!r}", "Rename or remove one of them")
    return tuple(found.values())


def keys(query: Query) -> tuple[str, ...]:
    """The primary key of a query's table."""
    return tuple(each.name for each in _all(query) if each.key)


def json_schema(table: tuple[Column, ...]) -> dict[str, object]:
    """The JSON schema of a table: keys never null, everything else nullable.

    Args:
        table: Its columns.

    Returns:
        A schema of type ``object``, with a description for each property.
    """
    return {
        "type": "object",
        "properties": {each.name: _property(each) for each in table},
        "required": [each.name for each in table if each.key],
    }


def _property(each: Column) -> dict[str, object]:
    """The JSON schema of one column."""
    kind = "string" if each.kind == "date-time" else each.kind
    form = {"format": "date-time"} if each.kind == "date-time" else {}
    return {"type": [kind] if each.key else [kind, "null"], **form, "description": each.description}


def _all(query: Query) -> Iterator[Column]:
    """Every column that the settings of a query give, twins included."""
    yield BEGIN
    for name in query.dimensions:
        yield Column(column(name), "string", _dimension(query, name), key=True, source=f"group_by: {name}")
    if query.shape == "long":
        yield _METRIC
    if query.qualified or query.shape == "long":
        yield _QUALIFIER
    yield _END
    yield from _long() if query.shape == "long" else _wide(query)
    yield _EXTRACTED
    yield _FINAL


def _dimension(query: Query, name: str) -> str:
    """What a dimension's column says of itself."""
    if query.api == "group_tree":
        return f"Dimension {name}; 'unknown' where the answer gives no id. [answer: id of a group]"
    return f"Dimension {name}; empty where it is not set. [answer: group.{name}]"


def _long() -> Iterator[Column]:
    """A column for each statistic there is."""
    for each in STATISTICS.values():
        says = f"{each.description.format(unit='milliseconds for t* metrics')}. [answer: stats.{each.name}]"
        yield Column(each.column, "integer" if each.integer else "number", says[0].upper() + says[1:])


def _wide(query: Query) -> Iterator[Column]:
    """A column for each metric and statistic."""
    if query.api == "group_tree":
        for metric in query.metrics:
            says = f"{metric}, {statistics.unit(metric)}. [answer: metrics.{metric}.value]"
            yield Column(column(metric), "number", says, source=f"metrics: {metric}", wire=(metric, VALUE))
        return
    for metric in query.metrics:
        yield from _statistics(query, metric, metric, f"metrics: {metric}")
    for view in query.views:
        yield from _statistics(query, view.name, view.target, f"views: {view.name}")


def _statistics(query: Query, name: str, metric: str, source: str) -> Iterator[Column]:
    """The columns of one metric, or of one view over a metric."""
    for statistic in query.statistics.get(name) or statistics.of(metric):
        each = STATISTICS[statistic]
        says = f"{name}: {each.description.format(unit=statistics.unit(metric))}. [answer: stats.{statistic}]"
        kind: Kind = "integer" if each.integer else "number"
        yield Column(f"{column(name)}_{each.column}", kind, says, source=source, wire=(name, statistic))
