"""``--test``: each family is asked once, and nothing is asked of a host that cannot be reached."""

from __future__ import annotations

import socket
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from genesys_sandbox import Options, Rule, Rules, Sandbox
from genesys_sandbox.faults import status
from genesys_sandbox.in_process import InProcessAdapter
from tap_genesys_aggregates.extract.connection_test import report
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.pipeline.running import ManualClock, config

if TYPE_CHECKING:
    import requests

    from genesys_sandbox import Fault

NOW = datetime(2026, 3, 9, tzinfo=timezone.utc)
CALLS = "/api/v2/analytics/conversations/aggregates/query"
QUERIES: list[dict[str, Any]] = [
    {"name": "calls", "metrics": ["nOffered"]},
    {"name": "talks", "metrics": ["tTalk"], "group_by": ["queueId"]},
    {"name": "paths", "endpoint": "flows", "metrics": ["nFlow"]},
    {"name": "agents", "endpoint": "users", "metrics": ["tSystemPresence"], "group_by": ["userId"]},
]


def lines_and_paths(*faults: tuple[Fault, str, int | None]) -> tuple[list[tuple[bool, str]], list[str]]:
    """The lines about ``QUERIES``, and the paths of the requests for data."""
    rules = Rules(*(Rule(fault, match=match, times=times) for fault, match, times in faults))
    sandbox = Sandbox(Options(volume=0.1), now=lambda: NOW, faults=rules)

    def mount(session: requests.Session) -> None:
        session.mount("https://", InProcessAdapter(sandbox))

    settings = config(queries=QUERIES, start_date="2026-03-01", max_retries=0)
    tap = TapGenesysAggregates(config=settings, clock=ManualClock(NOW), mount=mount)
    lines = list(report(tap.extractors()))
    tap.client.close()
    return lines, [entry.path for entry in sandbox.log if entry.path.endswith("/query")]


def test_each_family_is_asked_once() -> None:
    lines, paths = lines_and_paths()
    assert [works for works, _ in lines] == [True] * 4
    assert lines[1][1] == "talks: ok (of the same family as calls, so not asked again)"
    assert len(paths) == len(set(paths)) == 3


def test_a_missing_permission_is_said_of_each_query_of_the_family() -> None:
    lines, paths = lines_and_paths((status(403), CALLS, None))
    permission = "missing permission analytics:conversationAggregate:view"
    assert lines[0][1].startswith(f"calls: {permission}. ")
    assert lines[1] == (False, f"talks: {permission} (of the same family as calls, so not asked again)")
    assert [works for works, _ in lines] == [False, False, True, True]
    assert paths.count(CALLS) == 1


def test_an_error_of_one_query_says_nothing_of_its_family() -> None:
    """A 400 may be about a metric of this query."""
    lines, paths = lines_and_paths((status(400), CALLS, 1))
    assert [works for works, _ in lines] == [False, True, True, True]
    assert lines[1][1].startswith("talks: ok (")
    assert "rows in its last complete bucket" in lines[1][1]
    assert paths.count(CALLS) == 2


def test_nothing_more_is_asked_after_an_error_that_concerns_every_query() -> None:
    """Each query of a host that could not be reached waited for all its retries."""
    lines, paths = lines_and_paths((status(401), "/oauth/token", None))
    assert len(lines) == 1
    assert lines[0][1].startswith("calls: ")
    assert paths == []


def test_nothing_more_is_asked_of_a_host_that_cannot_be_reached() -> None:
    """Over a real socket that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    where = {"base_url": f"http://127.0.0.1:{port}", "api": "results", "max_retries": 0}
    tap = TapGenesysAggregates(config=config(**where, queries=QUERIES, start_date="2026-03-01"))
    lines = list(report(tap.extractors()))
    tap.client.close()
    assert len(lines) == 1
    assert f"127.0.0.1:{port} refused the connection" in lines[0][1]
