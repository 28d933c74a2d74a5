"""Rows: from the leaves of a response to the columns of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.core.errors import UnforeseenError, UnreadableError
from tap_genesys_aggregates.core.query import View
from tap_genesys_aggregates.core.rows import Leaf, RowMaker, Stamp, UniqueKeys
from tests.core.making import at, examples, query

if TYPE_CHECKING:
    from tap_genesys_aggregates.core.query import Query

START, END = "2023-11-01T00:00:00.000Z", "2023-11-01T01:00:00.000Z"
STAMP = Stamp("2023-11-20T00:00:00.000Z", "2023-11-13T00:00:00.000Z")


Stats = dict[str, "int | float | None"]


def leaf(
    *cells: tuple[str, Stats | None], key: tuple[str, ...] = ("q1",), start: str = START, end: str = END
) -> Leaf:
    """A leaf, by default of the first hour."""
    return Leaf(start, end, key, dict(cells))


def test_a_row_has_every_column_in_order() -> None:
    row = RowMaker(query()).row(
        leaf(("nOffered", {"count": 3}), ("tHandle", {"count": 2, "sum": 5.5})), STAMP
    )
    assert list(row.items()) == [
        ("interval_start", START),
        ("queue_id", "q1"),
        ("interval_end", END),
        ("n_offered_count", 3),
        ("t_handle_count", 2),
        ("t_handle_sum", 5.5),
        ("t_handle_min", None),
        ("t_handle_max", None),
        ("extracted_at", "2023-11-20T00:00:00.000Z"),
        ("is_final", True),
    ]


@pytest.mark.parametrize(
    "cells", [(), (("tHandle", None),), (("tHandle", {}),), (("tHandle", {"count": None, "sum": None}),)]
)
def test_a_missing_number_is_null_and_never_zero(cells: tuple[tuple[str, Stats | None], ...]) -> None:
    """The API leaves out metrics that did not occur. A zero in the response stays a zero."""
    row = RowMaker(query()).row(leaf(*cells, ("nOffered", {"count": 0})), STAMP)
    assert row["n_offered_count"] == 0
    assert [row[f"t_handle_{each}"] for each in ("count", "sum", "min", "max")] == [None] * 4


def test_numbers_of_a_row_do_not_leak_into_the_next() -> None:
    maker = RowMaker(query())
    maker.row(leaf(("nOffered", {"count": 3})), STAMP)
    assert maker.row(leaf(key=("q2",)), STAMP)["n_offered_count"] is None


def test_an_unknown_metric_stops_the_run() -> None:
    """The message has the line of config that helps."""
    with pytest.raises(UnforeseenError) as refused:
        RowMaker(query()).row(leaf(("tTalk", {"count": 1})), STAMP)
    assert "query 'calls'" in str(refused.value)
    assert "Add 'tTalk' to metrics of this query" in str(refused.value)


@pytest.mark.parametrize(
    ("asked", "cell", "advice"),
    [
        (query(), ("nOffered", {"sum": 1}), "Set statistics: {'nOffered': ['count', 'sum']} on this query"),
        (
            query(api="group_tree", group_by=("interval", "queueId")),
            ("nOffered", {"count": 1}),
            "Set statistics: {'nOffered': ['value', 'count']} on this query",
        ),
    ],
)
def test_an_unknown_statistic_stops_the_run(asked: Query, cell: tuple[str, Stats], advice: str) -> None:
    """The message says what to do."""
    with pytest.raises(UnforeseenError) as refused:
        RowMaker(asked).row(leaf(cell), STAMP)
    assert repr(next(iter(cell[1]))) in str(refused.value)
    assert advice in str(refused.value)


@pytest.mark.parametrize(
    ("asked", "cell", "expected"),
    [
        (
            query(metrics=("tHandle",), statistics={"tHandle": ("sum", "p50")}),
            ("tHandle", {"count": 1, "max": 3, "min": 1, "sum": 4, "p50": 2}),
            {"t_handle_sum": 4, "t_handle_p50": 2},
        ),
        (
            query(
                metrics=("nOffered",), views=(View("fast", "tHandle", {}),), statistics={"fast": ("count",)}
            ),
            ("fast", {"count": 1, "max": 3}),
            {"n_offered_count": None, "fast_count": 1},
        ),
        (
            query(
                api="group_tree",
                group_by=("interval", "queueId"),
                metrics=("nOffered",),
                statistics={"nOffered": ("largest",)},
            ),
            ("nOffered", {"value": 1, "largest": 2}),
            {"n_offered_largest": 2},
        ),
    ],
)
def test_known_statistics_that_the_query_leaves_out_have_no_column(
    asked: Query, cell: tuple[str, Stats], expected: dict[str, object]
) -> None:
    """Smallest reproducer: ``statistics: {tHandle: [count, sum]}``, which stopped when ``min`` came."""
    row = RowMaker(asked).row(leaf(cell), STAMP)
    lead = {"interval_start", "queue_id", "interval_end", "extracted_at", "is_final"}
    assert {name: value for name, value in row.items() if name not in lead} == expected


def test_a_statistic_that_is_neither_known_nor_listed_stops_a_query_that_leaves_some_out() -> None:
    asked = query(metrics=("tHandle",), statistics={"tHandle": ("count",)})
    with pytest.raises(UnforeseenError, match="'median', which has no column"):
        RowMaker(asked).row(leaf(("tHandle", {"count": 1, "max": 3, "median": 2})), STAMP)


@pytest.mark.parametrize("name", ["x" * 100_000, "a\nb", "\x1b[31m"])
def test_names_in_a_response_are_shortened_in_messages(name: str) -> None:
    """They are shown on one line."""
    cells: tuple[tuple[str, Stats], ...] = ((name, {"count": 1}), ("nOffered", {name: 1}))
    for cell in cells:
        with pytest.raises(UnforeseenError) as refused:
            RowMaker(query()).row(leaf(cell), STAMP)
        assert len(str(refused.value)) < 600
        assert str(refused.value).isprintable()


@pytest.mark.parametrize(("value", "expected"), [(3.0, 3), (0.0, 0), (-2.0, -2), (1e15, 10**15)])
def test_a_count_written_as_a_float_becomes_an_integer(value: float, expected: int) -> None:
    row = RowMaker(query()).row(leaf(("nOffered", {"count": value})), STAMP)
    assert row["n_offered_count"] == expected
    assert type(row["n_offered_count"]) is int


@pytest.mark.parametrize("value", [3.5, float("inf"), float("nan")])
def test_a_fractional_count_is_refused(value: float) -> None:
    message = "n_offered_count is a count, but the response has .* Set shape: long .* a new name"
    with pytest.raises(UnreadableError, match=message):
        RowMaker(query()).row(leaf(("nOffered", {"count": value})), STAMP)


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
@examples()
def test_other_numbers_keep_their_value_and_type(value: float) -> None:
    row = RowMaker(query()).row(leaf(("tHandle", {"sum": value})), STAMP)
    assert row["t_handle_sum"] == value
    assert type(row["t_handle_sum"]) is type(value)


def test_a_view_fills_its_own_columns() -> None:
    asked = query(metrics=("tHandle",), views=(View("short", "tHandle", {}),))
    row = RowMaker(asked).row(leaf(("tHandle", {"count": 9}), ("short", {"count": 4})), STAMP)
    assert (row["t_handle_count"], row["short_count"]) == (9, 4)


@pytest.mark.parametrize(
    ("end", "final"),
    [
        ("2023-11-12T23:59:59.999Z", True),
        ("2023-11-13T00:00:00.000Z", True),
        ("2023-11-13T00:00:00.001Z", False),
    ],
)
def test_a_bucket_is_final_if_it_ended_before_the_lookback(end: str, *, final: bool) -> None:
    """A bucket that is partly within the lookback may still change."""
    assert RowMaker(query()).row(leaf(end=end), STAMP)["is_final"] is final


def test_a_stamp_has_the_time_of_the_request_and_the_start_of_the_lookback() -> None:
    stamp = Stamp.of(query(), at("2023-11-20T10:00:00.123Z"))
    assert stamp == Stamp("2023-11-20T10:00:00.123Z", "2023-11-13T10:00:00.123Z")


def test_a_second_row_with_the_same_key_is_refused() -> None:
    """Loading both would lose one. The message shows the key."""
    unique = UniqueKeys(query(group_by=("queueId", "userId")))
    keys = [(START, "q1", "u1"), (START, "q1", "u2"), (START, "q2", "u1"), (START, "q1u", "1")]
    assert unique.add(keys, 4)
    assert unique.add([(END, "q1", "u1")], 1)
    assert not unique.add([(END, "q2", "u1"), (END, "q2", "u1")], 2)
    assert not unique.add([(END, "q2", "u1"), (START, "q1", "u1")], 2)
    assert unique.rows == 5
    with pytest.raises(UnforeseenError) as refused:
        unique.merge([leaf(("nOffered", {"count": 1}), key=("q1", "u1"))])
    assert "(interval_start='2023-11-01T00:00:00.000Z', queue_id='q1', user_id='u1')" in str(refused.value)
    assert "to group_by of this query and give the query a new name" in str(refused.value)


def test_pieces_of_a_row_are_merged_in_the_order_of_their_keys() -> None:
    """A group may come with different metrics in each piece; null is no number, and equal numbers are one."""
    pieces = [
        leaf(("nOffered", {"count": 3}), ("tHandle", None)),
        leaf(("nOffered", {"count": 7}), key=("q2",)),
        leaf(("tHandle", {"count": 1, "sum": None}), ("nOffered", None)),
        leaf(("tHandle", {"sum": 5}), ("nOffered", {"count": 3})),
    ]
    unique = UniqueKeys(query())
    assert unique.merge(pieces) == [
        leaf(("nOffered", {"count": 3}), ("tHandle", {"count": 1, "sum": 5})),
        leaf(("nOffered", {"count": 7}), key=("q2",)),
    ]
    assert unique.rows == 2


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            leaf(("nOffered", {"count": 4})),
            "different numbers for 'nOffered'.*Leave 'nOffered' out of metrics",
        ),
        (leaf(("tHandle", {"count": 4}), end=f"{END[:11]}02{END[13:]}"), "two rows came with the same key"),
    ],
)
def test_pieces_that_contradict_each_other_are_refused(other: Leaf, message: str) -> None:
    with pytest.raises(UnforeseenError, match=message):
        UniqueKeys(query()).merge([leaf(("nOffered", {"count": 3})), other])
