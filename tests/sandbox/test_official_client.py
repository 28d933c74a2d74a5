"""The platform's official client reads the sandbox, and its numbers are the tap's rows."""

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
"""The prefix of each family's models in the client."""


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    """A contact center whose past does not change."""
    return Sandbox(Options(volume=0.2, agents=20), now=NOW)


@pytest.fixture(scope="module")
def official(sandbox: Sandbox) -> Iterator[Any]:
    """The official client with a token; its gateway setting points it to the sandbox."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from its generated code
        import PureCloudPlatformClientV2 as client  # type: ignore[import-untyped]  # noqa: N813, PLC0415  # slow to import

        with serve(sandbox) as url:
            api = client.api_client.ApiClient()
            address = urlsplit(url)
            api.set_gateway(address.hostname, address.scheme, address.port, "", "")
            api.get_client_credentials_token("sandbox", "sandbox")
            yield client, client.AnalyticsApi(api)


def test_the_client_knows_every_family() -> None:
    """All but the one that has jobs only."""
    assert {*QUERIES, "socialmedia"} == set(families())


@pytest.mark.parametrize("family", QUERIES)
@pytest.mark.filterwarnings("ignore")
def test_the_client_reads_the_numbers_that_the_tap_emits(
    family: str, official: Any, sandbox: Sandbox
) -> None:
    """Every statistic that the client reads is what the tap emits, and the other way round."""
    known = families()[family]
    group_by, metrics = list(known.group_by[:2]), list(known.metrics)
    query = {"name": "asked", "endpoint": family, "group_by": group_by, "metrics": metrics, "shape": "long"}
    outcome = run(
        sandbox,
        config(queries=[{**query, "granularity": "PT6H"}], start_date="2026-03-02", end_date="2026-03-03"),
    )
    assert outcome.error is None
    from_tap = set(filter(None, (cell for row in outcome.rows("asked") for cell in cells(row, group_by))))
    from_client = set(read_by_client(official, sandbox, family, group_by, metrics))
    assert from_client
    assert from_tap == from_client


def cells(row: dict[str, Any], group_by: list[str]) -> Iterator[tuple[Any, ...]]:
    """Each number of a row with its whole key."""
    key = (row["interval_start"], *(row[column(name)] for name in group_by), row["metric"], row["qualifier"])
    for statistic in STATISTICS.values():
        if row[statistic.column] is not None:
            yield (*key, statistic.column, float(row[statistic.column]))


def read_by_client(
    official: Any, sandbox: Sandbox, family: str, group_by: list[str], metrics: list[str]
) -> Iterator[tuple[Any, ...]]:
    """Each number that the client reads with its whole key."""
    client, api = official
    body = getattr(client, f"{QUERIES[family]}AggregationQuery")()
    body.interval, body.granularity, body.group_by, body.metrics = INTERVAL, "PT6H", group_by, metrics
    if family == "users":
        body.filter = users_filter(sandbox)
    response = getattr(api, f"post_analytics_{family}_aggregates_query")(body)
    for result in response.results or []:
        group = [(result.group or {}).get(name, "(not set)") for name in group_by]
        for bucket in result.data:
            start = bucket.interval.split("/")[0]
            for metric in bucket.metrics:
                key = (start, *group, metric.metric, getattr(metric, "qualifier", None) or "(not set)")
                for statistic in STATISTICS.values():
                    value = getattr(metric.stats, statistic.column, None)
                    if value is not None:
                        yield (*key, statistic.column, float(value))


def users_filter(sandbox: Sandbox) -> dict[str, Any]:
    """The filter with all users that the tap sent: the users family requires one."""
    batches = [entry.body for entry in sandbox.log if "/users/aggregates/" in entry.path and entry.body]
    return batches[-1]["filter"]  # type: ignore[index, no-any-return]


def column(name: str) -> str:
    """The column of a dimension."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
