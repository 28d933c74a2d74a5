"""Where the buckets of a tree end, and how deep it may be."""

from __future__ import annotations

import json
import tracemalloc
from zoneinfo import ZoneInfo

import pytest

from tap_genesys_aggregates.core.errors import UnforeseenError, UnreadableError
from tap_genesys_aggregates.core.periods import Period
from tap_genesys_aggregates.core.query import INTERVAL
from tests.dialects.making import TREE, hour, rows, tree, window

YEAR = window("2018-01-01T00:00:00", "2024-01-01T00:00:00")


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
        ("P1D", "UTC", "2023-11-01T12:00:00.000Z", "2023-11-02T12:00:00.000Z"),  # the server's own grid
    ],
)
def test_a_bucket_ends_one_granularity_later(granularity: str, zone: str, start: str, end: str) -> None:
    """Rule 5: the end is the start plus the granularity in the query's zone, where the next begins."""
    asked = tree(INTERVAL, "routing.queue.id", granularity=Period.parse(granularity), zone=ZoneInfo(zone))
    (found,) = rows(asked, {"entities": [{"id": "q1", "groups": [{"id": start}]}]}, of=YEAR)
    assert (found["interval_start"], found["interval_end"]) == (start, end)


def nested(ids: list[str | None]) -> str:
    """A tree with one leaf, written without recursion."""
    head = "".join(f'{{"id": {json.dumps(each)}, "groups": [' for each in ids[:-1])
    leaf = f'{{"id": {json.dumps(ids[-1])}, "metrics": {{"conversationCount": {{"value": 1}}}}}}'
    return f'{{"entities": [{head}{leaf}{"]}" * (len(ids) - 1)}], "links": {{"next": null}}}}'


@pytest.mark.parametrize("depth", [1, 2, 3, 500])
def test_a_tree_is_as_deep_as_group_by(depth: int) -> None:
    """Rule 2: the depth is whatever ``groupBy`` asks for; Python's stack does not bound it."""
    names = [f"d{number}" for number in range(depth - 1)]
    asked = tree(INTERVAL, *names)
    (found,) = rows(asked, nested([*(f"v{number}" for number in range(depth - 1)), hour(7)]).encode())
    assert found["interval_start"] == hour(7)
    assert [found[name] for name in names] == [f"v{number}" for number in range(depth - 1)]
    assert found["conversation_count"] == 1


def test_many_deep_trees_are_read_alike() -> None:
    """What is too deep for the decoder is read another way, with the same rows in the same order."""
    names = [f"d{number}" for number in range(600)]
    asked = tree(INTERVAL, *names)
    one, other = ([f"{queue}{number}" for number in range(600)] for queue in "ab")
    text = nested([*one, hour(1)]).replace('], "links"', f', {nested([*other, hour(2)])[14:-27]}], "links"')
    first, second = rows(asked, text.encode())
    assert (first["d0"], first["d599"], first["interval_start"]) == ("a0", "a599", hour(1))
    assert (second["d0"], second["d599"], second["interval_start"]) == ("b0", "b599", hour(2))


def test_a_level_that_group_by_does_not_name_is_refused() -> None:
    """One level too many has no column: the message says so and what to do."""
    with pytest.raises(UnforeseenError) as refused:
        rows(TREE, nested(["q1", hour(0), "voice"]).encode())
    assert "query 'tree': the tree has a level 3" in str(refused.value)
    assert "Add its dimension to group_by of this query" in str(refused.value)


def test_two_levels_without_an_interval_are_refused() -> None:
    """Two names for one dimension cannot both be right."""
    with pytest.raises(UnforeseenError, match="level 2"):
        rows(TREE, nested(["q1", "q2"]).encode())


@pytest.mark.slow
def test_a_hostile_depth_ends_in_a_clear_error() -> None:
    """A hundred thousand levels do not crash the process: the run stops with one short line."""
    depth = 100_000
    text = '{"entities":[' + '{"groups":[' * depth + "]}" * depth + "]}"
    with pytest.raises(UnforeseenError, match="the tree has a level 3 that group_by does not name"):
        rows(TREE, text.encode())


def test_a_hostile_depth_takes_memory_in_proportion() -> None:
    """Of a deep tree no more is kept than some times its text: paths are not copied at each level."""
    text = nested(["x"] * 1_500)
    tracemalloc.start()
    try:
        with pytest.raises(UnforeseenError):
            rows(TREE, text.encode())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 60 * len(text)


def test_depth_that_nobody_reads_is_no_obstacle() -> None:
    """A field that the contract does not name may be as deep as it likes."""
    text = '{"entities": null, "debug": ' + "[" * 10_000 + "]" * 10_000 + "}"
    assert rows(TREE, text.encode()) == []


@pytest.mark.parametrize("opening", ["[", '{"groups":[', '{"entities":['])
def test_depth_without_an_end_is_unreadable(opening: str) -> None:
    """A tree that is cut in its depths is no answer."""
    with pytest.raises(UnreadableError):
        rows(TREE, (opening * 5_000).encode())
