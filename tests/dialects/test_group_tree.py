"""The group-tree API: how a query is sent, how pages follow each other, and the exact rows of a tree."""

from __future__ import annotations

import json
import tracemalloc
from zoneinfo import ZoneInfo

import pytest

from tap_genesys_aggregates.core.errors import UnforeseenError, UnreadableError
from tap_genesys_aggregates.core.periods import Period
from tap_genesys_aggregates.core.query import INTERVAL
from tap_genesys_aggregates.dialects import dialect_of
from tests.dialects.responses import TREE, Node, body, hour, node, rows, tree, tree_row, window

_YEARS = window("2018-01-01T00:00:00", "2024-01-01T00:00:00")


def test_the_first_page_is_requested_with_a_body() -> None:
    """Dates with milliseconds and Z, interval, groups, metrics, filter and page."""
    query = tree(INTERVAL, "routing.queue.id", filter={"type": "conversation"}, page_size=7)
    call = dialect_of(query).call(window(), None)
    assert (call.method, call.url, call.params) == (
        "POST",
        "/api/v2/analytics/conversations/aggregate/query",
        None,
    )
    assert call.body == {
        "dateFrom": "2023-11-01T00:00:00.000Z",
        "dateTo": "2023-11-02T00:00:00.000Z",
        "groupBy": ["interval", "routing.queue.id"],
        "interval": "PT1H",
        "metrics": ["conversationCount", "handleDurationSum"],
        "filter": {"type": "conversation"},
        "pageSize": 7,
        "pageNumber": 1,
    }
    assert "filter" not in (dialect_of(TREE).call(window(), None).body or {})


def test_the_next_page_is_a_post_without_a_body() -> None:
    """The link contains everything."""
    call = dialect_of(TREE).call(window(), "https://gateway.example.com/next?pageNumber=2")
    assert (call.method, call.url, call.body, call.params) == (
        "POST", "https://gateway.example.com/next?pageNumber=2", None, None,
    )  # fmt: skip


@pytest.mark.parametrize("entities", [{}, {"entities": None}, {"entities": []}])
def test_a_page_without_entities_is_empty_and_not_the_end(entities: dict[str, object]) -> None:
    """Entities may be absent, null or empty; the link of such a page is still followed."""
    page = dialect_of(TREE).read(body({**entities, "links": {"next": "?pageNumber=3"}}), window())
    assert (list(page.leaves), page.next) == ([], "?pageNumber=3")


@pytest.mark.parametrize(
    "links", [{}, {"links": None}, {"links": {}}, {"links": {"next": None}}, {"links": {"next": ""}}]
)
def test_a_page_without_a_link_is_the_last(links: dict[str, object]) -> None:
    """The link may be absent, null or empty; the number of rows does not matter."""
    response = {"entities": [node("q1", 3, node(hour(0), 3))], **links}
    assert dialect_of(TREE).read(body(response), window()).next is None
    assert rows(TREE, response) == [tree_row(0, "q1", 3)]


def test_the_rows_of_all_pages_are_the_rows_of_the_window() -> None:
    """An empty page in between changes nothing."""
    pages = [
        {"entities": [node("q1", 1, node(hour(0), 1))]},
        {"links": {"next": "x"}},
        {"entities": [node("q2", 2, node(hour(0), 2))]},
    ]
    assert rows(TREE, *pages) == [tree_row(0, "q1", 1), tree_row(0, "q2", 2)]


def test_the_documented_example_is_one_row() -> None:
    """Its one leaf is a row; the queue's own metrics are subtotals, and so is ``summary``."""
    response = {
        "entities": [
            {
                "id": "queue-uuid-123",
                "metrics": {"conversationCount": {"value": 450}, "handleDurationSum": {"value": 1800000}},
                "groups": [
                    {
                        "id": "2023-11-01T00:00:00.000Z",
                        "metrics": {"conversationCount": {"value": 12},
                        "handleDurationSum": {"value": 48000}},
                        "groups": [],
                    }
                ],
            }
        ],
        "summary": {"totalConversations": 450},
        "pageSize": 25, "pageNumber": 1, "total": 1,
        "links": {"next": "/api/v2/analytics/conversations/aggregate/query?pageNumber=2&pageSize=25"},
    }  # fmt: skip
    assert rows(TREE, response) == [tree_row(0, "queue-uuid-123", 12, 48000)]
    page = dialect_of(TREE).read(body(response), window())
    assert page.next == "/api/v2/analytics/conversations/aggregate/query?pageNumber=2&pageSize=25"


def test_levels_may_be_nested_in_either_order() -> None:
    """The level whose ids are instants is the interval, wherever it is."""
    queues_first = [node("q1", 5, node(hour(0), 3), node(hour(1), 2)), node("q2", 1, node(hour(0), 1))]
    hours_first = [node(hour(0), 4, node("q1", 3), node("q2", 1)), node(hour(1), 2, node("q1", 2))]
    expected = [tree_row(0, "q1", 3), tree_row(1, "q1", 2), tree_row(0, "q2", 1)]
    assert rows(TREE, {"entities": queues_first}) == expected
    swapped = rows(TREE, {"entities": hours_first})
    assert sorted(swapped, key=str) == sorted(expected, key=str)
    assert [each["conversation_count"] for each in swapped] == [3, 1, 2]


@pytest.mark.parametrize(
    "path",
    [
        (hour(5), "q1", "voice"), ("q1", hour(5), "voice"), ("q1", "voice", hour(5)),
    ],
)  # fmt: skip
def test_other_levels_have_the_other_names_in_order(path: tuple[str, ...]) -> None:
    """All levels but the interval have the remaining names of ``groupBy``, in order."""
    found = rows(tree(INTERVAL, "routing.queue.id", "mediaType"), {"entities": [_branch(path)]})
    assert found == [
        {
            "interval_start": hour(5),
            "routing_queue_id": "q1",
            "media_type": "voice",
            "interval_end": hour(6),
            "conversation_count": 1,
            "handle_duration_sum": None,
        }
    ]


def _branch(path: tuple[str, ...]) -> Node:
    """A tree with one leaf."""
    inner = node(path[-1], 1)
    for name in reversed(path[:-1]):
        inner = node(name, 99, inner)
    return inner


def test_subtotals_are_not_rows() -> None:
    """The metrics of inner nodes are the sums of their leaves; counting them would count twice."""
    response = {"entities": [node("q1", 450, node(hour(0), 12), node(hour(1), 438))]}
    assert [each["conversation_count"] for each in rows(TREE, response)] == [12, 438]


@pytest.mark.parametrize("groups", [{}, {"groups": None}, {"groups": []}])
def test_a_node_without_groups_is_a_leaf(groups: dict[str, object]) -> None:
    """If groups were requested and there are none, the node is the row of the whole window."""
    response = {"entities": [{"id": "q1", "metrics": {"conversationCount": {"value": 7}}, **groups}]}
    assert rows(TREE, response) == [{**tree_row(0, "q1", 7), "interval_end": hour(24)}]
    deeper = {"entities": [{"id": "q1", "groups": [{"id": hour(3), "metrics": {}, **groups}]}]}
    assert rows(TREE, deeper) == [tree_row(3, "q1", None)]


def test_missing_dimensions_are_unknown() -> None:
    """If a tree ends early, the other dimensions are ``unknown``."""
    found = rows(tree(INTERVAL, "routing.queue.id", "mediaType"), {"entities": [node(hour(2), 4)]})
    assert found == [
        {
            "interval_start": hour(2),
            "routing_queue_id": "unknown",
            "media_type": "unknown",
            "interval_end": hour(3),
            "conversation_count": 4,
            "handle_duration_sum": None,
        }
    ]


@pytest.mark.parametrize("name", [{}, {"id": None}, {"id": ""}])
def test_a_node_without_an_id_is_unknown(name: dict[str, object]) -> None:
    """Calls that never reached a queue have no id."""
    response = {"entities": [{**name, "groups": [node(hour(0), 2)]}, node("q1", 1, node(hour(0), 1))]}
    assert rows(TREE, response) == [tree_row(0, "unknown", 2), tree_row(0, "q1", 1)]
    swapped = {
        "entities": [{"id": hour(0), "groups": [{**name, "metrics": {"conversationCount": {"value": 2}}}]}]
    }
    assert rows(TREE, swapped) == [tree_row(0, "unknown", 2)]


@pytest.mark.parametrize(
    "metrics",
    [
        {}, {"metrics": None}, {"metrics": {}}, {"metrics": {"conversationCount": None}},
        {"metrics": {"conversationCount": {}}}, {"metrics": {"conversationCount": {"value": None}}},
    ],
)  # fmt: skip
def test_a_missing_number_is_null_and_never_zero(metrics: dict[str, object]) -> None:
    """No metric or no value is null; a zero in the response is a zero."""
    response = {"entities": [{"id": "q1", "groups": [{"id": hour(0), **metrics}, node(hour(1), 0)]}]}
    assert rows(TREE, response) == [tree_row(0, "q1", None), tree_row(1, "q1", 0)]


def test_without_an_interval_there_is_one_row_per_group() -> None:
    """Its interval is the window that was requested."""
    query = tree("routing.queue.id")
    found = rows(
        query,
        {"entities": [node("q1", 3), node(None, 1)]},
        of=window("2023-11-01T05:00:00", "2023-11-01T06:00:00"),
    )
    assert found == [tree_row(5, "q1", 3), tree_row(5, "unknown", 1)]


@pytest.mark.parametrize("name", [{}, {"id": None}, {"id": "unknown"}, {"id": "all"}])
def test_without_groups_there_is_one_row_per_window(name: dict[str, object]) -> None:
    """The one entity is the total, and its interval is the window."""
    response = {"entities": [{**name, "metrics": {"conversationCount": {"value": 9}}}]}
    found = rows(tree(), response, of=window("2023-11-01T05:00:00", "2023-11-01T06:00:00"))
    assert found == [
        {
            "interval_start": hour(5),
            "interval_end": hour(6),
            "conversation_count": 9,
            "handle_duration_sum": None,
        }
    ]


def test_grouped_by_interval_alone_there_is_one_row_per_bucket() -> None:
    """The key is the start of the bucket."""
    found = rows(tree(INTERVAL), {"entities": [node(hour(0), 1), node(hour(23), 2)]})
    assert [list(each.values())[:3] for each in found] == [[hour(0), hour(1), 1], [hour(23), hour(24), 2]]


@pytest.mark.parametrize(
    "written",
    [
        "2023-11-01T03:00:00.000Z",
        "2023-11-01T03:00:00Z",
        "2023-11-01T04:00:00+01:00",
        "2023-10-31T23:30-0330",
        "2023-11-01T03:00",
    ],
)
def test_an_interval_may_have_any_offset(written: str) -> None:
    """The key is the start in UTC, 24 characters long."""
    assert rows(TREE, {"entities": [node("q1", 1, node(written, 1))]}) == [tree_row(3, "q1", 1)]


@pytest.mark.parametrize(
    "written", ["2023-10-31T23:59:59.999Z", hour(24), "2023-11-01T01:00:00+02:00", "1999-01-01T00:00:00Z"]
)
def test_a_bucket_outside_the_window_is_refused(written: str) -> None:
    """Its row would overwrite a row of another window."""
    with pytest.raises(UnreadableError, match="is outside the window"):
        rows(TREE, {"entities": [node("q1", 1, node(written, 1))]})


def test_a_duplicate_group_with_other_numbers_is_refused() -> None:
    """The key is the start and the dimensions, even across pages."""
    pages = [{"entities": [node("q1", 1, node(hour(0), count))]} for count in (1, 2)]
    message = "two rows came with the same key and different numbers for 'conversationCount'"
    with pytest.raises(UnforeseenError, match=message):
        rows(TREE, *pages)


def test_a_group_split_over_two_pages_is_one_row() -> None:
    """Smallest reproducer: the count of an hour on one page, its handle time on the next. It was refused."""
    handled = {"id": hour(0), "metrics": {"handleDurationSum": {"value": 9}}}
    pages = [[node("q1", 1, node(hour(0), 1), node(hour(1), 2))], [{"id": "q1", "groups": [handled]}]]
    found = rows(TREE, *({"entities": entities} for entities in pages))
    assert found == [tree_row(0, "q1", 1, 9), tree_row(1, "q1", 2)]


@pytest.mark.parametrize(
    ("value", "text"),
    [(5, "5"), (True, "true"), (["a", "b"], '["a","b"]'), ({"b": 1, "a": 2}, '{"a":2,"b":1}')],
)
def test_an_id_that_is_not_text_becomes_json_text(value: object, text: str) -> None:
    """Smallest reproducer: ``{"id": 5, …}``, an unreadable response, run after run."""
    response = {"entities": [{"id": value, "groups": [node(hour(0), 2)]}]}
    assert rows(TREE, response) == [tree_row(0, text, 2)]


def test_a_metric_with_more_than_a_value_has_a_fix() -> None:
    """A number needs a column, which ``statistics`` adds. What is no number and has no column stops nothing.

    Smallest reproducer: ``{"conversationCount": {"value": 1, "max": 3, "unit": "calls"}}``.
    """
    metrics = {"conversationCount": {"value": 1, "max": 3, "unit": "calls", "p95": None}}
    response = {"entities": [{"id": "q1", "groups": [{"id": hour(0), "metrics": metrics}]}]}
    message = "Set statistics: {'conversationCount': \\['value', 'max'\\]} on this query"
    with pytest.raises(UnforeseenError, match=message):
        rows(TREE, response)
    query = tree("interval", "routing.queue.id", statistics={"conversationCount": ("value", "max")})
    (row,) = rows(query, response)
    assert (row["conversation_count"], row["conversation_count_max"]) == (1, 3)


def test_a_page_tells_its_total_and_its_entities() -> None:
    """By both readers; a total of another type tells nothing."""
    leaf = node(hour(0), 1)
    for groups in ([leaf], [{**leaf, "id": None}]):
        response = {"entities": [{"id": "q1", "groups": groups}], "total": 7}
        page = dialect_of(TREE).read(body(response), window())
        assert (page.total, page.entities) == (7, 1)
        assert dialect_of(TREE).read(body({**response, "total": "7"}), window()).total is None


def test_a_metric_that_was_not_requested_is_refused() -> None:
    """It has no column, and ignoring it would hide that the response belongs to another query."""
    response = {
        "entities": [{"id": "q1", "groups": [{"id": hour(0), "metrics": {"surprise": {"value": 1}}}]}]
    }
    with pytest.raises(UnforeseenError, match="Add 'surprise' to metrics of this query"):
        rows(TREE, response)


@pytest.mark.parametrize(
    ("granularity", "zone", "start", "end"),
    [
        ("PT15M", "UTC", "2023-11-01T00:45:00.000Z", "2023-11-01T01:00:00.000Z"),
        ("PT1H", "Europe/Berlin", "2023-10-29T00:00:00.000Z", "2023-10-29T01:00:00.000Z"),
        ("P1D", "UTC", "2023-11-01T00:00:00.000Z", "2023-11-02T00:00:00.000Z"),
        ("P1D", "Europe/Berlin", "2023-03-25T23:00:00.000Z", "2023-03-26T22:00:00.000Z"),  # 23 hours
        ("P1D", "Europe/Berlin", "2023-10-28T22:00:00.000Z", "2023-10-29T23:00:00.000Z"),  # 25 hours
        (
            "P1D",
            "America/Sao_Paulo",
            "2018-11-04T03:00:00.000Z",
            "2018-11-05T02:00:00.000Z",
        ),  # begins at 01:00
        ("P1W", "Europe/Berlin", "2023-03-21T23:00:00.000Z", "2023-03-28T22:00:00.000Z"),
        ("P1M", "Europe/Berlin", "2023-02-28T23:00:00.000Z", "2023-03-31T22:00:00.000Z"),
        ("PT12H", "Europe/Berlin", "2023-03-26T11:00:00.000Z", "2023-03-26T22:00:00.000Z"),  # the short half
        ("P1D", "UTC", "2023-11-01T12:00:00.000Z", "2023-11-02T12:00:00.000Z"),  # a grid of the server's own
    ],
)
def test_a_bucket_ends_one_granularity_later(granularity: str, zone: str, start: str, end: str) -> None:
    """In the query's time zone, where the next bucket begins."""
    query = tree(INTERVAL, "routing.queue.id", granularity=Period.parse(granularity), zone=ZoneInfo(zone))
    (found,) = rows(query, {"entities": [{"id": "q1", "groups": [{"id": start}]}]}, of=_YEARS)
    assert (found["interval_start"], found["interval_end"]) == (start, end)


def _deep_tree(ids: list[str | None]) -> str:
    """A tree with one leaf and any number of levels, built without recursion."""
    head = "".join(f'{{"id": {json.dumps(each)}, "groups": [' for each in ids[:-1])
    leaf = f'{{"id": {json.dumps(ids[-1])}, "metrics": {{"conversationCount": {{"value": 1}}}}}}'
    return f'{{"entities": [{head}{leaf}{"]}" * (len(ids) - 1)}], "links": {{"next": null}}}}'


@pytest.mark.parametrize("depth", [1, 2, 3, 500])
def test_a_tree_may_be_as_deep_as_group_by(depth: int) -> None:
    """Python's stack is no limit."""
    names = [f"d{number}" for number in range(depth - 1)]
    query = tree(INTERVAL, *names)
    (found,) = rows(query, _deep_tree([*(f"v{number}" for number in range(depth - 1)), hour(7)]).encode())
    assert found["interval_start"] == hour(7)
    assert [found[name] for name in names] == [f"v{number}" for number in range(depth - 1)]
    assert found["conversation_count"] == 1


def test_several_deep_trees_keep_their_order() -> None:
    """The reader for deep trees gives the same rows in the same order."""
    names = [f"d{number}" for number in range(600)]
    query = tree(INTERVAL, *names)
    one, other = ([f"{queue}{number}" for number in range(600)] for queue in "ab")
    text = _deep_tree([*one, hour(1)]).replace(
        '], "links"', f', {_deep_tree([*other, hour(2)])[14:-27]}], "links"'
    )
    first, second = rows(query, text.encode())
    assert (first["d0"], first["d599"], first["interval_start"]) == ("a0", "a599", hour(1))
    assert (second["d0"], second["d599"], second["interval_start"]) == ("b0", "b599", hour(2))


def test_a_level_that_group_by_does_not_name_is_refused() -> None:
    """It has no column; the message says what to do."""
    with pytest.raises(UnforeseenError) as refused:
        rows(TREE, _deep_tree(["q1", hour(0), "voice"]).encode())
    assert "query 'tree': the tree has a level 3" in str(refused.value)
    assert "Add its dimension to group_by of this query" in str(refused.value)


def test_two_levels_without_an_interval_are_refused() -> None:
    """Only one of the two levels can be the queue."""
    with pytest.raises(UnforeseenError, match="level 2"):
        rows(TREE, _deep_tree(["q1", "q2"]).encode())


@pytest.mark.slow
def test_a_hundred_thousand_levels_end_in_a_clear_error() -> None:
    """The process does not crash; the run stops with one short line."""
    depth = 100_000
    text = '{"entities":[' + '{"groups":[' * depth + "]}" * depth + "]}"
    with pytest.raises(UnforeseenError, match="the tree has a level 3 that group_by does not name"):
        rows(TREE, text.encode())


def test_a_deep_tree_takes_memory_in_proportion_to_its_size() -> None:
    """Paths are not copied at each level."""
    text = _deep_tree(["x"] * 1_500)
    tracemalloc.start()
    try:
        with pytest.raises(UnforeseenError):
            rows(TREE, text.encode())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 60 * len(text)


def test_an_ignored_field_may_have_any_depth() -> None:
    """A field that the API does not document is skipped."""
    text = '{"entities": null, "debug": ' + "[" * 10_000 + "]" * 10_000 + "}"
    assert rows(TREE, text.encode()) == []


@pytest.mark.parametrize("opening", ["[", '{"groups":[', '{"entities":['])
def test_a_deep_tree_that_is_cut_is_unreadable(opening: str) -> None:
    with pytest.raises(UnreadableError):
        rows(TREE, (opening * 5_000).encode())
