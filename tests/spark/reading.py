"""Reads tables in this process, without Spark: as a task does, and as the tap does."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from genesys_sandbox.in_process import InProcessAdapter
from tap_genesys_aggregates.client import Client
from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.spark.reading import OrganizationTable, read_batches
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.pipeline.running import ManualClock, Row, run

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    import requests

    from genesys_sandbox import Sandbox
    from tap_genesys_aggregates.config.settings import Settings


def read(
    sandbox: Sandbox, table: str, options: Mapping[str, Any], now: datetime | None = None
) -> list[pa.RecordBatch]:
    """The batches of a table of one organization.

    Args:
        sandbox: Answers the requests.
        table: The table.
        options: The options for the organization.
        now: The time on the driver; by default that of the sandbox.
    """

    def connect(settings: Settings) -> Client:
        return Client(settings, ManualClock(sandbox.now()), mount)

    def mount(session: requests.Session) -> None:
        session.mount("https://", InProcessAdapter(sandbox))

    return list(read_batches(OrganizationTable(dict(options), table, now or sandbox.now()), connect))


def rows_of(batches: list[pa.RecordBatch]) -> list[Row]:
    """The rows of batches, with values as Singer messages have them."""
    return [
        {name: as_singer(value) for name, value in row.items()}
        for batch in batches
        for row in batch.to_pylist()
    ]


def as_singer(value: object) -> object:
    """A value of Arrow or Spark as a Singer message has it, and a whole number as an integer."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return instants.text(value) if isinstance(value, datetime) else value


def rows_of_tap(sandbox: Sandbox, table: str, settings: Mapping[str, Any]) -> list[Row]:
    """The rows of a stream of the tap."""
    catalog = TapGenesysAggregates(config=dict(settings)).catalog_dict
    for stream in catalog["streams"]:
        for each in stream["metadata"]:
            if not each["breadcrumb"]:
                each["metadata"]["selected"] = True
    outcome = run(sandbox, settings, catalog=catalog)
    assert outcome.error is None, outcome.error
    return outcome.rows(table)
