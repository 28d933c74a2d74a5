"""Streams that fail: the others are loaded, and the run ends as a failure."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from genesys_sandbox import Options, Rule, Rules, Sandbox, SettableClock, serve
from genesys_sandbox.faults import accepted, error_in_200, html, redirect, status
from tap_genesys_aggregates.core.errors import TapError
from tap_genesys_aggregates.extract.failures import Failures
from tap_genesys_aggregates.http.errors import DeniedError, RefusedError, TokenRefusedError
from tests.extract.lookups import NOW, ONE_DAY
from tests.pipeline.running import config, multiset, run

if TYPE_CHECKING:
    from pathlib import Path

    from genesys_sandbox import Fault

AGENTS = "/api/v2/analytics/users/aggregates/query"
QUERIES: list[dict[str, Any]] = [
    {
        "name": "agents",
        "endpoint": "users",
        "group_by": ["userId"],
        "metrics": ["tAgentRoutingStatus"],
        "granularity": "P1D",
    },
    {"name": "calls", "metrics": ["nOffered"], "granularity": "P1D"},
    {"name": "talks", "metrics": ["tTalk"], "granularity": "P1D"},
]
SETTINGS = config(**{**ONE_DAY, "queries": QUERIES}, max_retries=1)


def sandbox_with(fault: Fault | None = None, match: str = AGENTS, **options: Any) -> Sandbox:
    """A sandbox in which every request that matches fails."""
    faults = Rules(Rule(fault, match=match, times=None)) if fault else None
    return Sandbox(Options(volume=0.1, **options), now=SettableClock(NOW), faults=faults)


def errors(log: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in log.records if record.levelno == logging.ERROR]


def test_a_failure_is_logged_when_it_happens(caplog: pytest.LogCaptureFixture) -> None:
    failures = Failures()
    assert failures.error() is None
    failures.add("calls", RefusedError("it was refused", "Correct it"))
    assert errors(caplog) == ["calls failed: it was refused. Correct it"]


def test_a_run_with_one_failure_ends_with_it() -> None:
    failures, error = Failures(), RefusedError("it was refused")
    failures.add("calls", error)
    assert failures.error() is error


def test_a_run_with_several_failures_ends_with_all_of_them() -> None:
    failures = Failures()
    failures.add("calls", RefusedError("it was refused", "Correct it"))
    failures.add("talks", DeniedError("it was denied"))
    assert str(failures.error()) == (
        "2 streams failed; every other stream was loaded. "
        "calls: it was refused. Correct it | talks: it was denied"
    )


def test_an_error_that_concerns_every_stream_is_raised(caplog: pytest.LogCaptureFixture) -> None:
    error = TokenRefusedError("the token was refused")
    with pytest.raises(TokenRefusedError) as raised:
        Failures().add("calls", error)
    assert raised.value is error
    assert errors(caplog) == [], "the command logs it, as the error that the run ends with"


@pytest.mark.parametrize(
    "fault",
    [
        *map(status, (400, 403, 404, 413, 500, 503, 504)),
        html(),
        accepted(),
        accepted(204),
    ],
    ids=lambda fault: fault.name,
)
def test_a_query_that_fails_does_not_keep_the_others_from_loading(
    fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    """A 403 for the first of three queries: the second and the third never loaded, run after run."""
    outcome = run(sandbox_with(fault), SETTINGS)
    complete = run(sandbox_with(), SETTINGS)
    assert complete.error is None
    assert isinstance(outcome.error, TapError)
    assert "query 'agents', window 2026-03-03" in str(outcome.error)
    assert outcome.rows("agents") == []
    assert "replication_key_value" not in outcome.state["bookmarks"]["agents"]
    for name in ("calls", "talks"):
        assert multiset(outcome.rows(name)) == multiset(complete.rows(name)) != {}
        bookmark, expected = (each.state["bookmarks"][name] for each in (outcome, complete))
        # Retries take a moment, and final_before is counted from when the stream begins.
        assert {**bookmark, "final_before": ""} == {**expected, "final_before": ""}
        assert bookmark["replication_key_value"] == "2026-03-04T00:00:00.000Z"
    assert errors(caplog) == [f"agents failed: {outcome.error}"]


def test_a_permission_that_comes_back_is_enough() -> None:
    """The failed query goes on where it was, and the others are where they would have been."""
    denied = run(sandbox_with(forbidden=frozenset({AGENTS})), SETTINGS)
    assert isinstance(denied.error, DeniedError)
    again = run(sandbox_with(), SETTINGS, state=denied.state)
    assert again.error is None
    complete = run(sandbox_with(), SETTINGS)
    assert multiset(again.rows("agents")) == multiset(complete.rows("agents")) != {}
    assert again.state == complete.state


@pytest.mark.parametrize(
    ("fault", "match"),
    [
        (status(401), "/api/"),
        (status(429), AGENTS),
        (redirect("https://evil.example.org/"), AGENTS),
        (status(400), "/oauth"),
        (status(503), "/oauth"),
        (error_in_200(), "/oauth"),
    ],
    ids=["token refused", "rate limit", "redirect", "client refused", "no token", "error instead of a token"],
)
def test_what_concerns_every_stream_stops_the_run_at_once(fault: Fault, match: str) -> None:
    sandbox = sandbox_with(fault, match)
    outcome = run(sandbox, SETTINGS)
    assert isinstance(outcome.error, TapError)
    assert outcome.error.stops_run
    assert {entry.path for entry in sandbox.log} <= {"/oauth/token", "/api/v2/users", AGENTS}
    assert not outcome.rows("calls")


@pytest.mark.slow
def test_the_command_exits_1_and_tells_each_failure_twice(tmp_path: Path) -> None:
    """As it happens, and once more at the end."""
    with serve(sandbox_with(forbidden=frozenset({AGENTS}))) as base_url:
        path = tmp_path / "config.json"
        path.write_text(json.dumps({**SETTINGS, "base_url": base_url}), encoding="utf-8")
        tap = "from tap_genesys_aggregates.tap import TapGenesysAggregates as Tap; Tap.cli()"
        done = subprocess.run(
            [sys.executable, "-c", tap, "--config", str(path)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 1
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    rows = {each["stream"] for each in messages if each["type"] == "RECORD"}
    assert {"calls", "talks"} <= rows
    assert "agents" not in rows
    assert messages[-1]["type"] == "STATE"
    assert set(messages[-1]["value"]["bookmarks"]) == {"agents", "calls", "talks"}
    told = [line for line in done.stderr.splitlines() if "query 'agents', window" in line]
    assert len(told) == 2
    assert done.stderr.splitlines()[-1] == told[-1]
    assert "Traceback" not in done.stderr


def test_a_run_that_is_stopped_still_ends_with_the_failures_before() -> None:
    """The first query is forbidden; then the client's token is refused for good."""
    sandbox = sandbox_with(status(403))
    denied = Rule(status(403), match=AGENTS, times=None)
    sandbox.faults = Rules(denied, Rule(status(401), match="/conversations/", times=None))
    outcome = run(sandbox, SETTINGS)
    line = str(outcome.error)
    assert line.startswith("2 streams failed; the last stopped the run. agents: ")
    assert "answered 403" in line
    assert "calls: " in line
    assert "answered 401" in line
