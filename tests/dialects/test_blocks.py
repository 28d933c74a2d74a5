"""Reading column by column gives the same rows as leaf by leaf, and is used for plain responses only."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.core.errors import UnforeseenError
from tap_genesys_aggregates.core.rows import RowMaker, UniqueKeys
from tap_genesys_aggregates.dialects import dialect_of
from tap_genesys_aggregates.extract.split_groups import merged
from tests.core.making import examples
from tests.dialects.responses import (
    STAMP,
    body,
    bucket,
    hour,
    metric,
    results,
    results_response,
    rows,
    tree,
    window,
)

if TYPE_CHECKING:
    from tap_genesys_aggregates.core.query import Query

RESULTS = results(
    group_by=("queueId", "userId"), implicit_dimensions=("mediaType",), metrics=("nOffered", "tHandle")
)
TREE = tree("interval", "routing.queue.id", "mediaType")
_COUNTS = st.none() | st.integers(0, 2**63 - 1)
_NUMBERS = st.none() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
_IDS = st.sampled_from(["", "a", "q\u00e9", "x y", 'quo"te', "back\\slash", "line\nbreak"])


def _has_block(query: Query, what: object) -> bool:
    """Whether a response is read column by column."""
    return dialect_of(query).read(body(what), window()).block is not None


@st.composite
def _metrics(draw: st.DrawFn) -> list[dict[str, Any]]:
    """The metrics of a bucket: any of the requested ones, in any order, with any of their statistics."""
    possible = {
        "nOffered": st.fixed_dictionaries({}, optional={"count": _COUNTS}),
        "tHandle": st.fixed_dictionaries(
            {}, optional={"count": _COUNTS, **dict.fromkeys(("sum", "min", "max"), _NUMBERS)}
        ),
    }
    names = draw(st.lists(st.sampled_from(sorted(possible)), unique=True))
    return [{"metric": name, "stats": draw(possible[name])} for name in names]


@st.composite
def _plain_results(draw: st.DrawFn) -> dict[str, Any]:
    """A plain response: groups with some dimensions, buckets at some hours, with or without metrics."""
    found: dict[str, Any] = {}
    for _ in range(draw(st.integers(1, 4))):
        names = draw(st.lists(st.sampled_from(["queueId", "userId", "mediaType"]), unique=True))
        group = {name: draw(_IDS | st.none()) for name in names}
        hours = draw(st.lists(st.integers(0, 23), min_size=1, max_size=5, unique=True))
        data = [
            {"interval": f"{hour(each)}/{hour(each + 1)}", "metrics": draw(_metrics() | st.none())}
            for each in hours
        ]
        key = tuple(group.get(name) for name in ("queueId", "userId", "mediaType"))
        found[str(key)] = {"group": group, "data": data}
    return {"results": list(found.values())}


@given(
    _plain_results(),
    st.fixed_dictionaries(
        {},
        optional={
            "tHandle": st.lists(
                st.sampled_from(["count", "sum", "min", "max", "p95"]), min_size=1, unique=True
            )
        },
    ),
)
@examples(100)
def test_plain_results_with_fewer_statistics_than_come_are_a_block_with_the_same_rows(
    what: dict[str, Any], statistics: dict[str, list[str]]
) -> None:
    query = replace(RESULTS, statistics={name: tuple(each) for name, each in statistics.items()})
    found = rows(query, what)
    assert _has_block(query, what)
    listed = {f"t_handle_{each}" for each in statistics.get("tHandle", ("count", "sum", "min", "max"))}
    assert all({name for name in row if name.startswith("t_handle")} == listed for row in found)


@given(_plain_results())
@examples(150)
def test_plain_results_are_a_block_with_the_same_rows(what: dict[str, Any]) -> None:
    """``rows`` compares both readers; this test makes sure that the fast one is used."""
    assert len(rows(RESULTS, what)) == sum(len(each["data"]) for each in what["results"])
    assert _has_block(RESULTS, what)


@st.composite
def _plain_trees(draw: st.DrawFn) -> dict[str, Any]:
    """A plain page: queues, media types and hours, with or without metrics."""
    value = st.none() | st.fixed_dictionaries({}, optional={"value": _NUMBERS})
    some = st.none() | st.fixed_dictionaries(
        {}, optional={"conversationCount": value, "handleDurationSum": value}
    )
    hours = st.lists(st.integers(0, 23), min_size=1, max_size=4, unique=True)
    ids = st.lists(_IDS, min_size=1, max_size=3, unique_by=lambda each: each or "unknown")
    return {
        "entities": [
            {
                "id": queue,
                "metrics": {"anything": {"value": 1}},
                "groups": [
                    {
                        "id": medium,
                        "groups": [
                            {"id": hour(each), "metrics": draw(some), "groups": draw(st.none() | st.just([]))}
                            for each in draw(hours)
                        ],
                    }
                    for medium in draw(ids)
                ],
            }
            for queue in draw(ids)
        ],
        "links": draw(st.sampled_from([None, {}, {"next": None}, {"next": ""}, {"next": "/x?pageNumber=2"}])),
    }


@given(_plain_trees())
@examples(150)
def test_plain_trees_are_a_block_with_the_same_rows(what: dict[str, Any]) -> None:
    """The same for the group tree, with the interval as the last level; subtotals are ignored."""
    leaves = sum(len(medium["groups"]) for each in what["entities"] for medium in each["groups"])
    assert len(rows(TREE, what)) == leaves
    assert _has_block(TREE, what)


def test_the_interval_may_be_any_level_of_a_plain_tree() -> None:
    """First, in the middle or last: the rows have the columns in the table's order."""
    metrics = {"conversationCount": {"value": 7}}
    for order in ((hour(1), "q", "voice"), ("q", hour(1), "voice"), ("q", "voice", hour(1))):
        first, second, third = order
        leaf = {"id": third, "metrics": metrics}
        what = {"entities": [{"id": first, "groups": [{"id": second, "groups": [leaf]}]}]}
        (found,) = rows(TREE, what)
        assert (found["interval_start"], found["routing_queue_id"], found["media_type"]) == (
            hour(1),
            "q",
            "voice",
        )
        assert _has_block(TREE, what)


_SPECIAL_METRICS = (
    {"metric": "tSystemPresence", "stats": {"count": 1}},
    {"metric": "nOffered", "qualifier": "AWAY", "stats": {"count": 1}},
    {"metric": "nOffered", "qualifier": None, "stats": {"count": 1}},
    {"metric": "nOffered", "stats": {"count": 3.0}},
    {"metric": "nOffered", "stats": {"sum": 3}},
    {"metric": "nOffered", "stats": {"count": 2**63}},
    {"metric": "nOffered", "stats": None},
    {"metric": "nOffered"},
)


@pytest.mark.parametrize("special", _SPECIAL_METRICS)
def test_special_metrics_are_read_leaf_by_leaf(special: dict[str, Any]) -> None:
    """A metric that has no column or needs a check is left to the reader that reports errors."""
    assert not _has_block(results(), results_response(bucket(0, metric("tHandle", sum=1), special)))


@pytest.mark.parametrize(
    "what",
    [
        results_response(bucket(0, metric("nOffered", count=1), metric("nOffered", count=1))),
        results_response({**bucket(0), "views": [{"name": "short", "stats": {}}]}),
        results_response(bucket(0), group={"queueId": "q", "direction": "inbound"}),
        results_response({"interval": f"{hour(30)}/{hour(31)}"}),
        {"results": []},
    ],
)
def test_special_responses_are_read_leaf_by_leaf(what: object) -> None:
    """A duplicate metric, views, an unrequested dimension, a bucket outside the window, nothing at all."""
    assert not _has_block(results(), what)


@pytest.mark.parametrize(
    "entity",
    [
        {"groups": [{"id": hour(0)}]},
        {"id": "q"},
        {"id": "q", "groups": [{"id": "x"}]},
        {"id": "q", "groups": [{"id": hour(30)}]},
        {"id": "q", "groups": [{"id": hour(0), "metrics": {"unasked": {"value": 1}}}]},
        {"id": "q", "groups": [{"id": hour(0), "metrics": {"conversationCount": {"count": 1}}}]},
    ],
)
def test_special_trees_are_read_leaf_by_leaf(entity: dict[str, Any]) -> None:
    """No id, another depth, no interval, an interval outside the window, numbers without a column."""
    query = tree("interval", "routing.queue.id")
    assert not _has_block(query, {"entities": [entity]})
    plain = {"id": "q", "groups": [{"id": hour(0)}]}
    assert _has_block(query, {"entities": [plain]})
    assert not _has_block(query, {"entities": [plain, {**entity, "id": entity.get("id")}]})


@pytest.mark.parametrize("query", [results(shape="long"), results(qualified=True), tree("mediaType")])
def test_some_queries_have_no_blocks(query: Query) -> None:
    """Their rows are not one per bucket, or their bucket is the window."""
    what = results_response(bucket(0)) if query.api == "results" else {"entities": [{"id": "voice"}]}
    assert len(list(dialect_of(query).read(body(what), window()).leaves)) <= 1
    assert not _has_block(query, what)


def test_duplicate_keys_in_blocks_are_found() -> None:
    """Within a block and between blocks, as for leaves."""
    page = dialect_of(results()).read(body(results_response(bucket(0), bucket(1))), window())
    duplicates = dialect_of(results()).read(body(results_response(bucket(2), bucket(2))), window())
    assert page.block
    assert duplicates.block
    unique = UniqueKeys(results())
    assert merged([page], unique) == [page]
    assert unique.rows == 2
    with pytest.raises(UnforeseenError, match="two rows came with the same key"):
        merged([page], unique)
    (one,) = merged([duplicates], unique)
    assert one.block is None
    assert unique.rows == 3


def test_a_block_can_be_split_into_pieces() -> None:
    """In order, of limited size, and together the whole block."""
    page = dialect_of(results()).read(
        body(results_response(*(bucket(number, metric("nOffered", count=number)) for number in range(7)))),
        window(),
    )
    assert page.block
    pieces = list(page.block.pieces(3))
    assert [len(each) for each in pieces] == [3, 3, 1]
    maker = RowMaker(results())
    made = [msgspec.to_builtins(each) for piece in pieces for each in maker.rows(piece, STAMP)]
    assert [each["n_offered_count"] for each in made] == list(range(7))
