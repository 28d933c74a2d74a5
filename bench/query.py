"""The query sent to the replay server. Only the standard library is imported, because peers use it too."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal, get_args

Api = Literal["results", "group_tree"]
APIS: tuple[Api, ...] = get_args(Api)

FIRST_DAY = date(2020, 1, 1)
METRICS: dict[Api, tuple[str, ...]] = {
    "results": ("nOffered", "nConnected", "tHandle", "tAcw"),
    "group_tree": (
        "conversationCount",
        "handleDurationSum",
        "wrapupDurationSum",
        "talkDurationSum",
        "holdDurationSum",
        "waitDurationSum",
    ),
}
GROUP_BY: dict[Api, tuple[str, ...]] = {
    "results": ("queueId", "mediaType"),
    "group_tree": ("interval", "routing.queue.id"),
}
PATHS: dict[Api, str] = {
    "results": "/api/v2/analytics/conversations/aggregates/query",
    "group_tree": "/api/v2/analytics/conversations/aggregate/query",
}


def request_body(api: Api, start: str, end: str) -> dict[str, Any]:
    """Return the body of a request.

    Args:
        api: The API to query.
        start: First day, ``YYYY-MM-DD``.
        end: The day after the last one.
    """
    first, last = f"{start}T00:00:00.000Z", f"{end}T00:00:00.000Z"
    metrics, group_by = list(METRICS[api]), list(GROUP_BY[api])
    if api == "results":
        return {
            "interval": f"{first}/{last}",
            "granularity": "PT30M",
            "groupBy": group_by,
            "metrics": metrics,
        }
    dates = {"dateFrom": first, "dateTo": last}
    return {**dates, "interval": "PT30M", "groupBy": group_by, "metrics": metrics, "pageSize": 10_000}
