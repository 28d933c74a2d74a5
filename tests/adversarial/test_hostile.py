"""Whatever a server does, a run ends with correct rows or one clear line, within its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_genesys_aggregates.http import response_limits
from tests.adversarial.hostile import CASES, documented_names, escape
from tests.adversarial.leaks import leaked
from tests.adversarial.server import InProcessAdapter, Server
from tests.adversarial.tap_run import config, run_case, run_tap

if TYPE_CHECKING:
    import requests

    from tests.adversarial.server import Case
    from tests.adversarial.tap_run import Outcome

_ORIGIN = "http://127.0.0.1:8080"
_LONGEST_LINE = 1_000
_SLOW_MACHINE = 4
"""How many times slower this machine may be than the one the time limits were set on."""


def _parameters(*cases: Case) -> list[object]:
    return [pytest.param(case, id=case.name) for case in cases]


def _run(case: Case, server: Server) -> Outcome:
    """Run a case in this process, without a socket."""

    def mount(session: requests.Session) -> None:
        session.mount("http://", InProcessAdapter(server))

    return run_tap(config(_ORIGIN, **case.config), mount)


def _assert_ended_well(case: Case, outcome: Outcome) -> None:
    assert outcome.is_handled, outcome.output[-3000:]
    assert case.matches(outcome.summary), outcome.summary[:1000]
    if not outcome.summary[:1].isdigit():
        assert len(outcome.summary) < _LONGEST_LINE
        assert outcome.summary.isprintable()
    assert leaked(outcome.output) == []


@pytest.mark.parametrize("case", _parameters(*(case for case in CASES.values() if not case.over_socket)))
def test_a_hostile_server_ends_in_rows_or_one_line(case: Case) -> None:
    """No secret is shown either, even at debug level."""
    _assert_ended_well(case, _run(case, Server(case.api, case.token)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", _parameters(*(case for case in CASES.values() if case.over_socket and not case.full_run_only))
)
def test_a_hostile_server_on_a_socket_stays_within_limits(case: Case) -> None:
    """The same in a process of its own, within the case's limits of time and memory."""
    measured = run_case(case)
    _assert_ended_well(case, measured.outcome)
    assert measured.mib <= case.max_mib
    assert measured.seconds <= _SLOW_MACHINE * case.max_seconds


@pytest.mark.parametrize("name", ["pages: without an end", "pages: cursors without an end"])
def test_a_window_has_a_limited_number_of_pages(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is set to twenty here."""
    monkeypatch.setattr(response_limits, "MAX_PAGES", 20)
    case = CASES[name]
    server = Server(case.api, case.token)
    assert "more than 20 pages" in _run(case, server).summary
    assert 21 <= sum(not each.is_token_request for each in server.requests) <= 24


def test_the_pages_of_a_window_have_a_total_size_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many small pages can be too large together."""
    monkeypatch.setattr(response_limits, "MAX_WINDOW_BYTES", 1_000)
    case = CASES["pages: without an end"]
    outcome = _run(case, Server(case.api, case.token))
    assert "RefusedError" in outcome.summary
    assert "the window's pages are larger than 0 MiB" in outcome.summary


@pytest.mark.parametrize(
    ("retry_after", "seconds"), [("31536000", 300), ("-5", 1), ("soon", 1), ("nan", 1), ("9" * 400, 300)]
)
def test_retry_after_is_limited_to_five_minutes(retry_after: str, seconds: float) -> None:
    """A value that makes no sense is ignored."""
    behavior = f"429 with Retry-After {retry_after[:32]!r}"
    case = next(each for each in CASES.values() if each.behavior == behavior)
    assert seconds / 2 <= _run(case, Server(case.api, case.token)).slept <= seconds + 0.1


def test_the_documentation_lists_every_case() -> None:
    """``docs/hostile.md`` was measured with exactly these cases."""
    assert documented_names() == [escape(name) for name in CASES]
