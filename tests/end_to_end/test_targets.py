"""Four targets, each loaded twice: they hold the sandbox's rows, and the second run goes on from their state.

The targets have environments of their own (``.demo/plugins``), which ``./run test`` prepares.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from genesys_sandbox import ExpectedRows, Options, Rules, Sandbox, SettableClock, serve
from genesys_sandbox.faults import status as http_status
from tap_genesys_aggregates.config.settings import Settings
from tap_genesys_aggregates.core import instants, schema
from tap_genesys_aggregates.ledger import COLUMNS, NAME
from tests.extract.lookups import always, catalog, expected_names, put_all

from .process import write_json
from .targets import Csv, DuckDb, InPostgres, Jsonl, Target, instant

if TYPE_CHECKING:
    from pathlib import Path

    from demo.postgres import Postgres

    from .targets import Row

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

START = datetime(2025, 6, 9, tzinfo=timezone.utc)
FIRST_RUN = datetime(2025, 6, 18, 6, tzinfo=timezone.utc)
SECOND_RUN = FIRST_RUN + timedelta(days=2)
LOOKBACK = timedelta(days=3)
WIDE = {
    "name": "wide",
    "metrics": ["nOffered", "tHandle", "tAbandon", "oServiceLevel"],
    "group_by": ["queueId", "wrapUpCode"],
    "granularity": "PT1H",
}
LONG = {
    "name": "long",
    "endpoint": "users",
    "metrics": ["tAgentRoutingStatus", "tOrganizationPresence"],
    "group_by": ["userId"],
    "granularity": "P1D",
    "shape": "long",
    "time_zone": "Europe/London",
}

LEDGER_KEYS = [each.name for each in COLUMNS if each.key]


def targets(folder: Path, postgres: Postgres) -> dict[str, Target]:
    return {
        "target-postgres": InPostgres(folder, postgres),
        "target-duckdb": DuckDb(folder),
        "target-csv": Csv(folder),
        "target-jsonl": Jsonl(folder),
    }


def config_of(url: str, **more: Any) -> dict[str, Any]:
    """The tap's config for a served sandbox."""
    access = {"base_url": url, "client_id": "sandbox", "client_secret": "sandbox", "api": "results"}
    days = {"start_date": START.isoformat(), "lookback_days": LOOKBACK.days}
    return {**access, **days, "queries": [WIDE, LONG], **more}


def start_of(request: Any) -> datetime:
    """The first instant that a request asks for."""
    return datetime.fromisoformat(request.body["interval"].partition("/")[0].replace("Z", "+00:00"))


def counted(rows: list[Row]) -> Counter[tuple[tuple[str, object], ...]]:
    """Rows to compare with others, in any order."""
    return Counter(tuple(sorted(row.items())) for row in rows)


@pytest.mark.parametrize("name", ["target-postgres", "target-duckdb", "target-csv", "target-jsonl"])
def test_a_target_holds_every_row_after_each_of_two_runs(
    name: str, postgres: Postgres, tmp_path: Path
) -> None:
    """Wide and long rows, keys that are not set, numbers, truth values and instants, beside the ledger."""
    target = targets(tmp_path, postgres)[name]
    if not target.program.exists():
        pytest.skip(f"{name} is not installed; target-duckdb needs a Python before 3.14")
    clock = SettableClock(FIRST_RUN)
    sandbox = Sandbox(Options(volume=0.1, agents=5), now=clock)
    with serve(sandbox) as url:
        settings = config_of(url)
        config = write_json(tmp_path, "config", settings)
        arguments: tuple[str, ...] = ()
        for now, earliest in ((FIRST_RUN, START), (SECOND_RUN, FIRST_RUN - LOOKBACK)):
            clock.set(now)
            sandbox.log.clear()
            status, state = target.load(config, *arguments)
            assert status == 0
            assert state is not None
            arguments = ("--state", write_json(tmp_path, "state", state))
            for given, query in zip((WIDE, LONG), Settings.read(settings).queries, strict=True):
                end = instant(state["bookmarks"][query.name]["replication_key_value"])
                assert now - timedelta(days=1) < end <= now
                wanted = ExpectedRows(sandbox).rows(given, query.grid.floor(START), end)
                columns = [each for each in schema.columns(query) if each.name in wanted[0]]
                found = target.as_written(query.name, schema.keys(query), columns)
                assert counted(found) == counted(wanted) != {}
                ledger = target.as_written(NAME, LEDGER_KEYS, COLUMNS)
                windows = [each for each in ledger if each["query"] == query.name]
                assert max(each["window_end"] for each in windows) == instants.text(end)
                extracted = sum(each["row_count"] for each in windows)
                assert extracted == len(found) if now == FIRST_RUN else extracted > len(found)
            asked = [start_of(each) for each in sandbox.log if each.path.endswith("/query")]
            assert earliest - timedelta(days=1) <= min(asked) <= earliest


@pytest.mark.parametrize("hard_delete", [False, True])
def test_a_queue_that_is_gone_goes_from_the_target_unless_the_list_could_not_be_read(
    postgres: Postgres, tmp_path: Path, *, hard_delete: bool
) -> None:
    """target-postgres marks it in ``_sdc_deleted_at``, or deletes it with ``hard_delete``."""
    target = InPostgres(tmp_path, postgres, hard_delete=hard_delete)
    names = expected_names(Sandbox())["queues"]
    first, *rest = names
    shorter = always(put_all(("entities", [{"id": key} for key in rest]), ("total", len(rest))), "queues")
    denied = always(http_status(403), "queues")
    clock, held = SettableClock(FIRST_RUN), []
    for rules in ((), (denied,), (shorter,), ()):
        clock.set(clock() + timedelta(minutes=1))
        with serve(Sandbox(Options(volume=0.1), now=clock, faults=Rules(*rules))) as url:
            settings = config_of(url, start_date=FIRST_RUN.isoformat())
            config = write_json(tmp_path, "config", settings)
            selected = write_json(tmp_path, "catalog", catalog(settings, "queues"))
            status, _ = target.load(config, "--catalog", selected)
        rows = target.rows("queues", ["id"])
        held.append((status, {row["id"]: row["_sdc_deleted_at"] is None for row in rows}))
    every = dict.fromkeys(names, True)
    gone = dict.fromkeys(rest, True) if hard_delete else {**every, first: False}
    assert held == [(0, every), (1, every), (0, gone), (0, every)]
