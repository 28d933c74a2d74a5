"""The fingerprint of a month: it differs exactly if a key or a number does."""

from __future__ import annotations

from typing import Any

import pytest

from tap_genesys_aggregates.core.rechecks import fingerprint
from tap_genesys_aggregates.core.rows import Leaf
from tests.core.making import query

START, END = "2024-01-01T00:00:00.000Z", "2024-02-01T00:00:00.000Z"


def leaf(queue: str, **cells: Any) -> Leaf:
    """The values of a queue in January."""
    return Leaf(START, END, (queue,), cells)


SALES = leaf("sales", tHandle={"count": 2, "sum": 60_000.0}, nOffered={"count": 3})
SUPPORT = leaf("support", tHandle={"count": 1, "sum": 0.1 + 0.2})
KNOWN = fingerprint(query(), [SALES, SUPPORT])


@pytest.mark.parametrize(
    "leaves",
    [
        pytest.param([SUPPORT, SALES], id="another order of groups"),
        pytest.param(
            [leaf("sales", nOffered={"count": 3}, tHandle={"sum": 60_000.0, "count": 2}), SUPPORT],
            id="another order of metrics and statistics",
        ),
        pytest.param(
            [leaf("sales", nOffered={"count": 3.0}, tHandle={"count": 2.0, "sum": 60_000}), SUPPORT],
            id="whole numbers written otherwise",
        ),
        pytest.param([SALES, leaf("support", tHandle={"count": 1, "sum": 0.3})], id="noise of a fraction"),
        pytest.param(
            [leaf("sales", tHandle={"count": 2, "sum": 59_999.99999999999}, nOffered={"count": 3}), SUPPORT],
            id="noise of a whole number",
        ),
        pytest.param(
            [leaf("sales", tHandle={"count": 2, "sum": 6e4, "max": None}, nOffered={"count": 3}), SUPPORT],
            id="a statistic without a value",
        ),
    ],
)
def test_the_same_numbers_have_the_same_fingerprint(leaves: list[Leaf]) -> None:
    assert fingerprint(query(), leaves) == KNOWN


@pytest.mark.parametrize(
    "leaves",
    [
        pytest.param([SALES], id="a group less"),
        pytest.param([SALES, SUPPORT, leaf("empty")], id="an empty group more"),
        pytest.param([SALES, leaf("Support", **SUPPORT.cells)], id="another key"),
        pytest.param([SALES, leaf("support", tHandle={"count": 1, "sum": 0.3000001})], id="another fraction"),
        pytest.param([SALES, leaf("support", tHandle={"count": 1})], id="a statistic less"),
        pytest.param([SALES, leaf("support", tAcw=SUPPORT.cells["tHandle"])], id="another metric"),
        pytest.param(
            [leaf("sales", tHandle={"count": 2, "sum": 60_000.001}, nOffered={"count": 3}), SUPPORT],
            id="a number that is nearly whole",
        ),
        pytest.param(
            [leaf("sales", **SUPPORT.cells), leaf("support", **SALES.cells)],
            id="the numbers of two groups swapped",
        ),
    ],
)
def test_any_other_key_or_number_has_another_fingerprint(leaves: list[Leaf]) -> None:
    assert fingerprint(query(), leaves) != KNOWN


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_number_that_is_none_has_a_fingerprint(value: float) -> None:
    odd = fingerprint(query(), [leaf("sales", tHandle={"sum": value})])
    assert odd == fingerprint(query(), [leaf("sales", tHandle={"sum": value})]) != KNOWN
