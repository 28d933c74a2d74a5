"""What the demo loads: three runs of the same tap with different settings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from tap_genesys_aggregates.config.queries import presets

ARGUMENTS = ("run", "--state-id-suffix", "{name}", "tap-genesys-aggregates", "target-postgres")
"""Arguments of ``meltano``. The suffix gives each load a bookmark of its own."""

_RESULTS = ("queue_performance", "agent_performance", "agent_status")
COMPANION_TABLES = ("extractions", "queues", "users", "presence_definitions")
"""Tables loaded along with the aggregates: one row per window read, and the names behind the ids."""

_SELECT = tuple(f"{stream}.*" for stream in (*_RESULTS, *COMPANION_TABLES))
_BY_NAME = tuple({"preset": name} for name in _RESULTS)
_GROUP_TREE = ("conversation_aggregates",)
_WEEK: dict[str, Any] = {
    "name": "sample_week",
    "endpoint": "conversations",
    "group_by": ["queueId", "mediaType"],
    "metrics": ["nOffered", "nOutbound", "nConnected", "tAnswered", "tHandle", "oServiceLevel"],
    "granularity": "P7D",
    "window": "P7D",
    "anchor": "2025-01-26",
    "time_zone": "Africa/Nairobi",
    "filter": {"type": "and", "predicates": [{"dimension": "mediaType", "value": "voice"}]},
}
_WEEK_START = datetime(2025, 1, 25, 21, tzinfo=timezone.utc)
_WEEK_END = datetime(2025, 2, 1, 21, tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True)
class Load:
    """One ``meltano run``.

    Attributes:
        name: The suffix of its state id.
        title: What it loads, as shown to the user.
        api: Which of the two APIs it reads: ``results`` or ``group_tree``.
        start: Start of the data, inclusive.
        end: End of the data, exclusive.
        tables: Tables to verify: table name → the query that fills it.
        queries: The ``queries`` setting; empty for the tap's presets.
        select: The streams to select; empty for all of them.
    """

    name: str
    title: str
    api: str
    start: datetime
    end: datetime
    tables: dict[str, dict[str, Any]]
    queries: tuple[dict[str, Any], ...] = ()
    select: tuple[str, ...] = ()

    @property
    def arguments(self) -> list[str]:
        """The arguments of ``meltano``."""
        return [each.format(name=self.name) for each in ARGUMENTS]

    @property
    def settings(self) -> dict[str, str]:
        """The tap's settings for this load, as environment variables."""
        settings = {"api": self.api, "start_date": _text(self.start), "end_date": _text(self.end)}
        if self.queries:
            settings["queries"] = json.dumps(self.queries)
        if self.select:
            settings["_select"] = json.dumps(self.select)
        return {f"TAP_GENESYS_AGGREGATES_{name.upper()}": value for name, value in settings.items()}


def loads(start: datetime, end: datetime) -> tuple[Load, ...]:
    """Return the three loads.

    Args:
        start: Start of the first two loads; the third always loads the same week.
        end: End of the first two loads.
    """
    half_hours = "Queues and agents per half hour, from the Genesys Cloud API"
    hours = "Voice conversations per hour, from a gateway with the group-tree API"
    week = "One week of real data: six queues, in Nairobi time"
    return (
        Load("results", half_hours, "results", start, end, _presets(*_RESULTS), _BY_NAME, _SELECT),
        Load("group-tree", hours, "group_tree", start, end, _presets(*_GROUP_TREE)),
        Load("sample-week", week, "results", _WEEK_START, _WEEK_END, {_WEEK["name"]: _WEEK}, (_WEEK,)),
    )


def _presets(*names: str) -> dict[str, dict[str, Any]]:
    """Queries that the tap runs when ``queries`` is not set."""
    return {name: presets()[name] for name in names}


def _text(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
