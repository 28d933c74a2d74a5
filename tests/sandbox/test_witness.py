"""The witness and the answers, which come about in different ways, tell the same."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from functools import cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from genesys_sandbox import ExpectedRows, Options, Sandbox, SandboxClient, SettableClock
from genesys_sandbox.contract import families
from genesys_sandbox.timestamps import to_ms, to_text

Json = dict[str, Any]

START = datetime(2025, 6, 3, tzinfo=timezone.utc)
END = datetime(2025, 6, 4, tzinfo=timezone.utc)
NAMES = {
    "group_by": "groupBy",
    "metrics": "metrics",
    "granularity": "granularity",
    "filter": "filter",
    "time_zone": "timeZone",
    "views": "views",
    "query_type": "queryType",
    "sort_metric": "sortMetric",
    "limit": "limit",
}
STATISTICS = (
    "max min sum current ratio numerator denominator target count countNegative countPositive p95 p99"
    " calculatedMetricValue"
)


@cache
def column(name: str) -> str:
    """A name in snake case."""
    return re.sub("([A-Z])", r"_\1", name.replace(".", "_")).lower()


def told(caller: SandboxClient, query: Json, start: datetime, end: datetime) -> list[Json]:
    """The long rows of an answer, by the plainest reading of the contract."""
    family = query.get("endpoint", "conversations")
    body = {sent: query[name] for name, sent in NAMES.items() if name in query}
    body["interval"] = f"{to_text(to_ms(start))}/{to_text(to_ms(end))}"
    keys = list(query.get("group_by", ()))
    if family == "conversations" and "mediaType" not in keys:
        keys.append("mediaType")
    rows = []
    for result in caller.results(family, body)["results"]:
        for bucket in result["data"]:
            first, last = bucket["interval"].split("/")
            key = {"interval_start": first, "interval_end": last}
            key |= {column(name): result["group"].get(name, "") for name in keys}
            for entry in [*bucket["metrics"], *bucket.get("views", ())]:
                stats = {column(name): entry["stats"].get(name) for name in STATISTICS.split()}
                name = entry.get("metric") or entry["name"]
                rows.append({**key, "metric": name, "qualifier": entry.get("qualifier", ""), **stats})
    return rows


def widened(rows: list[Json]) -> dict[tuple[str, ...], Json]:
    """Long rows as wide cells that are not null, by key."""
    found: dict[tuple[str, ...], Json] = {}
    for row in rows:
        row = dict(row)  # noqa: PLW2901
        metric = column(row.pop("metric"))
        stats = {name: row.pop(name) for name in map(column, STATISTICS.split())}
        cells = found.setdefault(tuple(row.values()), {})
        cells |= {f"{metric}_{name}": value for name, value in stats.items() if value is not None}
    return found


def in_order(rows: list[Json]) -> list[Json]:
    """Rows by their texts."""
    return sorted(rows, key=lambda row: [str(value) for value in row.values()])


VOICE = {"type": "and", "predicates": [{"dimension": "mediaType", "value": "voice"}]}
EITHER: Json = {
    "type": "and",
    "clauses": [
        {
            "type": "or",
            "predicates": [
                {"type": "dimension", "dimension": "direction", "operator": "matches", "value": "outbound"},
                {"type": "dimension", "dimension": "wrapUpCode", "operator": "exists"},
            ],
        },
        {"type": "or", "predicates": [{"dimension": "requestedRoutingSkillId", "operator": "notExists"}]},
    ],
}
METRICS = ["nOffered", "tHandle", "oServiceLevel", "oMessageTurn", "tAbandon"]
QUERIES: dict[str, Json] = {
    "plain": {"metrics": METRICS},
    "queues": {"group_by": ["queueId"], "metrics": METRICS, "granularity": "PT30M"},
    "agents": {"group_by": ["userId", "wrapUpCode", "mediaType"], "metrics": METRICS, "granularity": "P1D"},
    "voice": {"group_by": ["queueId"], "metrics": METRICS, "granularity": "PT6H", "filter": VOICE},
    "either": {"group_by": ["direction"], "metrics": METRICS, "granularity": "PT1H", "filter": EITHER},
    "views": {
        "metrics": ["tHandle", "tWait"],
        "granularity": "PT2H",
        "views": [
            {"target": "tWait", "name": "quickWait", "function": "rangeBound", "range": {"lt": 20000}},
            {
                "target": "tHandle",
                "name": "fair",
                "function": "rangeBound",
                "range": {"gte": 6e4, "lt": 3e5},
            },
        ],
    },
    "top": {
        "group_by": ["userId"],
        "metrics": ["tHandle", "nOffered"],
        "granularity": "PT3H",
        "query_type": "topN",
        "sort_metric": {"name": "tHandle", "function": "max"},
        "limit": 4,
    },
    "bottom": {
        "group_by": ["queueId"],
        "metrics": ["nOffered"],
        "query_type": "bottomN",
        "sort_metric": {"name": "nOffered", "function": "count"},
        "limit": 2,
    },
    "users": {
        "endpoint": "users",
        "group_by": ["userId"],
        "metrics": ["tSystemPresence", "tAgentRoutingStatus"],
        "granularity": "PT12H",
    },
    "bots": {
        "endpoint": "bots",
        "group_by": ["botName", "mediaType"],
        "metrics": ["oBotIntent", "tBotSession", "nBotSessions"],
    },
}


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize("unasked", [False, True])
def test_long_rows(name: str, unasked: bool) -> None:  # noqa: FBT001
    """Every statistic of an answer is a long row of the witness, and the other way round."""
    query = {**QUERIES[name], "shape": "long"}
    noon = SettableClock(datetime(2025, 6, 30, 12, tzinfo=timezone.utc))
    sandbox = Sandbox(Options(unasked_media_type=unasked), now=noon)
    rows = ExpectedRows(sandbox).rows(query, START, END)
    assert rows
    assert in_order(rows) == in_order(told(SandboxClient(sandbox), query, START, END))


@pytest.mark.parametrize("name", QUERIES)
def test_wide_rows(sandbox: Sandbox, caller: SandboxClient, name: str) -> None:
    """The wide rows hold the same numbers, one row a key, null where a metric did not happen."""
    query = QUERIES[name]
    rows = ExpectedRows(sandbox).rows(query, START, END)
    keys = [
        name for name in rows[0] if not re.search("_(" + column(STATISTICS).replace(" ", "|") + ")$", name)
    ]
    found = {
        tuple(row[key] for key in keys): {
            name: value for name, value in row.items() if name not in keys and value is not None
        }
        for row in rows
    }
    long = told(caller, query, START, END)
    if query.get("endpoint") != "users":
        long = [{name: value for name, value in row.items() if name != "qualifier"} for row in long]
    assert len(found) == len(rows) == ExpectedRows(sandbox).count(query, START, END)
    assert found == widened(long)


@pytest.mark.parametrize("family", sorted(families()))
def test_every_family(sandbox: Sandbox, caller: SandboxClient, family: str) -> None:
    """In each family, all metrics by two dimensions, as answered and as witnessed."""
    known = families()[family]
    query = {
        "endpoint": family,
        "group_by": sorted(known.group_by)[-2:],
        "metrics": list(known.metrics),
        "granularity": "P1D",
        "shape": "long",
    }
    rows = ExpectedRows(sandbox).rows(query, START, END)
    assert rows
    assert in_order(rows) == in_order(told(caller, query, START, END))


def test_wide_columns(sandbox: Sandbox) -> None:
    """A count has one column, a timer four, the service level four, another `o` eight; a view four."""
    view = {"target": "tAcw", "name": "longAcw", "function": "rangeBound", "range": {"gte": 30000}}
    query = {"metrics": ["nOverSla", "tAcw", "oServiceLevel", "oCallbackServiceLevel"], "views": [view]}
    four = ["count", "sum", "min", "max"]
    ratio = ["ratio", "numerator", "denominator", "target"]
    expected = ["interval_start", "interval_end", "media_type", "n_over_sla_count"]
    expected += [f"t_acw_{name}" for name in four]
    expected += [f"o_service_level_{name}" for name in ratio]
    expected += [f"o_callback_service_level_{name}" for name in (*four, *ratio)]
    expected += [f"long_acw_{name}" for name in four]
    assert list(ExpectedRows(sandbox).rows(query, START, END)[0]) == expected


@pytest.mark.parametrize("granularity", ["PT15M", "PT1H", "PT12H", "P1D"])
@pytest.mark.parametrize("day", [date(2025, 3, 29), date(2025, 10, 25)])
def test_the_grid_begins_anew_at_each_local_midnight(granularity: str, day: date) -> None:
    """Over a 23- or 25-hour day, the rows of the period are those of its days, asked one by one."""
    zone = ZoneInfo("Europe/London")
    midnights = [
        datetime.combine(day + timedelta(days=number), datetime.min.time(), zone) for number in range(4)
    ]
    sandbox = Sandbox(Options(), now=SettableClock(datetime(2025, 12, 1, tzinfo=timezone.utc)))
    query = {
        "metrics": ["nConversations", "tHandle"],
        "granularity": granularity,
        "time_zone": str(zone),
        "shape": "long",
    }
    rows = ExpectedRows(sandbox).rows(query, midnights[0], midnights[-1])
    by_day = [
        row for start, end in pairwise(midnights) for row in told(SandboxClient(sandbox), query, start, end)
    ]
    assert in_order(rows) == in_order(by_day)
