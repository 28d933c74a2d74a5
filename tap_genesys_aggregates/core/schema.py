"""The columns of a query's table, and their JSON schema for Singer."""

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

_MAX_NAME_BYTES = 63
_SHORTER = "Remove it, or set shape: long, where names of metrics and statistics are values"
Kind = Literal["string", "integer", "number", "boolean", "date-time"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its name in the warehouse.
        kind: A type of JSON Schema, or ``date-time``.
        description: Its meaning, unit and origin.
        key: Whether it is part of the primary key, and so never null.
        source: The setting that it comes from, as the user wrote it; for messages.
        wire: The metric or view, and the statistic, whose value it has.
    """

    name: str
    kind: Kind
    description: str
    key: bool = False
    source: str = ""
    wire: tuple[str, str] | None = None


OTHER_STATISTICS = "other_statistics"
"""The column of long rows for the statistics that have none of their own."""
ORGANIZATION = Column(
    "organization",
    "string",
    "Name of the organization. [setting organization]",
    key=True,
    source="organization",
)
INTERVAL_START = Column(
    "interval_start", "date-time", "Start of the bucket, UTC. [computed from the response]", key=True
)
_END = Column("interval_end", "date-time", "Exclusive end of the bucket, UTC. [computed from the response]")
_EXTRACTED = Column(
    "extracted_at",
    "date-time",
    "When the window of this row was requested, UTC; the same for all rows of a window. [tap]",
)
_FINAL = Column(
    "is_final",
    "boolean",
    "Whether the bucket was older than the lookback when it was read, so that it should not change. [tap]",
)
_METRIC = Column(
    "metric", "string", "Metric or view, in the API's own spelling. [response: metric]", key=True
)
_QUALIFIER = Column(
    "qualifier",
    "string",
    "Status that the numbers are for, such as a presence; '(not set)' if there is none, '(empty)' if it is "
    "an empty string. [response: qualifier]",
    key=True,
)


def columns(query: Query) -> tuple[Column, ...]:
    """The columns of a query's rows, in order.

    Args:
        query: The query.

    Returns:
        The key first, then ``interval_end``, the numbers, ``extracted_at`` and ``is_final``.

    Raises:
        SettingError: Two settings would make the same column, or one a name that PostgreSQL would cut.
    """
    found: dict[str, Column] = {}
    for new in _all_columns(query):
        old = found.setdefault(new.name, new)
        if old is not new:
            what = f"query {query.name!r}: {old.source or old.name} and {new.source or new.name}"
            raise SettingError(f"{what} would both be column {new.name!r}", "Rename or remove one of them")
        length = len(new.name.encode())
        if length > _MAX_NAME_BYTES:
            what = f"query {query.name!r}: {new.source or new.name} would be column {new.name[:99]!r}"
            advice = "Give the view a shorter name" if new.source.startswith("views:") else _SHORTER
            raise SettingError(f"{what} of {length} bytes, but PostgreSQL cuts names after 63", advice)
    return tuple(found.values())


def keys(query: Query) -> tuple[str, ...]:
    """The primary key of a query's table."""
    return tuple(each.name for each in _all_columns(query) if each.key)


def response_keys(query: Query) -> tuple[str, ...]:
    """The part of the key that differs within one organization: ``interval_start`` and what follows it."""
    return keys(query)[1:] if query.organization else keys(query)


def with_organization(organization: str | None, table: tuple[Column, ...]) -> tuple[Column, ...]:
    """A table, with the column ``organization`` first if the setting has a value."""
    return (ORGANIZATION, *table) if organization else table


def json_schema(table: tuple[Column, ...]) -> dict[str, object]:
    """The JSON schema of a table. Keys are never null, everything else is nullable.

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


def dropped_statistics(query: Query) -> dict[str, tuple[str, ...]]:
    """The statistics that a wide table does without, because ``statistics`` of the query leaves them out.

    Args:
        query: The query.

    Returns:
        Metric or view → the statistics that it is known to come with and that have no column.
    """
    if query.shape == "long":
        return {}
    known = known_statistics(query)
    return {
        name: tuple(each for each in known[name] if each not in wanted)
        for name, wanted in query.statistics.items()
        if name in known
    }


def known_statistics(query: Query) -> dict[str, tuple[str, ...]]:
    """The statistics that each metric and view of a query is known to come with."""
    targets = {metric: metric for metric in query.metrics} | {view.name: view.target for view in query.views}
    return {name: _known_statistics(query, metric) for name, metric in targets.items()}


def _known_statistics(query: Query, metric: str) -> tuple[str, ...]:
    """The statistics that a metric is known to come with."""
    return (VALUE,) if query.api == "group_tree" else statistics.statistics_of(metric)


def _property(each: Column) -> dict[str, object]:
    """The JSON schema of one column."""
    kind = "string" if each.kind == "date-time" else each.kind
    form = {"format": "date-time"} if each.kind == "date-time" else {}
    return {"type": [kind] if each.key else [kind, "null"], **form, "description": each.description}


def _all_columns(query: Query) -> Iterator[Column]:
    """The columns that the settings of a query make, duplicates included."""
    if query.organization:
        yield ORGANIZATION
    yield INTERVAL_START
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
    """The description of a dimension's column."""
    if query.api == "group_tree":
        return f"Dimension {name}; 'unknown' if the response has no id. [response: id of a group]"
    return (
        f"Dimension {name}; '(not set)' if the response leaves it out, '(empty)' if it is an empty string. "
        f"[response: group.{name}]"
    )


def _long() -> Iterator[Column]:
    """A column for every statistic, all numbers: a long table must hold whatever the API returns."""
    for each in STATISTICS.values():
        description = (
            f"{each.description.format(unit='milliseconds for t* metrics')}. [response: stats.{each.name}]"
        )
        yield Column(each.column, "number", description[0].upper() + description[1:])
    yield Column(
        OTHER_STATISTICS,
        "string",
        "Statistics without a column of their own, as JSON text; null if there are none. [response: stats]",
    )


def _wide(query: Query) -> Iterator[Column]:
    """A column for every metric and statistic."""
    if query.api == "group_tree":
        for metric in query.metrics:
            yield from _tree_statistics(query, metric)
        return
    for metric in query.metrics:
        yield from _statistics(query, metric, metric, f"metrics: {metric}")
    for view in query.views:
        yield from _statistics(query, view.name, view.target, f"views: {view.name}")


def _tree_statistics(query: Query, metric: str) -> Iterator[Column]:
    """The columns of a metric of the group-tree API: its value, and what ``statistics`` adds to it."""
    for name in query.statistics.get(metric) or _known_statistics(query, metric):
        what = metric if name == VALUE else f"{metric}: {name}"
        yield Column(
            column(metric) if name == VALUE else f"{column(metric)}_{column(name)}",
            "number",
            f"{what}, {statistics.unit(metric)}. [response: metrics.{metric}.{name}]",
            source=f"metrics: {metric}",
            wire=(metric, name),
        )


def _statistics(query: Query, name: str, metric: str, source: str) -> Iterator[Column]:
    """The columns of one metric, or of one view over a metric."""
    for statistic in query.statistics.get(name) or _known_statistics(query, metric):
        each = statistics.statistic(statistic)
        description = (
            f"{name}: {each.description.format(unit=statistics.unit(metric))}. [response: stats.{statistic}]"
        )
        kind: Kind = "integer" if each.integer else "number"
        yield Column(
            f"{column(name)}_{each.column}", kind, description, source=source, wire=(name, statistic)
        )
