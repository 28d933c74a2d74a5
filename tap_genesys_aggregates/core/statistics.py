"""The statistics of a metric: which there are, what they count, which a metric brings.

Source: aggregates-api.md. ``n*`` metrics bring a count, ``t*`` metrics (timers) max, min, count and
sum in milliseconds, ``oServiceLevel`` a ratio with its parts; other ``o*`` metrics (observations)
are not documented one by one, so they have a column for each of these statistics.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

VALUE = "value"
"""The one statistic of the group-tree contract."""


@dataclass(frozen=True, slots=True)
class Statistic:
    """A number that the API gives of a metric.

    Attributes:
        name: As the API spells it.
        column: As a column's ending.
        integer: Whether it counts (else it is any number).
        additive: Whether buckets may be summed.
        description: What it is, ``{unit}`` being the metric's.
    """

    name: str
    column: str
    integer: bool
    additive: bool
    description: str


STATISTICS: dict[str, Statistic] = {
    statistic.name: statistic
    for statistic in (
        Statistic("count", "count", integer=True, additive=True, description="how often it happened"),
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
        Statistic("p95", "p95", integer=True, additive=False, description="95th percentile, {unit}"),
        Statistic("p99", "p99", integer=True, additive=False, description="99th percentile, {unit}"),
        Statistic(
            "calculatedMetricValue",
            "calculated_metric_value",
            integer=True,
            additive=False,
            description="value of a calculated metric",
        ),
    )
}

_COUNTED = ("count",)
_TIMED = ("count", "sum", "min", "max")
_RATIO = ("ratio", "numerator", "denominator", "target")


def of(metric: str) -> tuple[str, ...]:
    """The statistics that a metric of the results contract brings, by its first letter.

    Args:
        metric: ``nOffered``, ``tHandle``, ``oServiceLevel``, …

    Returns:
        Their names in the API's spelling, in the order of their columns.
    """
    if re.match(r"n[A-Z]", metric):
        return _COUNTED
    if is_timer(metric):
        return _TIMED
    if metric == "oServiceLevel":
        return _RATIO
    return (*_TIMED, *_RATIO)


def is_timer(metric: str) -> bool:
    """Whether a metric measures time, in milliseconds."""
    return re.match(r"t[A-Z]", metric) is not None


def unit(metric: str) -> str:
    """The unit of a metric's sum, minimum and maximum, for a column's description."""
    return "milliseconds" if is_timer(metric) or "Duration" in metric else "in the metric's own unit"
