"""Wrong values of settings, and values that are accepted as people write them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.messages.command import CONFIG, Ended, run, write

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

QUERY = {"name": "calls", "group_by": ["queueId"], "metrics": ["nOffered"]}


@dataclass(frozen=True)
class ValueCase:
    """A config with a value that is wrong.

    Attributes:
        written: What is wrong, as the page shows it.
        config: The whole config.
        variables: Environment variables.
        is_warning: Whether the run goes on.
    """

    written: str
    config: Mapping[str, Any]
    variables: Mapping[str, str] = field(default_factory=dict)
    is_warning: bool = False

    def run(self, folder: Path) -> Ended:
        """Run the command with the config; it sends no request."""
        config = {name: value for name, value in self.config.items() if value is not None}
        arguments = ("--config", write(folder, config), "--discover")
        return run(folder, *arguments, variables=self.variables)


def _settings(*, is_warning: bool = False, **changes: object) -> ValueCase:
    written = ", ".join(f"{name}: {json.dumps(value)}" for name, value in changes.items())
    return ValueCase(written, {**CONFIG, **changes}, is_warning=is_warning)


def _query(*, is_warning: bool = False, **changes: object) -> ValueCase:
    query = {name: value for name, value in {**QUERY, **changes}.items() if value is not None}
    written = ", ".join(f"{name}: {json.dumps(value)}" for name, value in changes.items())
    return ValueCase(written, {**CONFIG, "queries": [query]}, is_warning=is_warning)


CASES = (
    ValueCase("no start_date", {**CONFIG, "start_date": None}),
    ValueCase("no client_secret", {**CONFIG, "client_secret": None}),
    _settings(start_date="01/02/2026"),
    _settings(start_date="2026-02-30"),
    _settings(start_date=20260101),
    _settings(start_date="2062-01-01", is_warning=True),
    _settings(end_date="2025-01-01"),
    _settings(region="eu-west-9"),
    _settings(region="mypurecloud.i"),
    _settings(region="https://apps.mypurecloud.ie/directory"),
    _settings(base_url="https://apps.mypurecloud.ie"),
    _settings(base_url="gateway.example.com"),
    _settings(base_url="http://gateway.example.com"),
    _settings(api="result"),
    _settings(lookback_dayz=3),
    _settings(window="1 day"),
    _settings(concurrency=20),
    _settings(request_timeout="a minute"),
    _settings(stream_maps=5),
    _settings(queries=[]),
    _settings(queries={}),
    _settings(queries=["queue_performanse"]),
    _settings(queries=["calls"]),
    _settings(queries=[{"preset": "queue_performance"}, {"preset": "queue_performance"}]),
    _query(name="Calls"),
    _query(name="users"),
    _query(groupBy="queueId"),
    _query(group_by="queueId, mediaType"),
    _query(metrics=[]),
    _query(metrics="nOffred", is_warning=True),
    _query(group_by=["queue_id"], is_warning=True),
    _query(endpoint="conversation"),
    _query(granularity="30 minutes"),
    _query(granularity="daily"),
    _query(time_zone="Europe/Lisboa"),
    _query(anchor="5 January 1970"),
    _query(mode="Async"),
    _query(shape="tall"),
    _query(filter='{"type": "and"'),
    _query(limit=0),
    _query(endpoint="users", group_by="queueId"),
    _query(sort_metric={"name": "nOffered"}),
    ValueCase("QUERIES=[ in a variable", CONFIG, {"TAP_GENESYS_AGGREGATES_QUERIES": "["}),
    ValueCase("CONCURRENCY=many in a variable", CONFIG, {"TAP_GENESYS_AGGREGATES_CONCURRENCY": "many"}),
    ValueCase("LOGLEVEL=loud in a variable", CONFIG, {"LOGLEVEL": "loud"}),
    ValueCase("SINGER_SDK_LOG_CONFIG=config.json", CONFIG, {"SINGER_SDK_LOG_CONFIG": "config.json"}),
)

PRESET = {"queries": [{"preset": "queue_performance"}]}
ACCEPTED: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
    ({"region": "eu-west-1"}, {"region": "eu_west_1"}),
    ({"region": "EU_WEST_1"}, {"region": "eu_west_1"}),
    ({"region": "https://apps.mypurecloud.ie/"}, {"region": "eu_west_1"}),
    ({"region": "login.mypurecloud.ie"}, {"region": "eu_west_1"}),
    ({"start_date": "2026-01-01"}, {"start_date": "2026-01-01T00:00:00Z"}),
    ({"start_date": "2026-01-01 06:00"}, {"start_date": "2026-01-01T06:00:00Z"}),
    ({"concurrency": "2"}, {"concurrency": 2}),
    ({"queries": ["queue_performance"]}, PRESET),
    ({"queries": "queue_performance"}, PRESET),
    (
        {"queries": [{"name": "calls", "group_by": "queueId", "metrics": "tHandle"}]},
        {"queries": [{"name": "calls", "group_by": ["queueId"], "metrics": ["tHandle"]}]},
    ),
)
"""What people write, and what it means."""
