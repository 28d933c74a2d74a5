"""The fields of a query that take more to read than one value of one kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo

from tap_genesys_aggregates.core.query import View
from tap_genesys_aggregates.core.statistics import STATISTICS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_genesys_aggregates.reading import Reader

WIRE_NAMES = {
    "flatten_multivalued_dimensions": "flattenMultivaluedDimensions",
    "alternate_time_dimension": "alternateTimeDimension",
    "query_type": "queryType",
    "sort_metric": "sortMetric",
    "limit": "limit",
}
"""Fields that are sent as they are, and what the wire calls them."""


def zone(read: Reader) -> ZoneInfo:
    """The time zone."""
    name = str(read.text("time_zone"))
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        wants = f"{name[:80]!r} is no time zone; it wants an IANA name such as Europe/London"
        raise read.refuse("time_zone", wants) from None


def views(read: Reader) -> tuple[View, ...]:
    """The views, as the API has them."""
    found = []
    for each in read.items("views") or ():
        if (
            not isinstance(each, dict)
            or not isinstance(each.get("name"), str)
            or not isinstance(each.get("target"), str)
        ):
            raise read.refuse("views", "a view wants name, target, function and range, as the API has them")
        found.append(View(each["name"], each["target"], each))
    return tuple(found)


def statistics(read: Reader) -> dict[str, tuple[str, ...]]:
    """Which statistics a metric or view brings, where the user knows better."""
    found = {}
    for metric, names in (read.mapping("statistics") or {}).items():
        for name in names if isinstance(names, list) and names else [None]:
            if not isinstance(name, str) or name not in STATISTICS:
                known = ", ".join(STATISTICS)
                raise read.refuse("statistics", f"{metric[:60]} wants a list of some of: {known}")
        found[metric] = tuple(cast("list[str]", names))
    return found


def sent_as_they_are(read: Reader) -> dict[str, object]:
    """What is sent as it is, under the names of the wire."""
    limit = read.number("limit")
    values: Mapping[str, object] = {
        "flatten_multivalued_dimensions": read.flag("flatten_multivalued_dimensions"),
        "alternate_time_dimension": read.text("alternate_time_dimension"),
        "query_type": read.text("query_type"),
        "sort_metric": read.mapping("sort_metric"),
        "limit": None if limit is None else int(limit),
    }
    return {WIRE_NAMES[name]: value for name, value in values.items() if value is not None}
