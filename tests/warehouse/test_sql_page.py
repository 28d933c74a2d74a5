"""The statements of docs/sql.md, over the night on which clocks go back, in a real PostgreSQL."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from genesys_sandbox import Options, Sandbox, SettableClock
from tap_genesys_aggregates.config.settings import Settings
from tap_genesys_aggregates.dialects.lookup_lists import lookups
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tap_genesys_aggregates.warehouse.views import views
from tests.pipeline.running import config, run
from tests.warehouse.conftest import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.warehouse.conftest import Connection

pytestmark = [pytest.mark.postgres]

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "sql.md").read_text(encoding="utf-8")
STATEMENTS = re.findall(r"^```sql\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
NOW = datetime(2025, 11, 10, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def loaded(database_url: str) -> Iterator[Connection]:
    """Two weeks around 26 October 2025, with lookups and views."""
    sandbox = Sandbox(Options(volume=0.1, requests_per_minute=100_000), now=SettableClock(NOW))
    settings = config(
        queries=[{"preset": "queue_performance"}, {"preset": "agent_status", "granularity": "PT1H"}],
        start_date="2025-10-20T00:00:00Z",
        end_date="2025-11-03T00:00:00Z",
    )
    everything = TapGenesysAggregates(config=settings).catalog_dict
    for stream in everything["streams"]:
        for each in stream["metadata"]:
            each["metadata"]["selected"] = True
    outcome = run(sandbox, settings, catalog=everything)
    assert outcome.error is None
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("drop schema if exists warehouse cascade")
        connection.execute("create schema warehouse")
        load(connection, outcome.messages)
        connection.execute(views(Settings.read(settings).queries, "warehouse").encode())
        yield connection


def results(connection: Connection, containing: str) -> list[Any]:
    """The rows of the one statement that contains a text."""
    (statement,) = [each for each in STATEMENTS if containing in each]
    return list(connection.execute(statement.replace("genesys.", "warehouse.").encode()).fetchall())


@pytest.mark.parametrize("number", range(len(STATEMENTS)))
def test_each_statement_returns_rows(loaded: Connection, number: int) -> None:
    assert results(loaded, STATEMENTS[number])


def test_names_are_joined_without_losing_a_number(loaded: Connection) -> None:
    rows = results(loaded, "as queue,")
    (total,) = loaded.execute("select sum(n_offered_count) from warehouse.queue_performance").fetchone()
    assert sum(row[1] or 0 for row in rows) == total > 0
    names = {row[0] for row in loaded.execute("select name from warehouse.queues").fetchall()}
    assert len(names & {row[0] for row in rows}) > 1
    presences = {row[1] for row in results(loaded, "as presence,")}
    known = {row[0] for row in loaded.execute("select name from warehouse.presence_definitions").fetchall()}
    assert len(presences & known) > 1


def test_the_night_on_which_clocks_go_back_has_a_day_of_25_hours(loaded: Connection) -> None:
    """The page's statements, on a bucket for each half hour."""
    loaded.execute("begin")
    loaded.execute(
        "insert into warehouse.queue_performance (interval_start, queue_id, media_type, extracted_at) "
        "select distinct each, 'q', 'voice', timestamp '2025-11-10' from "
        "generate_series(timestamp '2025-10-25', timestamp '2025-10-27 23:30', interval '30 minutes') as each"
    )
    days = {str(day): buckets for day, buckets, _ in results(loaded, "as local_day,")}
    local = [start for start, _ in results(loaded, "as local_start,")]
    assert str(min(local)) == "2025-10-26 00:00:00"
    loaded.execute("rollback")
    assert (days["2025-10-26"], days["2025-10-27"]) == (50, 48)
    assert len({each for each in local if each.day == 26 and each.month == 10}) == 48


def test_the_columns_of_the_joins_exist() -> None:
    """The lookups, and dimensions of a family that become the columns."""
    joins = re.findall(r"^\| `(\w+)`.*?\| `(\w+)`", PAGE, re.MULTILINE)
    assert len(joins) > 8
    dimensions = (Path(__file__).resolve().parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    for column, lookup in joins:
        assert lookup in lookups()
        first, *others = column.split("_")
        assert f"`{first}{''.join(map(str.title, others))}`" in dimensions or column == "qualifier"
