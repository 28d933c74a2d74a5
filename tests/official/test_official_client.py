"""The official client reads what the sandbox serves, and its numbers are the tap's rows."""

from __future__ import annotations

import re
import warnings
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from genesys_sandbox import Options, Sandbox, SettableClock, serve
from tap_genesys_aggregates.config.families import families
from tap_genesys_aggregates.core.statistics import STATISTICS
from tests.pipeline.running import config, run

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

NOW = SettableClock(datetime(2026, 3, 20, tzinfo=timezone.utc))
INTERVAL = "2026-03-02T00:00:00.000Z/2026-03-03T00:00:00.000Z"
QUERIES = {
    "actions": "Action",
    "agentcopilots": "AgentCopilot",
    "agentutilizations": "AgentUtilization",
    "bots": "Bot",
    "casemanagement": "CaseManagement",
    "conversations": "Conversation",
    "copilots": "Copilot",
    "evaluations": "Evaluation",
    "flowexecutions": "FlowExecution",
    "flows": "Flow",
    "journeys": "Journey",
    "knowledge": "Knowledge",
    "ratelimits": "RateLimit",
    "resolutions": "Resolution",
    "summaries": "Summary",
    "surveys": "Survey",
    "taskmanagement": "TaskManagement",
    "transcripts": "Transcript",
    "users": "User",
}
"""Family → what the client's models for it begin with."""


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    """A contact centre with history that stands still."""
    return Sandbox(Options(volume=0.2, agents=20), now=NOW)


@pytest.fixture(scope="module")
def official(sandbox: Sandbox) -> Iterator[Any]:
    """The official client, logged in at the sandbox: its gateway setting takes another host."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its generated code, not ours
        import PureCloudPlatformClientV2 as client  # type: ignore[import-untyped]  # noqa: N813, PLC0415  # slow to import

        with serve(sandbox) as url:
            api = client.api_client.ApiClient()
            place = urlsplit(url)
            api.set_gateway(place.hostname, place.scheme, place.port, "", "")
            api.get_client_credentials_token("sandbox", "sandbox")
            yield client, client.AnalyticsApi(api)


def test_every_family_is_known_to_the_client() -> None:
    """The list of families is the client's own."""
    assert set(QUERIES) == set(families())


@pytest.mark.parametrize("family", QUERIES)
@pytest.mark.filterwarnings("ignore")
def test_numbers_agree(family: str, official: Any, sandbox: Sandbox) -> None:
    """What the client reads, metric by metric and statistic by statistic, is what the tap emits."""
    known = families()[family]
    group_by, metrics = list(known.group_by[:2]), list(known.metrics)
    query = {"name": "asked", "endpoint": family, "group_by": group_by, "metrics": metrics, "shape": "long"}
    outcome = run(
        sandbox,
        config(queries=[{**query, "granularity": "PT6H"}], start_date="2026-03-02", end_date="2026-03-03"),
    )
    assert outcome.error is None
    ours = set(filter(None, (cell for row in outcome.rows("asked") for cell in cells(row, group_by))))
    theirs = set(asked(official, sandbox, family, group_by, metrics))
    assert theirs
    assert ours == theirs


def cells(row: dict[str, Any], group_by: list[str]) -> Iterator[tuple[Any, ...]]:
    """Each number of a row with all of its key."""
    key = (row["interval_start"], *(row[snake(name)] for name in group_by), row["metric"], row["qualifier"])
    for each in STATISTICS.values():
        if row[each.column] is not None:
            yield (*key, each.column, float(row[each.column]))


def asked(
    official: Any, sandbox: Sandbox, family: str, group_by: list[str], metrics: list[str]
) -> Iterator[tuple[Any, ...]]:
    """Each number that the client reads, with all of its key."""
    client, api = official
    body = getattr(client, f"{QUERIES[family]}AggregationQuery")()
    body.interval, body.granularity, body.group_by, body.metrics = INTERVAL, "PT6H", group_by, metrics
    if family == "users":
        body.filter = users_filter(sandbox)
    answer = getattr(api, f"post_analytics_{family}_aggregates_query")(body)
    for result in answer.results or []:
        group = [(result.group or {}).get(name, "") for name in group_by]
        for bucket in result.data:
            start = bucket.interval.split("/")[0]
            for metric in bucket.metrics:
                key = (start, *group, metric.metric, getattr(metric, "qualifier", None) or "")
                for each in STATISTICS.values():
                    value = getattr(metric.stats, each.column, None)
                    if value is not None:
                        yield (*key, each.column, float(value))


def users_filter(sandbox: Sandbox) -> dict[str, Any]:
    """All users of the sandbox, named one by one as that family wants it."""
    batches = [entry.body for entry in sandbox.log if "/users/aggregates/" in entry.path and entry.body]
    return batches[-1]["filter"]  # type: ignore[index, no-any-return]


def snake(name: str) -> str:
    """A dimension as a column."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
