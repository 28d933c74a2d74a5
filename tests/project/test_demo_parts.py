"""The parts of the demo that need neither Meltano nor Postgres."""

from __future__ import annotations

import io

import pytest
from rich.console import Console, RenderableType

from demo import picture, postgres
from demo.proof import Proof
from demo.trouble import TroubleError

PARTS = {"HOST": "db", "USER": "me", "PASSWORD": "p@ss/word"}
HOURS = {"Customer Care": {8: 4.0, 9: 8.0, 10: 2.0}, "Technical Support": {9: 0.5}, "Overflow": {}}


def _plain(*things: RenderableType) -> list[str]:
    """The lines on a terminal of 80 columns that knows no colour."""
    file = io.StringIO()
    Console(file=file, width=80, no_color=True, highlight=False).print(*things, sep="\n")
    return file.getvalue().splitlines()


def test_the_heat_map_reads_without_colour() -> None:
    """Nothing is blank, a little is light, the most is full; the busiest hour is written beside it."""
    care = next(line for line in _plain(picture.heat(HOURS)) if line.startswith("Customer Care"))
    strip = care.removeprefix("Customer Care").strip()
    assert strip.startswith("▒▒██░░")
    assert strip.endswith("8.0 at 09")


def test_the_heat_map_fits_80_columns() -> None:
    """Also with the longest name of a queue and all 24 hours."""
    full = {"Outbound Campaigns": {hour: 1234.5 + hour for hour in range(24)}}
    lines = _plain(picture.heat(full), picture.legend(full))
    assert any("1,258 at 23" in line for line in lines)
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)


def test_an_empty_heat_map_is_drawn() -> None:
    """No data is no error."""
    assert _plain(picture.heat({}), picture.legend({}))


@pytest.mark.parametrize(
    ("proof", "holds"),
    [
        (Proof("t", 3, 3, 0), True),
        (Proof("t", 3, 3, 1), False),
        (Proof("t", 4, 3, 0), False),
        (Proof("t", 0, 0, 0), False),
    ],
)
def test_a_proof_holds_only_when_everything_does(proof: Proof, *, holds: bool) -> None:
    """A differing number, a row twice, or nothing at all is no proof, and the picture says so."""
    assert proof.holds is holds
    assert ("all equal" in "".join(_plain(picture.proofs([proof])))) is holds


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
def test_the_environment_names_another_postgres(variables: dict[str, str], url: str) -> None:
    """Any of three ways; what is shown of it holds no password."""
    server = postgres.of_the_user(variables)
    assert server is not None
    assert server.url == url
    assert server.settings["TARGET_POSTGRES_SQLALCHEMY_URL"].startswith("postgresql+psycopg://")
    assert "db" in server.name
    assert "me" not in server.name.removeprefix("yours, ")
    assert not {"pw", "p@ss", "p%40ss"} & set(server.name.replace(":", "@").split("@"))


def test_without_a_word_the_demo_has_its_own() -> None:
    """Nothing set, nothing of the user's is touched; what is no Postgres is refused."""
    assert postgres.of_the_user({}) is None
    with pytest.raises(TroubleError, match="DATABASE_URL wants"):
        postgres.of_the_user({"DATABASE_URL": "mysql://db/mine"})
