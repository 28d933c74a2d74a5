"""Two organizations in the same tables: their rows never meet, and neither hides what the other lacks."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from genesys_sandbox import Options, Sandbox, SettableClock, serve
from tap_genesys_aggregates import tap
from tap_genesys_aggregates.config.settings import Settings
from tap_genesys_aggregates.warehouse import command, current_rows
from tap_genesys_aggregates.warehouse.views import views
from tests.pipeline.running import ManualClock, config, multiset, run
from tests.project.generated_settings import ROOT
from tests.warehouse.conftest import Connection, load

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipeline.running import Row

pytestmark = [pytest.mark.postgres]

NOW = datetime(2026, 1, 20, 5, tzinfo=timezone.utc)
QUERY = {"name": "calls", "metrics": ["nOffered", "tHandle"], "group_by": ["queueId"], "granularity": "PT1H"}
SEEDS = {"acme": 7, "globex": 8}


def settings(organization: str, **changes: Any) -> dict[str, Any]:
    return config(start_date="2026-01-05T00:00:00Z", queries=[QUERY], organization=organization, **changes)


def sandbox(organization: str, now: datetime = NOW) -> Sandbox:
    options = Options(seed=SEEDS[organization], volume=0.05)
    return Sandbox(options, now=SettableClock(now))


@pytest.fixture
def loaded(connection: Connection) -> dict[str, list[Row]]:
    """The rows of each organization as the tap wrote them; the last to be loaded was pulled later."""
    found: dict[str, list[Row]] = {}
    for hour, name in enumerate(SEEDS, start=5):
        outcome = run(sandbox(name, NOW.replace(hour=hour)), settings(name))
        assert outcome.error is None
        load(connection, outcome.messages)
        found[name] = outcome.rows("calls")
    connection.execute(views(Settings.read(settings("acme")).queries, "warehouse").encode())
    return found


def test_the_views_tell_organizations_apart(connection: Connection, loaded: dict[str, list[Row]]) -> None:
    """The same buckets were pulled for both: without the column, the later pull would hide the earlier."""
    for name, rows in loaded.items():
        cursor = connection.execute(
            "select to_jsonb(c) from warehouse.calls_current c where organization = %s", [name]
        )
        current = [row for (row,) in cursor.fetchall()]
        for row in current:
            for each in ("interval_start", "interval_end"):
                row[each] += ".000Z"
        assert multiset(current) == multiset(rows)
        offered = connection.execute(
            "select sum(n_offered_count) from warehouse.calls_by_day where organization = %s", [name]
        ).fetchone()
        assert offered[0] == sum(row["n_offered_count"] or 0 for row in rows)
    assert connection.execute("select * from warehouse.calls_missing").fetchall() == []
    assert connection.execute("select * from warehouse.extractions_gaps").fetchall() == []


@pytest.mark.usefixtures("loaded")
def test_postgres_reads_the_rows_of_one_organization_alone_for_it(connection: Connection) -> None:
    question = "explain (format json) select * from warehouse.calls_current where organization = 'acme'"
    (plan,) = connection.execute(question).fetchone() or ([],)
    todo, scans = [plan[0]["Plan"]], []
    while todo:
        node = todo.pop()
        todo += node.get("Plans", [])
        if node.get("Relation Name") == "calls" or node["Node Type"] == "Bitmap Index Scan":
            scans.append("".join(str(node.get(each)) for each in ("Index Cond", "Recheck Cond", "Filter")))
    assert len(scans) >= 2
    assert all("organization = 'acme'" in scan for scan in scans)


def test_what_one_organization_lacks_the_other_does_not_hide(
    connection: Connection, loaded: dict[str, list[Row]]
) -> None:
    day = "2026-01-08"
    lost = [row for row in loaded["acme"] if row["interval_start"].startswith(day)]
    connection.execute(
        "delete from warehouse.calls where organization = 'acme' and interval_start::date = %s", [day]
    )
    connection.execute(
        "delete from warehouse.extractions where organization = 'globex' and window_start::date = %s", [day]
    )
    missing = connection.execute(
        "select organization, rows_extracted - rows_present from warehouse.calls_missing"
    ).fetchall()
    assert missing == [("acme", len(lost))]
    gaps = connection.execute("select organization, gap_start::date::text from warehouse.extractions_gaps")
    assert gaps.fetchall() == [("globex", day)]


def test_reconcile_compares_the_rows_of_its_own_organization(
    connection: Connection,
    loaded: dict[str, list[Row]],
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert len(loaded) == 2
    connection.execute(
        "update warehouse.calls set n_offered_count = 1 + n_offered_count where organization = 'globex'"
    )
    monkeypatch.setattr(tap, "SystemClock", lambda: ManualClock(NOW))
    monkeypatch.setenv("DATABASE_URL", database_url)
    codes = {}
    for name in SEEDS:
        with serve(sandbox(name)) as url:
            path = tmp_path / f"{name}.json"
            path.write_text(json.dumps(settings(name, base_url=url)), encoding="utf-8")
            arguments = ["reconcile", "--config", str(path), "--schema", "warehouse"]
            result = CliRunner().invoke(command.main, arguments)
            assert result.output.splitlines()[0] == f"organization {name!r}"
            codes[name] = result.exit_code
    assert codes == {"acme": command.EQUAL, "globex": command.DIFFERENT}


def _documented(start: str) -> str:
    """The SQL in the docs that begins with a word, for the tables of these tests."""
    page = (ROOT / "docs" / "many-organizations.md").read_text("utf-8")
    (block,) = re.findall(rf"^```sql\n({start}.*?)^```$", page, re.MULTILINE | re.DOTALL)
    found: str = block.replace("'partners'", "'warehouse'").replace("partners.", "warehouse.")
    return found.replace("queue_performance", "calls")


def test_an_id_that_two_organizations_share_has_the_name_of_each(
    connection: Connection, loaded: dict[str, list[Row]]
) -> None:
    queues = sorted({row["queue_id"] for rows in loaded.values() for row in rows})
    connection.execute("create table warehouse.queues (organization text, id text, name text)")
    for name in SEEDS:
        for each in queues:
            row = [name, each, f"{each} of {name}"]
            connection.execute("insert into warehouse.queues values (%s, %s, %s)", row)
    found = connection.execute(_documented("select").encode()).fetchall()
    for name, rows in loaded.items():
        offered = sum(row["n_offered_count"] or 0 for row in rows)
        assert sum(number or 0 for owner, _, number in found if owner == name) == offered > 0
    assert all(queue.endswith(f" of {owner}") for owner, queue, _ in found)


def test_the_sql_in_the_docs_removes_one_organization(
    connection: Connection, loaded: dict[str, list[Row]]
) -> None:
    pulled = connection.execute("select count(*) from warehouse.extractions where organization = 'globex'")
    counts = {"calls": (len(loaded["globex"]),), "extractions": pulled.fetchone()}
    connection.execute(_documented("do").encode())
    for table, (count,) in counts.items():
        rows = connection.execute(
            f"select organization, count(*) from warehouse.{table} group by 1".encode()  # noqa: S608  # fixed names
        )
        assert rows.fetchall() == [("globex", count)]


_MANY = """
create table warehouse.extractions as
  select organization, 'calls' as query, day as window_start, day + interval '1 day' as window_end,
    day + interval '30 hours' as extracted_at, 48 as row_count
  from generate_series(1, 15) as number
  cross join lateral (select 'org ' || number as organization) as names
  cross join generate_series(timestamp '2026-01-01', '2026-04-10', interval '1 day') as day;
create table warehouse.calls as
  select organization, window_start + interval '30 minutes' * half_hour as interval_start, extracted_at
  from warehouse.extractions cross join generate_series(0, 47) as half_hour;
analyze warehouse.extractions; analyze warehouse.calls;
set statement_timeout = '4s';
"""


@pytest.mark.parametrize("template", ["CURRENT", "MISSING"])
def test_time_does_not_grow_with_the_square_of_the_windows(connection: Connection, template: str) -> None:
    """The missing windows took 11 seconds when joins had two equalities; now less than one."""
    source = current_rows.Source("warehouse.extractions", "warehouse.calls", "'calls'", organizations=True)
    statement = current_rows.sql(getattr(current_rows, template), source)
    connection.execute(_MANY)
    try:
        found = connection.execute(f"select count(*) from ({statement}) as rows".encode()).fetchone()  # noqa: S608  # made here
    finally:
        connection.execute("reset statement_timeout")
    assert found == ({"CURRENT": 72_000, "MISSING": 0}[template],)
