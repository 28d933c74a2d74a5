"""The page of several organizations: who needs attention, the worst first, and nobody left out."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from html import unescape
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from report import fleet, words
from tests.project.generated_settings import ROOT

from . import browser
from .warehouse import report

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipeline.running import Row

    from .conftest import Report

NOW = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)
HOSTILE = "<script>alert(1)</script> " + "long " * 100


def organization(name: str, *, loaded: float | None = 1, **changes: Any) -> Row:
    """An organization that was loaded some hours ago."""
    at = None if loaded is None else NOW - timedelta(hours=loaded)
    fine = {"queries": 2, "checked": 2, "gaps": 0, "missing_windows": 0, "missing_rows": 0}
    row: Row = {
        "organization": name, "furthest_behind": "calls", "last_extracted_at": at, "covered_until": at,
        "last_run_status": "success", "last_run_at": at, "last_error": None, **fine,
    }  # fmt: skip
    if loaded is None:
        row |= dict.fromkeys(fine) | {"queries": 0, "checked": 0, "furthest_behind": None}
    return row | changes


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (organization("a"), words.MISSING),
        (organization("a", loaded=26), words.MISSING),
        (organization("a", loaded=26.1), "late: calls"),
        (organization("a", loaded=None), "never loaded"),
        (organization("a", loaded=None, last_run_status="failed"), "never loaded, last run failed"),
        (organization("a", last_run_status=None), words.MISSING),
        (organization("a", last_run_status="failed"), "last run failed"),
        (organization("a", gaps=1, loaded=30), "late: calls, data is missing"),
        (organization("a", missing_windows=1), "data is missing"),
        (organization("a", missing_windows=None), words.MISSING),
    ],
)
def test_a_problem_is_what_somebody_has_to_look_at(row: Row, text: str) -> None:
    assert [each.text for each in fleet.ranked([row], NOW)] == [text]


def test_the_worst_is_first() -> None:
    rows = [
        organization("fine and old", loaded=20),
        organization("fine"),
        organization("gaps", gaps=2),
        organization("more windows", missing_windows=3),
        organization("late", loaded=27),
        organization("later", loaded=270, gaps=1),
        organization("failed", last_run_status="failed"),
        organization("failed long ago", last_run_status="failed", loaded=300),
        organization("never", loaded=None),
        organization("b"),
        organization("a"),
    ]
    assert [each.row["organization"] for each in fleet.ranked(rows, NOW)] == [
        "never", "failed long ago", "failed", "later", "late", "more windows", "gaps",
        "fine and old", "a", "b", "fine",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "title"),
    [
        (
            [organization("a"), organization("b")],
            "All 2 organizations are up to date: no gaps, no window lacks rows",
        ),
        (
            [organization("a"), organization("b", checked=1)],
            "All 2 organizations are up to date: no gaps, rows counted for 3 of 4 queries",
        ),
        (
            [organization("a"), organization("b", gaps=1)],
            "1 of 2 organizations needs attention",
        ),
        (
            [organization("a", loaded=None, last_run_status="failed"), organization("b", loaded=50)],
            "2 of 2 organizations need attention",
        ),
    ],
)
def test_the_title_counts_who_needs_attention(rows: list[Row], title: str) -> None:
    assert fleet.title(fleet.ranked(rows, NOW)) == title


def test_late_is_what_dbt_warns_of_and_what_the_docs_say() -> None:
    sources = (ROOT / "transform" / "models" / "sources.yml").read_text("utf-8")
    assert f"warn_after: {{count: {fleet.LATE_AFTER_HOURS}, period: hour}}" in sources
    page = (ROOT / "docs" / "many-organizations.md").read_text("utf-8").replace("\n", " ")
    assert f"was not loaded for {fleet.LATE_AFTER_HOURS} hours" in page
    assert (fleet.ORGANIZATIONS_DRAWN, "The worst twenty are visible" in page) == (20, True)


def test_an_error_does_not_fill_the_page() -> None:
    assert words.shortened("x" * 300) == "x" * 300
    assert words.shortened("x" * 301) == "x" * 299 + "…"


_FLEET = """
create schema fleet;
create table fleet.genesys__queue_day as
  select 'org 1' as organization, mart.* from genesys_marts.genesys__queue_day as mart;
create table fleet.genesys__data_quality as
  with organizations as (
    select number, 'org ' || number as organization from generate_series(1, 300) as number
  )
  select organization, query, utc - interval '1 hour' * hours as last_extracted_at,
    utc - interval '1 hour' * hours as covered_until,
    gaps, missing_windows, 4 * missing_windows as missing_rows,
    status as last_run_status, utc - interval '2 hours' as last_run_at,
    case status when 'failed' then error end as last_error
  from (
    select organization, query, now() at time zone 'UTC' as utc,
      case when number % 20 = 0 and query = 'agent_status' then 100 + number else 3 end as hours,
      case when number = 7 and query = 'agent_status' then 2 else 0 end as gaps,
      case when query <> 'own_query' then case when number = 9 then 5 else 0 end end as missing_windows,
      case when number = 300 then null when number % 30 = 0 then 'failed' else 'success' end as status,
      {error} as error
    from organizations
    cross join (values ('queue_performance'), ('agent_status'), ('own_query')) as names (query)
  ) as found;
insert into fleet.genesys__data_quality (organization, last_run_status, last_run_at, last_error)
  values ('a new one', 'failed', now() at time zone 'UTC' - interval '3 days', 'HTTP 401');
"""


def _tables(page: str) -> list[dict[str, list[str]]]:
    """The tables of a page: the first cell of a row → the others."""
    found = []
    for table in re.findall(r"<tbody>(.*?)</tbody>", page, re.DOTALL):
        rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", table)]
        found.append({row[0]: [unescape(each) for each in row[1:]] for row in rows})
    return found


@pytest.fixture(scope="module")
def large(made: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of 301 organizations, of which 23 need attention."""
    with psycopg.connect(made.url) as connection:
        connection.execute(psycopg.sql.SQL(_FLEET).format(error=psycopg.sql.Literal(HOSTILE)))
    path = tmp_path_factory.mktemp("fleet") / "page.html"
    done = report("--schema", "fleet", "--output", path, DATABASE_URL=made.url)
    assert (done.returncode, done.stderr) == (0, "")
    return path


@pytest.mark.postgres
@pytest.mark.slow
def test_each_of_301_organizations_has_a_row_and_the_first_20_are_the_worst(large: Path) -> None:
    """Nobody knows how the last run of one of them ended, and one query is not checked."""
    page = large.read_text(encoding="utf-8")
    first, more, fine = _tables(page)
    assert [len(each) for each in (first, more, fine)] == [20, 3, 278]
    assert {*first, *more, *fine} == {"a new one", *(f"org {number}" for number in range(1, 301))}
    assert "<summary>3 more need attention</summary>" in page
    assert "<summary>278 have no problem</summary>" in page
    failed = [240, 180, 120, 60, 150, 210, 270, 30, 90]  # those that are late too, then by name
    late = [300, 280, 260, 220, 200, 160, 140, 100, 80, 40]
    assert list(first) == ["a new one", *(f"org {number}" for number in [*failed, *late])]
    assert list(more) == ["org 20", "org 9", "org 7"]
    assert first["org 300"][:7] == [
        "late: agent_status",
        "17 days ago",
        "17 days",
        "0",
        "0",
        "0",
        words.MISSING,
    ]
    assert first["a new one"] == [
        "never loaded, last run failed", *[words.MISSING] * 5, "failed, 3 days ago", "HTTP 401"
    ]  # fmt: skip
    assert more["org 9"][:6] == ["data is missing", "3 hours ago", "3 hours", "0", "10", "40"]
    assert more["org 7"][3] == "2"
    assert first["org 240"][-1] == HOSTILE[:299] + "…"
    tiles = dict(re.findall(r'id="tile-([\w-]+)"><span>.*?</span><strong>(.*?)</strong>', page))
    assert tiles == {"attention": "23", "never": "1", "failed": "10", "late": "15", "incomplete": "2"}


@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.skipif(browser.PROGRAM is None, reason="no Chromium here (on Debian: apt install chromium)")
def test_a_browser_shows_the_fleet(large: Path, tmp_path: Path) -> None:
    """At the width of a phone and of a desktop, in light and dark; what is behind a line can be opened."""
    with browser.open_page(tmp_path) as page:
        for width, dark in ((390, False), (390, True), (1280, False), (1280, True)):
            page.show(large, width=width, dark=dark)
            assert page.value("document.documentElement.scrollWidth") <= width
            visible = "[...document.querySelectorAll('tbody tr')].filter(row => row.checkVisibility()).length"
            assert page.value(visible) == 20
            page.value("document.querySelectorAll('details').forEach(each => { each.open = true })")
            assert page.value(visible) == 301
            assert page.value("document.documentElement.scrollWidth") <= width
            name = "document.querySelector('tbody th').getBoundingClientRect().width"
            assert page.value(name) < width / 2
    assert page.errors == []
    assert set(page.requests) == {large.as_uri()}
