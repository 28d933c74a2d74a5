"""The families of aggregates: what each knows (contract: aggregates.json, from the official SDKs).

To refresh the list, replace ``data/aggregates.json``: docs and checks follow from it.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import msgspec


class Family(msgspec.Struct, frozen=True):
    """One family: ``POST path`` answers for these dimensions and metrics."""

    path: str
    preview: bool
    permissions_any: tuple[str, ...]
    async_jobs: str | None
    top_n: bool
    alternate_time_dimensions: tuple[str, ...]
    group_by: tuple[str, ...]
    filter_dimensions: tuple[str, ...]
    metrics: tuple[str, ...]


@cache
def families() -> dict[str, Family]:
    """Every family by the name that a query's ``endpoint`` has."""
    data = resources.files("tap_genesys_aggregates").joinpath("data/aggregates.json").read_bytes()
    return msgspec.json.decode(data, type=dict[str, Family])


QUALIFIED = frozenset({"tAgentRoutingStatus", "tOrganizationPresence", "tSystemPresence"})
"""Metrics that come once per status, told apart by ``qualifier`` (aggregates-api.md)."""

GROUP_TREE_PATH = "/api/v2/analytics/conversations/aggregate/query"
"""The one query of the group-tree contract; note the singular."""

_SETTLES = {"resolutions": 10.0}
_REOPENED = 30.0


def settles_after(endpoint: str | None, alternate_time_dimension: str | None) -> float:
    """Days after which history of a family should not change any more.

    The nightly rewrite makes it four at least, and seven to be safe; resolutions settle after seven
    days plus a delay (aggregates-api.md). By another time than the event's, old buckets are opened
    again: an evaluation of today counts on the day of its conversation.

    Args:
        endpoint: The family, if any.
        alternate_time_dimension: By which time it is asked, if not the usual.

    Returns:
        Days; 0 where nothing more than the default is known.
    """
    if alternate_time_dimension not in {None, "eventTime"}:
        return _REOPENED
    return _SETTLES.get(endpoint or "", 0.0)
