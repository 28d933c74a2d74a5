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
