"""The results API: how a query is sent, and the exact rows of a response."""

from __future__ import annotations

import csv
from datetime import date
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from tap_genesys_aggregates.core.errors import UnforeseenError, UnreadableError
from tap_genesys_aggregates.core.periods import Period
from tap_genesys_aggregates.core.query import View
from tap_genesys_aggregates.core.rows import Leaf
from tap_genesys_aggregates.dialects import dialect_of
from tests.dialects.responses import (
    Part,
    body,
    bucket,
    hour,
    metric,
    results,
    results_response,
    results_row,
    rows,
    window,
)

if TYPE_CHECKING:
    from tap_genesys_aggregates.core.query import Query

_RECORDED_WEEK = resources.files("genesys_sandbox").joinpath("data/results-voice-week.json").read_bytes()
_WEEK = window("2025-01-25T21:00:00", "2025-02-01T21:00:00")
_METRICS = (
    "nBlindTransferred", "nConnected", "nError", "nOffered", "nOutbound", "nOutboundAttempted", "nOverSla",
    "nTransferred", "oServiceLevel", "tAbandon", "tAcw", "tAnswered", "tContacting", "tDialing", "tFlowOut",
    "tHandle", "tHeldComplete", "tShortAbandon", "tTalkComplete", "tWait",
)  # fmt: skip
_WEEK_QUERY = results(
    metrics=_METRICS,
    implicit_dimensions=("mediaType",),
    granularity=Period.parse("P1W"),
    zone=ZoneInfo("Asia/Riyadh"),
    anchor=date(2025, 1, 26),
)


def test_the_request_has_every_documented_field() -> None:
    """Interval, granularity, zone, groups, metrics, filter, views and extra fields; there are no pages."""
    view = {"name": "short", "target": "tHandle", "function": "rangeBound", "range": {"lt": 1000}}
    query = results(
        zone=ZoneInfo("Europe/Berlin"),
        filter={"type": "and"},
        views=(View("short", "tHandle", view),),
        extra={"flattenMultivaluedDimensions": True},
    )
    call = dialect_of(query).call(window(), None)
    assert (call.method, call.url, call.params) == (
        "POST",
        "/api/v2/analytics/conversations/aggregates/query",
        None,
    )
    assert call.body == {
        "interval": "2023-11-01T00:00:00.000Z/2023-11-02T00:00:00.000Z",
        "granularity": "PT1H",
        "timeZone": "Europe/Berlin",
        "groupBy": ["queueId"],
        "metrics": ["nOffered", "tHandle"],
        "filter": {"type": "and"},
        "views": [view],
        "flattenMultivaluedDimensions": True,
    }
    plain = dialect_of(results()).call(window(), None).body or {}
    assert {"filter", "views"}.isdisjoint(plain)
    assert dialect_of(results()).read(body(results_response()), window()).next is None


def test_every_bucket_is_a_row() -> None:
    """Not only the first bucket, and not only the last."""
    found = rows(
        results(),
        results_response(*(bucket(number, metric("nOffered", count=number + 1)) for number in range(24))),
    )
    assert found == [results_row(number, n_offered_count=number + 1) for number in range(24)]


def test_every_group_has_its_own_rows() -> None:
    parts = [
        results_response(bucket(0, metric("nOffered", count=1)), group={"queueId": queue})["results"][0]
        for queue in "abc"
    ]
    assert rows(results(), {"results": parts}) == [
        results_row(0, queue, n_offered_count=1) for queue in "abc"
    ]


@pytest.mark.parametrize(
    "nothing",
    [
        {}, {"results": None}, {"results": []}, {"results": [{}]},
        {"results": [{"group": {"queueId": "q1"}}]},
        {"results": [{"group": {"queueId": "q1"}, "data": None}]}, {"results": [{"group": None, "data": []}]},
        {"results": None, "systemToOrganizationMappings": {"AWAY": ["a"]}},
        {"results": [], "error": None, "errors": [], "message": {}},
    ],
)  # fmt: skip
def test_missing_results_or_data_are_no_rows(nothing: Part) -> None:
    """No results, groups or buckets: nothing happened, which is not an error."""
    assert rows(results(), nothing) == []


@pytest.mark.parametrize("empty", [{}, {"metrics": None}, {"metrics": []}, {"metrics": None, "views": None}])
@pytest.mark.parametrize("spelling", ["q1", "q\n1"])
def test_a_bucket_without_metrics_is_a_row_of_nulls(empty: Part, spelling: str) -> None:
    """Nothing happened in the bucket; escapes in the text around it make no difference."""
    interval = {"interval": f"{hour(3)}/{hour(4)}"}
    assert rows(results(), results_response({**interval, **empty}, group={"queueId": spelling})) == [
        results_row(3, spelling)
    ]


@pytest.mark.parametrize("stats", [{}, {"stats": None}, {"stats": {}}, {"stats": {"count": None}}])
def test_a_metric_without_numbers_is_null_and_never_zero(stats: Part) -> None:
    """The API leaves out a metric that did not occur; a zero in the response is a zero."""
    found = rows(
        results(), results_response(bucket(0, {"metric": "tHandle", **stats}, metric("nOffered", count=0)))
    )
    assert found == [results_row(0, n_offered_count=0)]


@pytest.mark.parametrize(
    ("group", "text"),
    [({}, "(not set)"), ({"queueId": None}, "(not set)"), ({"queueId": ""}, "(empty)")],
)
@pytest.mark.parametrize("query", [results(), results(shape="long"), results(qualified=True)])
def test_a_dimension_that_is_not_set_has_a_text_of_its_own(query: Query, group: Part, text: str) -> None:
    """A key column cannot be null, and some targets store an empty string as null.

    Smallest reproducer: groups ``{}`` and ``{"queueId": ""}`` in one response were two rows with the key
    ``""``, and refused for ever.
    """
    found = rows(query, results_response(bucket(0, metric("nOffered", count=1)), group=group))
    assert [each["queue_id"] for each in found] == [text]
    parts = [
        {"group": each, "data": [bucket(0, metric("nOffered", count=1))]} for each in ({}, {"queueId": ""})
    ]
    both = rows(query, {"results": [*parts, {"group": None, "data": []}]})
    assert [each["queue_id"] for each in both] == ["(not set)", "(empty)"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "5"),
        (0, "0"),
        (1.5, "1.5"),
        (True, "true"),
        (False, "false"),
        (["a", "b"], '["a","b"]'),
        ([], "[]"),
        ({"b": 1, "a": "é"}, '{"a":"é","b":1}'),
        ({}, "{}"),
    ],
)
def test_a_value_that_is_not_text_becomes_json_text(value: object, text: str) -> None:
    """The same text for the same value, whatever the order of its fields.

    Smallest reproducer: ``"group": {"queueId": 5}`` was an unreadable response, run after run.
    """
    found = rows(
        results(), results_response(bucket(0, metric("nOffered", count=1)), group={"queueId": value})
    )
    assert found == [results_row(0, text, n_offered_count=1)]
    statuses = [{**metric("tSystemPresence", count=1), "qualifier": value}]
    query = results(metrics=("tSystemPresence",), qualified=True)
    assert [each["qualifier"] for each in rows(query, results_response(bucket(0, *statuses)))] == [text]


@pytest.mark.parametrize("shape", ["wide", "long"])
def test_an_empty_qualifier_is_not_a_missing_one(shape: str) -> None:
    """Smallest reproducer: a metric with ``"qualifier": ""`` beside one without was refused for ever."""
    metrics = [
        metric("tSystemPresence", count=1),
        {**metric("tSystemPresence", count=2), "qualifier": ""},
    ]
    query = results(metrics=("tSystemPresence",), qualified=True, shape=shape)
    found = rows(query, results_response(bucket(0, *metrics)))
    name = "count" if shape == "long" else "t_system_presence_count"
    assert [(each["qualifier"], each[name]) for each in found] == [("(not set)", 1), ("(empty)", 2)]


def test_groups_with_fewer_dimensions_are_separate_rows() -> None:
    """Calls without a queue and calls of a queue are two rows."""
    query = results(group_by=("queueId", "userId"))
    parts = [
        {"group": group, "data": [bucket(0)]}
        for group in ({"queueId": "q"}, {"userId": "u"}, {}, {"queueId": "q", "userId": "u"})
    ]
    found = [(each["queue_id"], each["user_id"]) for each in rows(query, {"results": parts})]
    missing = "(not set)"
    assert found == [("q", missing), (missing, "u"), (missing, missing), ("q", "u")]


def test_an_implicit_media_type_has_a_column() -> None:
    """``mediaType`` may arrive without being requested: voice and chat must not become one row."""
    query = results(implicit_dimensions=("mediaType",))
    groups: tuple[Part, ...] = (
        {"queueId": "q1", "mediaType": "voice"},
        {"queueId": "q1", "mediaType": "chat"},
        {"queueId": "q1"},
    )
    found = rows(query, {"results": [{"group": group, "data": [bucket(0)]} for group in groups]})
    assert [each["media_type"] for each in found] == ["voice", "chat", "(not set)"]
    assert list(found[0])[:4] == ["interval_start", "queue_id", "media_type", "interval_end"]


def test_a_dimension_that_was_not_requested_is_refused() -> None:
    """Ignoring it could turn two groups into one row."""
    with pytest.raises(UnforeseenError) as refused:
        rows(results(), results_response(bucket(0), group={"queueId": "q1", "direction": "inbound"}))
    assert "query 'calls': rows are grouped by 'direction'" in str(refused.value)
    assert str(refused.value).endswith(
        "Add 'direction' to group_by of this query and give the query a new name, because its table would "
        "need another key; or drop table calls and remove bookmarks.calls from the state"
    )


def test_a_media_type_that_users_have_unasked_is_refused_with_the_group_by_to_set() -> None:
    """Smallest reproducer: ``"group": {"userId": "u1", "mediaType": "voice"}``; the advice was refused."""
    query = results(endpoint="users", group_by=("userId",))
    group = {"userId": "u1", "mediaType": "voice"}
    with pytest.raises(UnforeseenError, match=r"Set group_by: \[userId, mediaType\] .* a new name"):
        rows(query, results_response(bucket(0), group=group))


@pytest.mark.parametrize(
    ("interval", "start", "end"),
    [
        ("2023-11-01T01:00:00+01:00/2023-11-01T02:00:00+01:00", hour(0), hour(1)),
        ("2023-11-01T00:00Z/2023-11-02T00:00Z", hour(0), hour(24)),
        ("2023-10-31T20:00:00.000-0330/2023-10-31T22:30:00.000-0230", "2023-10-31T23:30:00.000Z", hour(1)),
    ],
)
def test_an_interval_may_have_any_offset(interval: str, start: str, end: str) -> None:
    """The key is the start in UTC, 24 characters long."""
    (found,) = rows(
        results(),
        results_response({"interval": interval}),
        of=window("2023-10-31T00:00:00", "2023-11-02T00:00:00"),
    )
    assert (found["interval_start"], found["interval_end"]) == (start, end)


@pytest.mark.parametrize(
    "interval",
    [
        "2023-10-31T23:00:00Z/2023-11-01T00:00:00Z", f"{hour(24)}/{hour(25)}",
        "2023-11-01T00:00:00+01:00/2023-11-01T01:00:00+01:00",
        f"{hour(2)}/{hour(1)}", f"{hour(2)}/{hour(2)}",
    ],
)  # fmt: skip
def test_a_bucket_outside_the_window_is_refused(interval: str) -> None:
    """Its row would overwrite a row of another window; a bucket must also end after it starts."""
    with pytest.raises(UnreadableError, match="is outside the window"):
        rows(results(), results_response({"interval": interval}))


@pytest.mark.parametrize(
    "interval", ["", "/", hour(1), f"{hour(1)}/", f"{hour(1)}/{hour(2)}/{hour(3)}", "P1D/today", "x" * 9999]
)
def test_an_invalid_interval_is_refused(interval: str) -> None:
    """A bucket without a time has no key; the message quotes only the beginning of the text."""
    with pytest.raises(UnreadableError, match="is not an interval") as refused:
        rows(results(), results_response({"interval": interval}))
    assert len(str(refused.value)) < 300


def test_a_duplicate_bucket_with_other_numbers_is_refused() -> None:
    """Two rows with the same key cannot both be loaded."""
    message = (
        "two rows came with the same key and different numbers for 'nOffered' .* Leave 'nOffered' out of"
    )
    with pytest.raises(UnforeseenError, match=message):
        rows(
            results(),
            results_response(bucket(0, metric("nOffered", count=1)), bucket(0, metric("nOffered", count=2))),
        )


def test_users_are_requested_with_a_filter() -> None:
    """As an ``and`` of one ``or`` (docs/api-notes.md, "Results: users")."""
    call = dialect_of(results(endpoint="users", group_by=("userId",))).call(window(), None, ("u1", "u2"))
    assert (call.body or {})["filter"] == {
        "type": "and",
        "clauses": [
            {
                "type": "or",
                "predicates": [
                    {"type": "dimension", "dimension": "userId", "operator": "matches", "value": user}
                    for user in ("u1", "u2")
                ],
            }
        ],
    }


def test_a_qualifier_is_part_of_the_key() -> None:
    """Presence has one value per status: wide shape has a row for each status."""
    query = results(group_by=("userId",), metrics=("tSystemPresence", "nOffered"), qualified=True)
    statuses = [
        metric("tSystemPresence", name, count=number) for number, name in enumerate(("AWAY", "BUSY"), 1)
    ]
    found = rows(
        query, results_response(bucket(0, *statuses, metric("nOffered", count=9)), group={"userId": "u1"})
    )
    assert [(each["qualifier"], each["t_system_presence_count"],
    each["n_offered_count"]) for each in found] == [
        ("AWAY", 1, None), ("BUSY", 2, None), ("(not set)", None, 9),
    ]  # fmt: skip
    assert list(found[0])[:4] == ["interval_start", "user_id", "qualifier", "interval_end"]


@pytest.mark.parametrize("spelling", ['"qualifier"', '"qualifie\\u0072"'])
def test_a_qualifier_without_a_column_is_refused(spelling: str) -> None:
    """The advice is ``shape: long``; escapes in the field's name make no difference."""
    text = body(results_response(bucket(0, metric("tHandle", "AWAY", count=1)))).replace(
        b'"qualifier"', spelling.encode()
    )
    with pytest.raises(UnforeseenError, match=r"tHandle has the qualifier 'AWAY'.*set shape: long"):
        rows(results(), text)


@pytest.mark.parametrize("qualified", [False, True])
@pytest.mark.parametrize("marked", ["", "\\"])
def test_a_duplicate_metric_or_view_is_refused(marked: str, *, qualified: bool) -> None:
    """The second would overwrite the first, with or without qualifiers."""
    query = results(qualified=qualified, views=(View("short", "tHandle", {}),))
    group = {"queueId": f"q{marked}"}
    twice = bucket(0, metric("tHandle", count=1), metric("tHandle", count=2))
    views = bucket(
        0, views=[{"name": "short", "stats": {"count": 1}}, {"name": "short", "stats": {"count": 2}}]
    )
    for each in (twice, views):
        with pytest.raises(UnforeseenError, match=r"appears twice, with .*Leave '\w+' out of this query"):
            rows(query, results_response(each, group=group))


@pytest.mark.parametrize("shape", ["wide", "long"])
def test_a_metric_that_comes_twice_with_the_same_numbers_counts_once(shape: str) -> None:
    """Smallest reproducer: ``tHandle`` twice in one bucket, both without a qualifier."""
    twice = bucket(0, metric("tHandle", count=1), metric("tHandle", count=1, sum=5))
    (found,) = rows(results(shape=shape), results_response(twice))
    prefix = "" if shape == "long" else "t_handle_"
    assert (found[f"{prefix}count"], found[f"{prefix}sum"]) == (1, 5)


@pytest.mark.parametrize("shape", ["wide", "long"])
def test_statistics_that_the_tap_does_not_know_have_a_fix(shape: str) -> None:
    """A column under ``statistics`` in wide shape, ``other_statistics`` in long shape.

    Smallest reproducer: ``{"count": 1, "median": 2.5}``, which neither shape could load.
    """
    stats = metric("nOffered", count=1, p95=1.5, median=2.5)
    query = results(shape=shape, metrics=("nOffered",), statistics={"nOffered": ("count", "p95", "median")})
    (found,) = rows(query, results_response(bucket(0, stats)))
    if shape == "long":
        assert (found["count"], found["p95"], found["other_statistics"]) == (1, 1.5, '{"median":2.5}')
    else:
        assert list(found.values())[-3:] == [1, 1.5, 2.5]
        assert list(found)[-3:] == ["n_offered_count", "n_offered_p95", "n_offered_median"]


def test_a_statistic_that_is_not_a_number_and_has_no_column_stops_nothing() -> None:
    """Wide rows leave it out, long rows have it as text. One that has a column must be a number.

    Smallest reproducer: ``{"count": 1, "unit": "ms"}``, an unreadable response in both shapes.
    """
    part = bucket(0, {"metric": "nOffered", "stats": {"count": 1, "unit": "ms", "more": [1], "none": None}})
    assert rows(results(), results_response(part)) == [results_row(0, n_offered_count=1)]
    (long,) = rows(results(shape="long"), results_response(part))
    assert (long["count"], long["other_statistics"]) == (1, '{"more":[1],"unit":"ms"}')


def test_long_rows_accept_fractional_counts() -> None:
    """Smallest reproducer: ``{"count": 2.5}``."""
    (found,) = rows(results(shape="long"), results_response(bucket(0, metric("nOffered", count=2.5))))
    assert found["count"] == 2.5


def test_a_sentiment_has_the_statistics_that_come_in_the_field() -> None:
    """Smallest reproducer: ``countPositive`` of ``oSentimentScore``, which the preset had no column for."""
    stats: dict[str, Any] = {
        "count": 3,
        "sum": 12.5,
        "max": 80,
        "min": -60,
        "countPositive": 2,
        "countNegative": 1,
    }
    query = results(endpoint="transcripts", metrics=("oSentimentScore",))
    (found,) = rows(query, results_response(bucket(0, metric("oSentimentScore", **stats))))
    assert list(found.values())[-6:] == [3, 12.5, -60, 80, 2, 1]


def test_a_view_has_its_own_columns_or_rows() -> None:
    """Columns in wide shape, rows in long shape."""
    view = View("short", "tHandle", {})
    part = bucket(0, metric("tHandle", count=5), views=[{"name": "short", "stats": {"count": 2, "sum": 9}}])
    wide = rows(results(views=(view,)), results_response(part))
    assert [(each["t_handle_count"], each["short_count"], each["short_sum"]) for each in wide] == [(5, 2, 9)]
    long = rows(results(views=(view,), shape="long"), results_response(part))
    assert [(each["metric"], each["count"], each["sum"]) for each in long] == [
        ("tHandle", 5, None),
        ("short", 2, 9),
    ]


def test_long_shape_has_a_row_for_each_metric_and_qualifier() -> None:
    """Key, metric and qualifier, then the fourteen statistics; a missing statistic is null."""
    query = results(shape="long", metrics=("tSystemPresence", "nOffered"))
    statuses = [metric("tSystemPresence", name, count=1, sum=60000.5) for name in ("AWAY", "BUSY")]
    found = rows(
        query, results_response(bucket(0, *statuses, metric("nOffered", count=3, p95=7, current=None)))
    )
    nulls = dict.fromkeys(
        (
            "count", "sum", "min", "max", "ratio", "numerator", "denominator", "target", "current",
            "count_negative", "count_positive", "p95", "p99", "calculated_metric_value", "other_statistics",
        )
    )  # fmt: skip
    fixed = {"interval_start": hour(0), "queue_id": "q1", "interval_end": hour(1), **nulls}
    assert found == [
        {**fixed, "metric": "tSystemPresence", "qualifier": "AWAY", "count": 1, "sum": 60000.5},
        {**fixed, "metric": "tSystemPresence", "qualifier": "BUSY", "count": 1, "sum": 60000.5},
        {**fixed, "metric": "nOffered", "qualifier": "(not set)", "count": 3, "p95": 7},
    ]


def test_the_recorded_week_is_six_rows() -> None:
    """Every column of every queue, exactly; a metric that a queue does not have is null."""
    with Path(__file__).with_name("voice_week.csv").open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file)
        expected = list(table)
    found = rows(_WEEK_QUERY, _RECORDED_WEEK, of=_WEEK)
    assert len(expected) == 6
    assert list(found[0]) == list(table.fieldnames or ())
    assert [
        {name: "" if value is None else str(value) for name, value in each.items()} for each in found
    ] == expected


def test_the_recorded_week_is_one_bucket() -> None:
    """The query's grid has exactly that week as a bucket."""
    assert _WEEK_QUERY.grid.floor(_WEEK.start) == _WEEK.start
    assert _WEEK_QUERY.grid.following(_WEEK.start) == _WEEK.end


def test_the_recorded_week_in_long_shape_has_a_row_per_metric() -> None:
    """The 75 metrics of six queues are 75 rows, with the same sums as in wide shape."""
    long = rows(
        results(metrics=_METRICS, implicit_dimensions=("mediaType",), shape="long"), _RECORDED_WEEK, of=_WEEK
    )
    wide = rows(_WEEK_QUERY, _RECORDED_WEEK, of=_WEEK)
    assert len(long) == 75
    handled = [each["sum"] for each in long if each["metric"] == "tHandle"]
    assert handled == [each["t_handle_sum"] for each in wide if each["t_handle_sum"] is not None]


def test_leaves_are_produced_lazily() -> None:
    """So that a large response is not held in memory twice."""
    leaves = iter(dialect_of(_WEEK_QUERY).read(_RECORDED_WEEK, _WEEK).leaves)
    assert isinstance(next(leaves), Leaf)
    assert iter(leaves) is leaves
