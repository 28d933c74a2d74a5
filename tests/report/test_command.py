"""What ``./run report`` refuses: in one line that says what to do, and without the password."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from .warehouse import report

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Report

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

PASSWORD = "s3cr3t"
NOWHERE = f"postgresql://me:{PASSWORD}@127.0.0.1:9/mine"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "No database is given: set --database-url, or DATABASE_URL or TARGET_POSTGRES_HOST in .env"),
        (NOWHERE, "The database cannot be reached: check host and port in --database-url, DATABASE_URL or"),
        (f"mysql://me:{PASSWORD}@db/mine", "is not the URL of a PostgreSQL database"),
        (f"postgresql://me:{PASSWORD}@@db:x/mine", "The database cannot be reached"),
    ],
)
def test_a_database_that_cannot_be_read_is_one_line(url: str, said: str, tmp_path: Path) -> None:
    done = report("--output", tmp_path / "page.html", DATABASE_URL=url)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert PASSWORD not in done.stderr + done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            "--schema elsewhere",
            (
                "There is no table elsewhere.genesys__queue_day: build the marts first, with ./run dbt build "
                "(or name their schema with --schema)"
            ),
        ),
        (
            "--from 2020-01-01 --to 2020-01-31",
            (
                "genesys_marts.genesys__queue_day has no rows from 2020-01-01 to 2020-01-31; "
                "it has days from 2026-03-27 to 2026-04-03"
            ),
        ),
        ("--from 2026-03-28 --to 2026-03-27", "--to 2026-03-27 is before --from 2026-03-28"),
        ("--organization north", "The marts have no column organization: leave out --organization"),
    ],
)
def test_what_does_not_fit_the_marts_is_one_line(
    made: Report, arguments: str, said: str, tmp_path: Path
) -> None:
    done = report("--output", tmp_path / "page.html", *arguments.split(), DATABASE_URL=made.url)
    assert (done.returncode, done.stderr) == (1, f"{said}\n")
    assert list(tmp_path.iterdir()) == []


def test_the_period_can_be_chosen(made: Report, tmp_path: Path) -> None:
    """Both days are included."""
    path = tmp_path / "page.html"
    done = report("--output", path, "--from", "2026-03-28", "--to", "2026-03-29", DATABASE_URL=made.url)
    assert done.returncode == 0, done.stderr
    days = {f"{row['local_day']}" for row in made.mart("queue_day")}
    assert len(days) == 8
    text = path.read_text(encoding="utf-8")
    assert "Sat 28 Mar 2026 to Sun 29 Mar 2026" in text
    offered = sum(row["offered"] for row in made.mart("queue_day") if 28 <= row["local_day"].day <= 29)
    assert f'id="tile-offered"><span>Offered</span><strong>{offered:,}</strong>' in text


@pytest.fixture(scope="module")
def several(made: Report) -> str:
    """A schema with the marts of two organizations; of a third, nothing was ever loaded."""
    runs = "null::text as last_run_status, null::timestamp as last_run_at, null::text as last_error"
    with psycopg.connect(made.url) as connection:
        connection.execute("create schema two")
        for name in ("queue_interval", "queue_day", "agent_day", "agent_status_day", "data_quality"):
            more = f", {runs}" if name == "data_quality" else ""
            connection.execute(
                f"create table two.genesys__{name} as select organization, mart.*{more} "  # noqa: S608  # fixed names
                f"from genesys_marts.genesys__{name} as mart "
                "cross join (values ('north'), ('south')) as names (organization)".encode()
            )
        connection.execute(
            "insert into two.genesys__data_quality (organization, last_run_status, last_error) "
            "values ('west', 'failed', 'unknown client')"
        )
    return "two"


def test_organizations_are_never_added_up(made: Report, several: str, tmp_path: Path) -> None:
    """Without a choice there is no KPI; with one, only its rows count, and no other organization is named."""
    path = tmp_path / "page.html"
    arguments = ("--schema", several, "--output", path)
    done = report(*arguments, DATABASE_URL=made.url)
    assert (done.returncode, done.stderr) == (0, "")
    text = path.read_text(encoding="utf-8")
    assert "<h1>Contact centers: 3 organizations</h1>" in text
    assert "tile-offered" not in text
    assert "vega" not in text.replace("vegaEmbed", "")
    assert all(f'<th scope="row">{name}</th>' in text for name in ("north", "south", "west"))
    done = report(*arguments, "--organization", "north", DATABASE_URL=made.url)
    assert done.returncode == 0, done.stderr
    text = path.read_text(encoding="utf-8")
    assert "<h1>Contact center: north</h1>" in text
    tiles = made.text.partition('<ul class="tiles">')[2].partition("</ul>")[0]
    assert tiles in text
    assert "south" not in text.partition('<script type="application/json"')[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--organization east", "The marts have no organization 'east'; they have west"),
        ("--organization nord", "The marts have no organization 'nord'; they have north"),
        ("--organization x", "The marts have no organization 'x'; they have north, south, west"),
        (
            "--organization west",
            (
                "two.genesys__queue_day has no rows of west: load queue_performance, "
                "and run ./run dbt build again"
            ),
        ),
        (
            "--from 2026-03-28",
            (
                "The marts have several organizations, which are never added up: --from, --to and --picture "
                "need one of them, chosen with --organization"
            ),
        ),
    ],
)
def test_what_does_not_fit_several_organizations_is_one_line(
    made: Report, several: str, arguments: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "page.html"
    done = report("--schema", several, "--output", path, *arguments.split(), DATABASE_URL=made.url)
    assert (done.returncode, done.stderr) == (1, f"{said}\n")
    assert list(tmp_path.iterdir()) == []
