"""What the demo loads: three runs of the same tap, each with settings of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from tap_genesys_aggregates.config.queries import presets

ARGUMENTS = ("run", "--state-id-suffix", "{name}", "tap-genesys-aggregates", "target-postgres")
"""Of ``meltano``. Each load keeps its own bookmark, under its own suffix."""

_RESULTS = ("queue_performance", "agent_performance")
BESIDES = ("extractions", "queues", "users")
"""Tables that come along: a row for each window pulled, and names for ids."""

_SELECT = tuple(f"{stream}.*" for stream in (*_RESULTS, *BESIDES))
_GROUP_TREE = ("conversation_aggregates",)
_WEEK: dict[str, Any] = {
    "name": "sample_week",
    "endpoint": "conversations",
    "group_by": ["queueId", "mediaType"],
    "metrics": ["nOffered", "nOutbound", "nConnected", "tAnswered", "tHandle", "oServiceLevel"],
    "granularity": "P7D",
    "window": "P7D",
    "time_zone": "Africa/Nairobi",
    "filter": {"type": "and", "predicates": [{"dimension": "mediaType", "value": "voice"}]},
}
_WEEK_START = datetime(2025, 1, 25, 21, tzinfo=timezone.utc)
_WEEK_END = datetime(2025, 2, 1, 21, tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True)
class Load:
    """One ``meltano run``.

    Attributes:
        name: Suffix of its state.
        says: What it loads, for people.
        api: The contract that it speaks.
        start: First instant wanted.
        end: First instant no longer wanted.
        tables: What must arrive: table → the query, as the sandbox's witness wants it.
        queries: The setting, where it is not the presets of the contract.
        select: What Meltano is to take, where it is not all of that.
    """

    name: str
    says: str
    api: str
    start: datetime
    end: datetime
    tables: dict[str, dict[str, Any]]
    queries: tuple[dict[str, Any], ...] = ()
    select: tuple[str, ...] = ()

    @property
    def arguments(self) -> list[str]:
        """What follows ``meltano`` on the command line."""
        return [each.format(name=self.name) for each in ARGUMENTS]

    @property
    def settings(self) -> dict[str, str]:
        """The tap's settings that are this load's own, as environment variables."""
        settings = {"api": self.api, "start_date": _text(self.start), "end_date": _text(self.end)}
        if self.queries:
            settings["queries"] = json.dumps(self.queries)
        if self.select:
            settings["_select"] = json.dumps(self.select)
        return {f"TAP_GENESYS_AGGREGATES_{name.upper()}": value for name, value in settings.items()}


def loads(start: datetime, end: datetime) -> tuple[Load, ...]:
    """The three loads.

    Args:
        start: Where the two that follow the present begin.
        end: Where they end.
    """
    half_hours = "Queues and agents by half hour, as Genesys Cloud answers"
    hours = "Voice conversations by hour, as a group-tree gateway answers"
    week = "One real week of six queues, in Nairobi's time"
    return (
        Load("results", half_hours, "results", start, end, _presets(*_RESULTS), select=_SELECT),
        Load("group-tree", hours, "group_tree", start, end, _presets(*_GROUP_TREE)),
        Load("sample-week", week, "results", _WEEK_START, _WEEK_END, {_WEEK["name"]: _WEEK}, (_WEEK,)),
    )


def _presets(*names: str) -> dict[str, dict[str, Any]]:
    """What a tap without ``queries`` asks for."""
    return {name: presets()[name] for name in names}


def _text(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
