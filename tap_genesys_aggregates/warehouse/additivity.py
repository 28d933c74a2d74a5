"""Which columns of a query may be added up over buckets and groups, and why the others may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_genesys_aggregates.core import schema
from tap_genesys_aggregates.core.statistics import STATISTICS, VALUE

if TYPE_CHECKING:
    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.schema import Column

DISTINCT_METRICS = frozenset({"nCopilotUsers", "oSocialAuthors"})
"""Metrics that count distinct users or authors, beside those with ``Distinct`` in their name: whoever
appears in two buckets counts once in the total (docs/api-notes.md, "Results: statistics")."""

MULTI_VALUED_DIMENSIONS = frozenset(
    {
        "activeSkillId",
        "agentRank",
        "agentScore",
        "destinationAddress",
        "divisionId",
        "eligibleAgentCount",
        "groupId",
        "knowledgeBaseId",
        "proposedAgentId",
        "removedSkillId",
        "requestedRouting",
        "requestedRoutingSkillId",
        "scoredAgentId",
        "waitingInteractionCount",
    }
)
"""Dimensions of which a conversation can have several values, so that it counts in several groups. In the
SDK's models of a conversation they are lists (docs/api-notes.md, "Results: groups and dimensions")."""

_FAMILIES_OF_CONVERSATIONS = frozenset(
    {None, "conversations", "evaluations", "flows", "resolutions", "surveys", "transcripts"}
)
"""The families that these dimensions are multi-valued in. A task or a knowledge search has one of each."""


def additive(query: Query) -> tuple[str, ...]:
    """The columns of a query that may be summed over its buckets and groups.

    Args:
        query: The query.

    Returns:
        Names of columns, in order.
    """
    if query.shape == "long" or multi_valued(query):
        return ()
    return tuple(each.name for each in schema.columns(query) if each.wire and _sums_up(each))


def left_out(query: Query) -> str:
    """What ``additive`` leaves out and why, on one line; empty if it leaves nothing out."""
    if query.shape == "long":
        return "every column, because a column of a long table holds the numbers of different metrics"
    several = multi_valued(query)
    if several:
        return (
            f"every column, because a conversation can be in several groups of {', '.join(several)} "
            "(with flatten_multivalued_dimensions: true it is in one)"
        )
    names = [each.name for each in schema.columns(query) if each.wire and not _sums_up(each)]
    return f"{', '.join(names)} (ratios, extremes and distinct counts do not add up)" if names else ""


def multi_valued(query: Query) -> list[str]:
    """The multi-valued dimensions that a query is grouped by, unless each combination is one group."""
    is_flat = bool(query.extra.get("flattenMultivaluedDimensions"))
    if is_flat or query.endpoint not in _FAMILIES_OF_CONVERSATIONS:
        return []
    return [name for name in query.dimensions if name in MULTI_VALUED_DIMENSIONS]


def _sums_up(column: Column) -> bool:
    name, statistic = column.wire or ("", "")
    if "distinct" in name.lower() or name in DISTINCT_METRICS:
        return False
    return STATISTICS[statistic].additive if statistic in STATISTICS else statistic == VALUE
