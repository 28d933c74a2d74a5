"""Whatever a server does, a run ends with right rows or one clear line, within bounds."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tap_genesys_aggregates.http import response_limits
from tests.hostile import report, running
from tests.hostile.measuring import measured
from tests.hostile.serving import Adapter, Server
from tests.hostile.table import CASES
from tests.secrets.search import found

if TYPE_CHECKING:
    import requests

    from tests.hostile.case import Case
    from tests.hostile.running import Ending

ORIGIN = "http://127.0.0.1:8080"
LONGEST_LINE = 1_000
LENIENCE = 4
"""How many times slower than where the bounds were set a machine may be."""


def _named(*cases: Case) -> list[object]:
    """Cases as parameters."""
    return [pytest.param(case, id=case.name) for case in cases]


def _mount(server: Server, session: requests.Session) -> None:
    session.mount("http://", Adapter(server))


def _ended_well(case: Case, ending: Ending) -> None:
    assert ending.refused, ending.shown[-3000:]
    assert case.fits(ending.said), ending.said[:1000]
    if not ending.said[:1].isdigit():
        assert len(ending.said) < LONGEST_LINE
        assert ending.said.isprintable()
    assert found(ending.shown) == []


@pytest.mark.parametrize("case", _named(*(case for case in CASES.values() if not case.wired)))
def test_a_case_without_sockets(case: Case) -> None:
    """It ends as the table says, in one printable line, and shows no secret even at debug level."""
    server = Server(case.data, case.grant)
    _ended_well(case, running.run(running.config(ORIGIN, **case.config), partial(_mount, server)))


@pytest.mark.slow
@pytest.mark.parametrize("case", _named(*(case for case in CASES.values() if case.wired and not case.long)))
def test_a_case_over_sockets(case: Case) -> None:
    """The same in a process of its own, within its bounds of memory and time."""
    outcome = measured(case)
    _ended_well(case, outcome.ending)
    assert outcome.memory <= case.memory
    assert outcome.seconds <= LENIENCE * case.seconds


@pytest.mark.parametrize("name", ["pages: without an end", "pages: cursors without an end"])
def test_pages_without_an_end(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are only so many pages of a window, here twenty."""
    monkeypatch.setattr(response_limits, "MAX_PAGES", 20)
    case = CASES[name]
    server = Server(case.data, case.grant)
    ending = running.run(running.config(ORIGIN, **case.config), partial(_mount, server))
    assert "more than 20 pages" in ending.said
    assert 21 <= sum(not each.is_grant for each in server.seen) <= 24


def test_pages_of_a_window_are_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that are too large together are too large, however small each of them is."""
    monkeypatch.setattr(response_limits, "MAX_WINDOW_BYTES", 1_000)
    case = CASES["pages: without an end"]
    ending = running.run(
        running.config(ORIGIN, **case.config), partial(_mount, Server(case.data, case.grant))
    )
    assert "RefusedError" in ending.said
    assert "the window's pages are larger than 0 MiB" in ending.said


@pytest.mark.parametrize(
    ("text", "waits"), [("31536000", 300), ("-5", 1), ("soon", 1), ("nan", 1), ("9" * 400, 300)]
)
def test_how_long_a_server_may_make_a_run_wait(text: str, waits: float) -> None:
    """No ``Retry-After`` holds a run up for longer than five minutes; nonsense counts for nothing."""
    case = next(each for each in CASES.values() if each.does == f"429 with Retry-After {text[:32]!r}")
    ending = running.run(running.config(ORIGIN), partial(_mount, Server(case.data, case.grant)))
    assert waits / 2 <= ending.waited <= waits + 0.1


def test_the_page_has_every_case() -> None:
    """``docs/hostile.md`` was measured with exactly the cases that there are."""
    assert report.names() == [report.cell(name) for name in CASES]
