"""The expected rows and the sandbox's responses, computed in different ways, are the same."""

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
from genesys_sandbox.expected_buckets import grid
from genesys_sandbox.timestamps import DAY, to_ms, to_text

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


def response_rows(client: SandboxClient, query: Json, start: datetime, end: datetime) -> list[Json]:
    """The long rows of a response, read as literally as possible."""
    family = query.get("endpoint", "conversations")
    body = {sent: query[name] for name, sent in NAMES.items() if name in query}
    body["interval"] = f"{to_text(to_ms(start))}/{to_text(to_ms(end))}"
    keys = list(query.get("group_by", ()))
    if family == "conversations" and "mediaType" not in keys:
        keys.append("mediaType")
    rows = []
    for result in client.results(family, body)["results"]:
        for bucket in result["data"]:
            first, last = bucket["interval"].split("/")
            key = {"interval_start": first, "interval_end": last}
            key |= {column(name): result["group"].get(name, "(not set)") for name in keys}
            for entry in [*bucket["metrics"], *bucket.get("views", ())]:
                stats = {column(name): entry["stats"].get(name) for name in STATISTICS.split()}
                name = entry.get("metric") or entry["name"]
                stats["other_statistics"] = None
                rows.append(
                    {**key, "metric": name, "qualifier": entry.get("qualifier", "(not set)"), **stats}
                )
    return rows


def widened(rows: list[Json]) -> dict[tuple[str, ...], Json]:
    """Long rows as wide cells that are not null, by key."""
    found: dict[tuple[str, ...], Json] = {}
    for row in rows:
        row = dict(row)  # noqa: PLW2901
        metric = column(row.pop("metric"))
        stats = {name: row.pop(name) for name in map(column, STATISTICS.split())}
        assert row.pop("other_statistics") is None
        cells = found.setdefault(tuple(row.values()), {})
        cells |= {f"{metric}_{name}": value for name, value in stats.items() if value is not None}
    return found


def in_order(rows: list[Json]) -> list[Json]:
    """Rows in a stable order."""
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
@pytest.mark.parametrize("unrequested", [False, True])
def test_long_rows_match_the_response(name: str, unrequested: bool) -> None:  # noqa: FBT001
    """Every statistic in the response is a long row, and every long row is in the response."""
    query = {**QUERIES[name], "shape": "long"}
    noon = SettableClock(datetime(2025, 6, 30, 12, tzinfo=timezone.utc))
    sandbox = Sandbox(Options(unrequested_media_type=unrequested), now=noon)
    rows = ExpectedRows(sandbox).rows(query, START, END)
    assert rows
    assert in_order(rows) == in_order(response_rows(SandboxClient(sandbox), query, START, END))


@pytest.mark.parametrize("name", QUERIES)
def test_wide_rows_match_the_response(sandbox: Sandbox, client: SandboxClient, name: str) -> None:
    """Wide rows hold the same numbers: one row per key, null for a metric without a value."""
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
    long = response_rows(client, query, START, END)
    if query.get("endpoint") != "users":
        long = [{name: value for name, value in row.items() if name != "qualifier"} for row in long]
    assert len(found) == len(rows) == ExpectedRows(sandbox).count(query, START, END)
    assert found == widened(long)


@pytest.mark.parametrize("family", sorted(families()))
def test_every_family_matches_the_response(sandbox: Sandbox, client: SandboxClient, family: str) -> None:
    """All metrics of the family by two dimensions."""
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
    assert in_order(rows) == in_order(response_rows(client, query, START, END))


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
def test_buckets_restart_at_each_local_midnight(granularity: str, day: date) -> None:
    """Over a 23- or 25-hour day, the rows of a period are those of its days, queried one by one."""
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
        row
        for start, end in pairwise(midnights)
        for row in response_rows(SandboxClient(sandbox), query, start, end)
    ]
    assert in_order(rows) == in_order(by_day)


@pytest.mark.parametrize(
    ("granularity", "expected"),
    [
        ("P2W", "10T00:00 24T00:00 06T23:00 20T23:00 01T00:00"),
        ("P20D", "10T00:00 30T00:00 18T23:00 01T00:00"),
        ("P1M", "10T00:00 09T23:00 01T00:00"),
        ("PT168H", "10T00:00 17T00:00 24T00:00 31T00:00 07T00:00 14T00:00 21T00:00 28T00:00 01T00:00"),
    ],
)
def test_buckets_that_do_not_divide_a_day_are_counted_from_the_start(granularity: str, expected: str) -> None:
    """Dates, and hours that do not divide a day, are counted from the start of the period."""
    start, end = (to_ms(datetime(2025, month, day, tzinfo=timezone.utc)) for month, day in ((3, 10), (5, 1)))
    boundaries = grid(start, end, granularity, ZoneInfo("Europe/London"))
    assert " ".join(to_text(boundary)[8:16] for boundary in boundaries) == expected


def test_a_short_month_ends_early() -> None:
    """One month after January 31 is February 28, two months after is March 31."""
    start, end = (to_ms(datetime(2025, month, 30, tzinfo=timezone.utc)) for month in (1, 4))
    boundaries = grid(start + DAY, end, "P1M", ZoneInfo("UTC"))
    assert [to_text(boundary)[5:10] for boundary in boundaries] == ["01-31", "02-28", "03-31", "04-30"]


def leaf_rows(node: Json, above: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """The leaves of a tree, each with the IDs on its path."""
    path = (*above, node.get("id", "unknown"))
    below = [row for group in node["groups"] for row in leaf_rows(group, path)]
    return below or [(path, {name: cell["value"] for name, cell in node["metrics"].items()})]


@pytest.mark.parametrize("dimensions", [[], ["routing.queue.id"], ["user.id", "mediaType", "direction"]])
@pytest.mark.parametrize("omit", [False, True])
def test_group_tree_rows_match_the_response(noon: datetime, dimensions: list[str], omit: bool) -> None:  # noqa: FBT001
    """Every leaf is a row: IDs, `unknown` for an unset dimension, and the metrics."""
    sandbox = Sandbox(Options(omit_ids=omit), now=lambda: noon)
    metrics = ["conversationCount", "abandonCount", "handleDurationSum", "waitDurationSum", "holdDurationSum"]
    predicate = {"type": "dimension", "dimension": "mediaType", "operator": "notEquals", "value": "chat"}
    clause = {"type": "conversation", "expression": {"type": "and", "clauses": [predicate]}}
    query = {"api": "group_tree", "group_by": dimensions, "metrics": metrics, "granularity": "PT4H"}
    body = {
        "dateFrom": to_text(to_ms(START)),
        "dateTo": to_text(to_ms(END)),
        "groupBy": ["interval", *dimensions],
        "interval": "PT4H",
        "metrics": metrics,
        "filter": clause,
    }
    actual = [
        {"interval_start": path[-1], **dict(zip(map(column, dimensions), path[:-1], strict=True)), **cells}
        for page in SandboxClient(sandbox).tree_pages(body)
        for entity in page["entities"]
        for path, cells in leaf_rows(entity, ())
    ]
    expected = []
    for row in ExpectedRows(sandbox).rows({**query, "filter": clause}, START, END):
        assert row.pop("interval_end") > row["interval_start"]
        cells = {metric: row.pop(column(metric)) for metric in metrics}
        expected.append({**row, **{name: value for name, value in cells.items() if value is not None}})
    assert len(expected) > 3
    assert in_order(expected) == in_order(actual)
