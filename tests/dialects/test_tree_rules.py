"""The rules of the group-tree contract on what an answer holds, each with the exact rows."""

from __future__ import annotations

import pytest

from tap_genesys_aggregates.core.errors import UnforeseenError, UnreadableError
from tap_genesys_aggregates.core.query import INTERVAL
from tap_genesys_aggregates.dialects import dialect_of
from tests.dialects.making import TREE, body, hour, rows, tree, window
from tests.dialects.trees import Node, node, row


def test_the_example_of_the_contract() -> None:
    """Its one leaf is one row; the queue's own numbers are subtotals, and so is ``summary``."""
    answer = {
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
    assert rows(TREE, answer) == [row(0, "queue-uuid-123", 12, 48000)]
    page = dialect_of(TREE).read(body(answer), window())
    assert page.next == "/api/v2/analytics/conversations/aggregate/query?pageNumber=2&pageSize=25"


def test_the_tree_may_nest_in_either_order() -> None:
    """Rule 3: the level whose ids read as instants is the interval, wherever it stands."""
    queues_first = [node("q1", 5, node(hour(0), 3), node(hour(1), 2)), node("q2", 1, node(hour(0), 1))]
    hours_first = [node(hour(0), 4, node("q1", 3), node("q2", 1)), node(hour(1), 2, node("q1", 2))]
    expected = [row(0, "q1", 3), row(1, "q1", 2), row(0, "q2", 1)]
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
def test_other_levels_take_the_other_names_in_order(path: tuple[str, ...]) -> None:
    """Rule 3: what is not the interval takes the remaining names of ``groupBy`` in their order."""
    found = rows(tree(INTERVAL, "routing.queue.id", "mediaType"), {"entities": [_nested(path)]})
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


def _nested(path: tuple[str, ...]) -> Node:
    """A tree of one leaf."""
    inner = node(path[-1], 1)
    for name in reversed(path[:-1]):
        inner = node(name, 99, inner)
    return inner


def test_subtotals_are_not_rows() -> None:
    """Rule 2: numbers of inner nodes are the sums of their leaves; counting them would count twice."""
    answer = {"entities": [node("q1", 450, node(hour(0), 12), node(hour(1), 438))]}
    assert [each["conversation_count"] for each in rows(TREE, answer)] == [12, 438]


@pytest.mark.parametrize("groups", [{}, {"groups": None}, {"groups": []}])
def test_a_node_without_groups_is_a_leaf(groups: dict[str, object]) -> None:
    """Rules 2 and 4: where groups were asked for and none came, the node is the row of the whole window."""
    answer = {"entities": [{"id": "q1", "metrics": {"conversationCount": {"value": 7}}, **groups}]}
    assert rows(TREE, answer) == [{**row(0, "q1", 7), "interval_end": hour(24)}]
    deeper = {"entities": [{"id": "q1", "groups": [{"id": hour(3), "metrics": {}, **groups}]}]}
    assert rows(TREE, deeper) == [row(3, "q1", None)]


def test_missing_dimensions_are_unknown() -> None:
    """Rule 4: a tree that ends early leaves its other dimensions ``unknown``."""
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
    """Rule 4: calls that reached no queue have no id; they are counted under ``unknown``."""
    answer = {"entities": [{**name, "groups": [node(hour(0), 2)]}, node("q1", 1, node(hour(0), 1))]}
    assert rows(TREE, answer) == [row(0, "unknown", 2), row(0, "q1", 1)]
    swapped = {
        "entities": [{"id": hour(0), "groups": [{**name, "metrics": {"conversationCount": {"value": 2}}}]}]
    }
    assert rows(TREE, swapped) == [row(0, "unknown", 2)]


@pytest.mark.parametrize(
    "metrics",
    [
        {}, {"metrics": None}, {"metrics": {}}, {"metrics": {"conversationCount": None}},
        {"metrics": {"conversationCount": {}}}, {"metrics": {"conversationCount": {"value": None}}},
    ],
)  # fmt: skip
def test_a_missing_number_is_null_and_never_zero(metrics: dict[str, object]) -> None:
    """Rule 4: no metric, or no value: null. A zero that the answer has is a zero."""
    answer = {"entities": [{"id": "q1", "groups": [{"id": hour(0), **metrics}, node(hour(1), 0)]}]}
    assert rows(TREE, answer) == [row(0, "q1", None), row(1, "q1", 0)]


def test_a_query_without_the_interval_has_one_row_a_group() -> None:
    """Rule 4: with no interval level a row's interval is the window that was asked for."""
    asked = tree("routing.queue.id")
    found = rows(
        asked,
        {"entities": [node("q1", 3), node(None, 1)]},
        of=window("2023-11-01T05:00:00", "2023-11-01T06:00:00"),
    )
    assert found == [row(5, "q1", 3), row(5, "unknown", 1)]


@pytest.mark.parametrize("name", [{}, {"id": None}, {"id": "unknown"}, {"id": "all"}])
def test_a_query_without_groups_has_one_row_a_window(name: dict[str, object]) -> None:
    """Grouped by nothing, the one entity is the total: its interval is the window."""
    answer = {"entities": [{**name, "metrics": {"conversationCount": {"value": 9}}}]}
    found = rows(tree(), answer, of=window("2023-11-01T05:00:00", "2023-11-01T06:00:00"))
    assert found == [
        {
            "interval_start": hour(5),
            "interval_end": hour(6),
            "conversation_count": 9,
            "handle_duration_sum": None,
        }
    ]


def test_a_query_by_the_interval_alone_has_one_row_a_bucket() -> None:
    """Grouped by the interval alone, the key is the start of the bucket."""
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
def test_intervals_come_in_any_offset(written: str) -> None:
    """The key is the UTC start, 24 characters, however the server writes it."""
    assert rows(TREE, {"entities": [node("q1", 1, node(written, 1))]}) == [row(3, "q1", 1)]


@pytest.mark.parametrize(
    "written", ["2023-10-31T23:59:59.999Z", hour(24), "2023-11-01T01:00:00+02:00", "1999-01-01T00:00:00Z"]
)
def test_a_bucket_outside_the_window_is_refused(written: str) -> None:
    """Such a row would overwrite one of another window."""
    with pytest.raises(UnreadableError, match="is outside the window"):
        rows(TREE, {"entities": [node("q1", 1, node(written, 1))]})


def test_a_group_that_comes_twice_is_refused() -> None:
    """Rule 5: start and dimensions are the key, on whichever page a row comes."""
    page = {"entities": [node("q1", 1, node(hour(0), 1))]}
    with pytest.raises(UnforeseenError, match="two rows came with the same key"):
        rows(TREE, page, page)


def test_a_metric_that_was_not_asked_for_is_refused() -> None:
    """It has no column, and dropping it in silence would hide that the answer is another query's."""
    answer = {"entities": [{"id": "q1", "groups": [{"id": hour(0), "metrics": {"surprise": {"value": 1}}}]}]}
    with pytest.raises(UnforeseenError, match="Add 'surprise' to metrics of this query"):
        rows(TREE, answer)
