"""A back-fill has a bookmark of its own; a full refresh reads everything again (docs/operations.md)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from psycopg import sql

from genesys_sandbox import ExpectedRows, Options, Sandbox, serve
from tap_genesys_aggregates.config.queries import presets

from .conftest import NOW
from .process import END, START

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.postgres import Postgres
    from demo.project import Project

pytestmark = [pytest.mark.meltano, pytest.mark.postgres, pytest.mark.slow]

TABLE = "conversation_aggregates"
RUN = ("run", "tap-genesys-aggregates", "target-postgres")
DAILY = "dev:tap-genesys-aggregates-to-target-postgres"


@pytest.fixture
def sandbox() -> Sandbox:
    """A small gateway."""
    return Sandbox(Options(volume=0.2), now=lambda: NOW)


@pytest.fixture
def variables(sandbox: Sandbox, postgres: Postgres, tmp_path: Any) -> Iterator[dict[str, str]]:
    """What a run needs; the daily load begins on the 23rd."""
    with serve(sandbox) as url:
        yield {
            "GENESYS_CLIENT_ID": "sandbox",
            "GENESYS_CLIENT_SECRET": "sandbox",
            "GENESYS_BASE_URL": url,
            "TAP_GENESYS_AGGREGATES_START_DATE": (START + timedelta(days=7)).isoformat(),
            "TAP_GENESYS_AGGREGATES_END_DATE": END.isoformat(),
            **postgres.settings,
            "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": f"backfill_{tmp_path.name}"[:60],
        }


def bookmark(project: Project, name: str) -> Any:
    """The bookmark that Meltano keeps under a name."""
    before = project.log.stat().st_size
    project.run(["state", "get", name], {})
    text = project.log.read_bytes()[before:].decode()
    state = json.loads(text[text.index("{") : text.rindex("}") + 1])
    return state["singer_state"]["bookmarks"][TABLE]


def asked(sandbox: Sandbox) -> list[str]:
    """The first instants that were asked for, in order."""
    bodies: list[Any] = [entry.body for entry in sandbox.log if "aggregate" in entry.path]
    return sorted(body["dateFrom"] for body in bodies if body)


def count(postgres: Postgres, schema: str) -> int:
    """Rows in the table."""
    question = sql.SQL("select count(*) from {}").format(sql.Identifier(schema, TABLE))
    with postgres.connect() as connection:
        found = connection.execute(question).fetchone()
    return int(str(found[0])) if found else 0


def test_a_back_fill_leaves_the_daily_bookmark_alone(
    project: Project, postgres: Postgres, sandbox: Sandbox, variables: dict[str, str]
) -> None:
    """A week of the past arrives beside the daily rows, and the daily bookmark is what it was."""
    schema = variables["TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA"]
    project.run(RUN, variables)
    daily = bookmark(project, DAILY)
    past = {
        "TAP_GENESYS_AGGREGATES_START_DATE": START.isoformat(),
        "TAP_GENESYS_AGGREGATES_END_DATE": (START + timedelta(days=7)).isoformat(),
    }
    project.run([*RUN, "--state-id-suffix", "backfill-2025"], {**variables, **past})
    assert bookmark(project, DAILY) == daily
    assert (
        bookmark(project, f"{DAILY}:backfill-2025")["replication_key_value"] < daily["replication_key_value"]
    )
    assert count(postgres, schema) == ExpectedRows(sandbox).count(presets()[TABLE], START, END)


def test_a_full_refresh_reads_everything_again(
    project: Project, sandbox: Sandbox, variables: dict[str, str]
) -> None:
    """With --full-refresh the state does not count: the first day is asked for again."""
    narrow = {**variables, "TAP_GENESYS_AGGREGATES_LOOKBACK_DAYS": "0"}
    project.run(RUN, narrow)
    first = asked(sandbox)
    project.run(RUN, narrow)
    assert asked(sandbox) == first
    project.run(["run", "--full-refresh", *RUN[1:]], narrow)
    assert asked(sandbox) == sorted([*first, *first])
