"""Statuses, views and the two shapes: what is a row, and what is a column."""

from __future__ import annotations

import pytest

from tap_genesys_aggregates.core.errors import UnforeseenError
from tap_genesys_aggregates.core.query import View
from tests.dialects.answers import answer, bucket, metric
from tests.dialects.making import body, hour, results, rows


def test_a_qualifier_is_part_of_the_key() -> None:
    """Presence comes once per status: wide has a row a status, and none overwrites another."""
    asked = results(group_by=("userId",), metrics=("tSystemPresence", "nOffered"), qualified=True)
    statuses = [
        metric("tSystemPresence", name, count=number) for number, name in enumerate(("AWAY", "BUSY"), 1)
    ]
    found = rows(asked, answer(bucket(0, *statuses, metric("nOffered", count=9)), group={"userId": "u1"}))
    assert [(each["qualifier"], each["t_system_presence_count"],
    each["n_offered_count"]) for each in found] == [
        ("AWAY", 1, None), ("BUSY", 2, None), ("", None, 9),
    ]  # fmt: skip
    assert list(found[0])[:4] == ["interval_start", "user_id", "qualifier", "interval_end"]


@pytest.mark.parametrize("spelling", ['"qualifier"', '"qualifie\\u0072"'])
def test_a_qualifier_without_a_column_is_refused(spelling: str) -> None:
    """Where the table has no room for a status the run stops; the advice is ``shape: long``."""
    text = body(answer(bucket(0, metric("tHandle", "AWAY", count=1)))).replace(
        b'"qualifier"', spelling.encode()
    )
    with pytest.raises(UnforeseenError, match=r"tHandle has the qualifier 'AWAY'.*Set shape: long"):
        rows(results(), text)


@pytest.mark.parametrize("qualified", [False, True])
@pytest.mark.parametrize("marked", ["", "\\"])
def test_a_metric_that_comes_twice_is_refused(marked: str, *, qualified: bool) -> None:
    """The second would overwrite the first, with or without a status; so would a view's twin."""
    asked = results(qualified=qualified, views=(View("short", "tHandle", {}),))
    group = {"queueId": f"q{marked}"}
    twice = bucket(0, metric("tHandle", count=1), metric("tHandle", count=2))
    views = bucket(
        0, views=[{"name": "short", "stats": {"count": 1}}, {"name": "short", "stats": {"count": 2}}]
    )
    for each in (twice, views):
        with pytest.raises(UnforeseenError, match="appears twice"):
            rows(asked, answer(each, group=group))


def test_views_stand_beside_their_timers() -> None:
    """A view has its own columns in wide, and its own row in long."""
    view = View("short", "tHandle", {})
    part = bucket(0, metric("tHandle", count=5), views=[{"name": "short", "stats": {"count": 2, "sum": 9}}])
    wide = rows(results(views=(view,)), answer(part))
    assert [(each["t_handle_count"], each["short_count"], each["short_sum"]) for each in wide] == [(5, 2, 9)]
    long = rows(results(views=(view,), shape="long"), answer(part))
    assert [(each["metric"], each["count"], each["sum"]) for each in long] == [
        ("tHandle", 5, None),
        ("short", 2, 9),
    ]


def test_long_has_a_row_for_each_metric_and_qualifier() -> None:
    """Key, metric and qualifier, then the fourteen statistics; what is missing is null."""
    asked = results(shape="long", metrics=("tSystemPresence", "nOffered"))
    statuses = [metric("tSystemPresence", name, count=1, sum=60000.5) for name in ("AWAY", "BUSY")]
    found = rows(asked, answer(bucket(0, *statuses, metric("nOffered", count=3, p95=7, current=None))))
    nulls = dict.fromkeys(
        (
            "count", "sum", "min", "max", "ratio", "numerator", "denominator", "target", "current",
            "count_negative", "count_positive", "p95", "p99", "calculated_metric_value",
        )
    )  # fmt: skip
    begin = {"interval_start": hour(0), "queue_id": "q1", "interval_end": hour(1), **nulls}
    assert found == [
        {**begin, "metric": "tSystemPresence", "qualifier": "AWAY", "count": 1, "sum": 60000.5},
        {**begin, "metric": "tSystemPresence", "qualifier": "BUSY", "count": 1, "sum": 60000.5},
        {**begin, "metric": "nOffered", "qualifier": "", "count": 3, "p95": 7},
    ]
