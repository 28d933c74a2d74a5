"""What "Read" in aggregates-api.md says of an answer, each fact with the exact rows."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from tap_genesys_aggregates.core.errors import UnforeseenError, UnreadableError
from tap_genesys_aggregates.core.query import View
from tap_genesys_aggregates.dialects import dialect_of
from tests.dialects.answers import Part, answer, bucket, metric, row
from tests.dialects.making import body, hour, results, rows, window


def test_the_request_is_what_the_api_documents() -> None:
    """Interval, granularity, zone, groups, metrics, filter, views and what is sent as it is; no pages."""
    view = {"name": "short", "target": "tHandle", "function": "rangeBound", "range": {"lt": 1000}}
    asked = results(
        zone=ZoneInfo("Europe/Berlin"),
        filter={"type": "and"},
        views=(View("short", "tHandle", view),),
        extra={"flattenMultivaluedDimensions": True},
    )
    call = dialect_of(asked).call(window(), None)
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
    assert dialect_of(results()).read(body(answer()), window()).next is None


def test_every_element_of_data_counts() -> None:
    """Not the first bucket alone, and not the last: each is a row."""
    found = rows(
        results(), answer(*(bucket(number, metric("nOffered", count=number + 1)) for number in range(24)))
    )
    assert found == [row(number, n_offered_count=number + 1) for number in range(24)]


def test_every_group_counts() -> None:
    """Each group has its own buckets."""
    parts = [
        answer(bucket(0, metric("nOffered", count=1)), group={"queueId": queue})["results"][0]
        for queue in "abc"
    ]
    assert rows(results(), {"results": parts}) == [row(0, queue, n_offered_count=1) for queue in "abc"]


@pytest.mark.parametrize(
    "nothing",
    [
        {}, {"results": None}, {"results": []}, {"results": [{}]},
        {"results": [{"group": {"queueId": "q1"}}]},
        {"results": [{"group": {"queueId": "q1"}, "data": None}]}, {"results": [{"group": None, "data": []}]},
        {"results": None, "systemToOrganizationMappings": {"AWAY": ["a"]}},
    ],
)  # fmt: skip
def test_results_and_data_may_be_missing(nothing: Part) -> None:
    """No results, no groups or no buckets: nothing happened, so there are no rows and no error."""
    assert rows(results(), nothing) == []


@pytest.mark.parametrize("empty", [{}, {"metrics": None}, {"metrics": []}, {"metrics": None, "views": None}])
@pytest.mark.parametrize("spelling", ["q1", "q\n1"])
def test_a_bucket_without_metrics_is_a_row_of_nulls(empty: Part, spelling: str) -> None:
    """The bucket is there and nothing in it happened, however the text around it is written."""
    interval = {"interval": f"{hour(3)}/{hour(4)}"}
    assert rows(results(), answer({**interval, **empty}, group={"queueId": spelling})) == [row(3, spelling)]


@pytest.mark.parametrize("stats", [{}, {"stats": None}, {"stats": {}}, {"stats": {"count": None}}])
def test_a_metric_without_numbers_is_null_and_never_zero(stats: Part) -> None:
    """A metric that did not happen is absent, on purpose; a zero of the answer is a zero."""
    found = rows(results(), answer(bucket(0, {"metric": "tHandle", **stats}, metric("nOffered", count=0))))
    assert found == [row(0, n_offered_count=0)]


@pytest.mark.parametrize("group", [{}, {"queueId": None}, {"queueId": ""}])
def test_a_dimension_that_is_not_set_is_empty(group: Part) -> None:
    """Rows with fewer keys are groups of their own, not roll-ups; a key column cannot be null."""
    found = rows(results(), answer(bucket(0, metric("nOffered", count=1)), group=group))
    assert found == [row(0, "", n_offered_count=1)]
    assert rows(results(), {"results": [{"group": None, "data": [bucket(0)]}]}) == [row(0, "")]


def test_groups_with_fewer_keys_stand_beside_the_others() -> None:
    """Calls of no queue and calls of a queue are two rows."""
    asked = results(group_by=("queueId", "userId"))
    parts = [
        {"group": group, "data": [bucket(0)]}
        for group in ({"queueId": "q"}, {"userId": "u"}, {}, {"queueId": "q", "userId": "u"})
    ]
    found = [(each["queue_id"], each["user_id"]) for each in rows(asked, {"results": parts})]
    assert found == [("q", ""), ("", "u"), ("", ""), ("q", "u")]


def test_the_medium_comes_unasked_and_has_a_column() -> None:
    """``mediaType`` may come without being asked for: voice and chat of a queue must not become one row."""
    asked = results(implicit_dimensions=("mediaType",))
    groups: tuple[Part, ...] = (
        {"queueId": "q1", "mediaType": "voice"},
        {"queueId": "q1", "mediaType": "chat"},
        {"queueId": "q1"},
    )
    found = rows(asked, {"results": [{"group": group, "data": [bucket(0)]} for group in groups]})
    assert [each["media_type"] for each in found] == ["voice", "chat", ""]
    assert list(found[0])[:4] == ["interval_start", "queue_id", "media_type", "interval_end"]


def test_a_key_that_was_not_asked_for_is_refused_with_advice() -> None:
    """Leaving it out could make two groups one row."""
    with pytest.raises(UnforeseenError) as refused:
        rows(results(), answer(bucket(0), group={"queueId": "q1", "direction": "inbound"}))
    assert "query 'calls': rows are grouped by 'direction'" in str(refused.value)
    assert "Add 'direction' to group_by of this query" in str(refused.value)


@pytest.mark.parametrize(
    ("interval", "start", "end"),
    [
        ("2023-11-01T01:00:00+01:00/2023-11-01T02:00:00+01:00", hour(0), hour(1)),
        ("2023-11-01T00:00Z/2023-11-02T00:00Z", hour(0), hour(24)),
        ("2023-10-31T20:00:00.000-0330/2023-10-31T22:30:00.000-0230", "2023-10-31T23:30:00.000Z", hour(1)),
    ],
)
def test_intervals_come_in_any_offset(interval: str, start: str, end: str) -> None:
    """The key is the UTC start, 24 characters, whatever offset the interval keeps."""
    (found,) = rows(
        results(), answer({"interval": interval}), of=window("2023-10-31T00:00:00", "2023-11-02T00:00:00")
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
    """Such a row would overwrite one of another window; a bucket that ends before it starts is none."""
    with pytest.raises(UnreadableError, match="is outside the window"):
        rows(results(), answer({"interval": interval}))


@pytest.mark.parametrize(
    "interval", ["", "/", hour(1), f"{hour(1)}/", f"{hour(1)}/{hour(2)}/{hour(3)}", "P1D/today", "x" * 9999]
)
def test_what_is_no_interval_is_refused(interval: str) -> None:
    """A bucket without a time has no key; its text is shown shorten."""
    with pytest.raises(UnreadableError, match="is not an interval") as refused:
        rows(results(), answer({"interval": interval}))
    assert len(str(refused.value)) < 300


def test_a_group_that_comes_twice_is_refused() -> None:
    """Two rows of one key cannot both be loaded."""
    with pytest.raises(UnforeseenError, match="two rows came with the same key"):
        rows(results(), answer(bucket(0), bucket(0)))


def test_users_are_asked_for_by_name() -> None:
    """A batch of users is sent as and[or[…]]: a flat ``or`` is said to undercount."""
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
