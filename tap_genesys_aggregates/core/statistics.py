"""The statistics of a metric: which exist, and which each metric comes with.

A metric named ``n…`` comes with a count, a timer ``t…`` with max, min, count and sum in milliseconds,
``oServiceLevel`` with a ratio and its parts, and sentiments also with the numbers of positive and negative
values. The other ``o…`` metrics (observations) are not documented one by one, so they get a column for each
statistic of timers and ratios (docs/api-notes.md, "Results: statistics").
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tap_genesys_aggregates.core.query import column

VALUE = "value"
"""The statistic that every metric of the group-tree API has."""


@dataclass(frozen=True, slots=True)
class Statistic:
    """A number that the API returns for a metric.

    Attributes:
        name: The API's name for it.
        column: The suffix of its column.
        integer: Whether it is always a whole number.
        additive: Whether it may be summed over buckets.
        description: Its meaning, with ``{unit}`` for the metric's unit.
    """

    name: str
    column: str
    integer: bool
    additive: bool
    description: str


STATISTICS: dict[str, Statistic] = {
    statistic.name: statistic
    for statistic in (
        Statistic("count", "count", integer=True, additive=True, description="number of occurrences"),
        Statistic("sum", "sum", integer=False, additive=True, description="sum, {unit}"),
        Statistic("min", "min", integer=False, additive=False, description="smallest, {unit}"),
        Statistic("max", "max", integer=False, additive=False, description="largest, {unit}"),
        Statistic(
            "ratio", "ratio", integer=False, additive=False, description="numerator / denominator, 0 to 1"
        ),
        Statistic(
            "numerator", "numerator", integer=False, additive=True, description="numerator of the ratio"
        ),
        Statistic(
            "denominator", "denominator", integer=False, additive=True, description="denominator of the ratio"
        ),
        Statistic("target", "target", integer=False, additive=False, description="target of the ratio"),
        Statistic(
            "current",
            "current",
            integer=False,
            additive=False,
            description="value at the bucket's end, {unit}",
        ),
        Statistic(
            "countNegative",
            "count_negative",
            integer=True,
            additive=True,
            description="count of negative values",
        ),
        Statistic(
            "countPositive",
            "count_positive",
            integer=True,
            additive=True,
            description="count of positive values",
        ),
        Statistic("p95", "p95", integer=False, additive=False, description="95th percentile, {unit}"),
        Statistic("p99", "p99", integer=False, additive=False, description="99th percentile, {unit}"),
        Statistic(
            "calculatedMetricValue",
            "calculated_metric_value",
            integer=False,
            additive=False,
            description="value of a calculated metric",
        ),
    )
}

_COUNT = ("count",)
_TIMER = ("count", "sum", "min", "max")
_SENTIMENT = (*_TIMER, "countPositive", "countNegative")
_RATIO = ("ratio", "numerator", "denominator", "target")


def statistics_of(metric: str) -> tuple[str, ...]:
    """The statistics that a metric of the results API comes with, by its first letter.

    Args:
        metric: ``nOffered``, ``tHandle``, ``oServiceLevel``, …

    Returns:
        The API's names for them, in the order of their columns.
    """
    if re.match(r"n[A-Z]", metric):
        return _COUNT
    if is_timer(metric):
        return _TIMER
    if metric == "oServiceLevel":
        return _RATIO
    if metric in {"oSentimentScore", "oCustomerSentiment"}:
        return _SENTIMENT
    return (*_TIMER, *_RATIO)


def statistic(name: str) -> Statistic:
    """A statistic by the API's name; one that this version does not know is some number."""
    return STATISTICS.get(name) or Statistic(
        name,
        column(name),
        integer=False,
        additive=False,
        description="number of a kind unknown to this version",
    )


def is_timer(metric: str) -> bool:
    """Whether a metric measures time, in milliseconds."""
    return re.match(r"t[A-Z]", metric) is not None


def unit(metric: str) -> str:
    """The unit of a metric's sum, minimum and maximum, for the description of a column."""
    return "milliseconds" if is_timer(metric) or "Duration" in metric else "in the metric's own unit"
