"""The parts of the demo that need neither Meltano nor Postgres."""

from __future__ import annotations

import io

import pytest
from rich.console import Console, RenderableType

from demo import postgres, tables
from demo.errors import DemoError
from demo.verification import TableCheck

PARTS = {"HOST": "db", "USER": "me", "PASSWORD": "p@ss/word"}
HOURS = {"Customer Care": {8: 4.0, 9: 8.0, 10: 2.0}, "Technical Support": {9: 0.5}, "Overflow": {}}


def _plain(*things: RenderableType) -> list[str]:
    """Render on a terminal with 80 columns and no color."""
    file = io.StringIO()
    Console(file=file, width=80, no_color=True, highlight=False).print(*things, sep="\n")
    return file.getvalue().splitlines()


def test_the_heat_map_is_readable_without_color() -> None:
    """None is blank, few are light, the most is solid; the busiest hour is at the end of the row."""
    care = next(line for line in _plain(tables.heat_map(HOURS)) if line.startswith("Customer Care"))
    strip = care.removeprefix("Customer Care").strip()
    assert strip.startswith("▒▒██░░")
    assert strip.endswith("8.0 at 09")


def test_the_heat_map_fits_80_columns() -> None:
    """Even with the longest queue name and data in all 24 hours."""
    full = {"Outbound Campaigns": {hour: 1234.5 + hour for hour in range(24)}}
    lines = _plain(tables.heat_map(full), tables.legend(full))
    assert any("1,258 at 23" in line for line in lines)
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)


def test_the_legend_explains_every_shade() -> None:
    """Equal steps up to the highest number; a blank cell means none."""
    assert _plain(tables.legend(HOURS)) == [
        "░░ up to 2.0   ▒▒ up to 4.0   ▓▓ up to 6.0   ██ up to 8.0   blank: none"
    ]


def test_an_empty_heat_map_is_not_an_error() -> None:
    assert _plain(tables.heat_map({}), tables.legend({}))


@pytest.mark.parametrize(
    ("check", "passed"),
    [
        (TableCheck("t", 3, 3, 0), True),
        (TableCheck("t", 3, 3, 1), False),
        (TableCheck("t", 4, 3, 0), False),
        (TableCheck("t", 0, 0, 0), False),
    ],
)
def test_a_table_passes_only_if_all_rows_are_equal(check: TableCheck, *, passed: bool) -> None:
    """A wrong value, a duplicate row or an empty table fails, and the report shows it."""
    assert check.passed is passed
    assert ("all equal" in "".join(_plain(tables.checks([check])))) is passed


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({"DATABASE_URL": "postgres://me:pw@db:5433/mine"}, "postgresql://me:pw@db:5433/mine"),
        ({"TARGET_POSTGRES_SQLALCHEMY_URL": "postgresql+psycopg://me@db/mine"}, "postgresql://me@db/mine"),
        (
            {f"TARGET_POSTGRES_{name}": value for name, value in PARTS.items()},
            "postgresql://me:p%40ss%2Fword@db:5432/postgres",
        ),
    ],
)
def test_the_environment_can_point_to_another_postgres(variables: dict[str, str], url: str) -> None:
    """In any of three ways; the name shown to the user contains no user name and no password."""
    server = postgres.from_environment(variables)
    assert server is not None
    assert server.url == url
    assert server.settings["TARGET_POSTGRES_SQLALCHEMY_URL"].startswith("postgresql+psycopg://")
    assert "db" in server.name
    assert "me" not in server.name.removeprefix("yours, ")
    assert not {"pw", "p@ss", "p%40ss"} & set(server.name.replace(":", "@").split("@"))


def test_the_embedded_postgres_is_the_default() -> None:
    """Without variables no server of the user's is touched; a URL of another database is refused."""
    assert postgres.from_environment({}) is None
    with pytest.raises(DemoError, match="DATABASE_URL must look like"):
        postgres.from_environment({"DATABASE_URL": "mysql://db/mine"})
