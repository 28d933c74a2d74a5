"""The interface to Spark: plans one task for each organization on the driver, and reads it on an executor."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.types import (
    BooleanType,
    DataType,
    DoubleType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)
from typing_extensions import override

from tap_genesys_aggregates.clock import SystemClock
from tap_genesys_aggregates.config.families import warnings
from tap_genesys_aggregates.core.errors import SettingError, TapError
from tap_genesys_aggregates.spark.options import TABLE, of_organization, planned_settings, read_configs
from tap_genesys_aggregates.spark.reading import OrganizationTable, read_batches
from tap_genesys_aggregates.spark.tables import columns_of, queries_of

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping, Sequence

    import pyarrow as pa

    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.schema import Column, Kind
    from tap_genesys_aggregates.spark.options import Config

_LOGGER = logging.getLogger("tap-genesys-aggregates")
_TYPES: dict[Kind, DataType] = {
    "string": StringType(),
    "integer": LongType(),
    "number": DoubleType(),
    "boolean": BooleanType(),
    "date-time": TimestampType(),
}


class GenesysAggregatesDataSource(DataSource):  # type: ignore[misc]  # pyspark is not there for mypy
    """``spark.read.format("genesys_aggregates")``.

    Every action asks the API again, for the same period: up to when the DataFrame was made, or ``end_date``.
    """

    def __init__(self, options: MutableMapping[str, str]) -> None:
        """Remember the options, and what time it is.

        Args:
            options: The tap's settings by their names, ``organizations``, and ``path`` for what is loaded.
        """
        super().__init__(options)
        self._now = SystemClock().now()

    @classmethod
    @override
    def name(cls) -> str:
        return "genesys_aggregates"

    @override
    def schema(self) -> StructType:
        columns, queries = _plan(*self._configs())
        for line in dict.fromkeys(line for query in queries for line in warnings(query)):
            _LOGGER.warning("%s", line)
        return _schema(columns)

    @override
    def reader(self, schema: StructType) -> AggregatesReader:
        configs, table = self._configs()
        columns, _ = _plan(configs, table)  # if the user gives a schema, nothing has been checked yet
        _refuse_other(schema, _schema(columns), table)
        return AggregatesReader([OrganizationTable(config, table, self._now) for config in configs])

    def _configs(self) -> tuple[list[Config], str]:
        """The config of each organization, and the table to load."""
        options = dict(self.options.items())
        table = options.pop(TABLE, None)
        if table is None:
            raise SettingError("Nothing is named to load", 'Name a query: load("queue_performance")')
        return read_configs(options), table


def _plan(configs: Sequence[Config], table: str) -> tuple[tuple[Column, ...], list[Query]]:
    """The columns of the table, which must be the same for all organizations, and its queries."""
    found: dict[tuple[Column, ...], Config] = {}
    queries: list[Query] = []
    for config in configs:
        try:
            settings = planned_settings(config)
            found.setdefault(columns_of(settings, table), config)
        except TapError as error:
            raise of_organization(config, error) from None
        queries += queries_of(settings, table)
    if len(found) > 1:
        one, other = [each.get("organization") for each in found.values()][:2]
        what = f"{table!r} has other columns for organization {other!r} than for {one!r}"
        raise SettingError(what, "Give both the same query, or load them one after the other")
    return next(iter(found)), queries


def _schema(columns: Sequence[Column]) -> StructType:
    return StructType(
        [
            StructField(each.name, _TYPES[each.kind], not each.key, {"comment": each.description})
            for each in columns
        ]
    )


def _refuse_other(given: StructType, own: StructType, table: str) -> None:
    """Refuse a schema with other columns than the table has, before a request is sent for it."""
    if [(each.name, each.dataType) for each in given] != [(each.name, each.dataType) for each in own]:
        what = f"{table!r} has other columns than the schema that was given"
        raise SettingError(what, "Leave .schema(…) out, and select columns of the DataFrame instead")


class AggregatesReader(DataSourceReader):  # type: ignore[misc]  # pyspark is not there for mypy
    """Reads one partition for each organization, because an organization has one budget of requests."""

    def __init__(self, parts: Sequence[OrganizationTable]) -> None:
        """Remember what to read.

        Args:
            parts: The table of each organization.
        """
        self._parts = parts

    @override
    def partitions(self) -> list[InputPartition]:
        return [InputPartition(part) for part in self._parts]

    @override
    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        yield from read_batches(partition.value)
