"""Which columns may be added up, and what is said about the others."""

from __future__ import annotations

from typing import Any

import pytest

from tap_genesys_aggregates.config.queries import presets
from tap_genesys_aggregates.core.query import View
from tap_genesys_aggregates.warehouse.additivity import MULTI_VALUED_DIMENSIONS, additive, left_out
from tests.core.making import query

TREE = query(api="group_tree", metrics=("conversationCount",), group_by=("interval", "routing.queue.id"))


def test_only_additive_statistics_are_summed() -> None:
    """No minimum, maximum or ratio."""
    assert additive(query(metrics=("nOffered", "tHandle", "oServiceLevel"))) == (
        "n_offered_count",
        "t_handle_count",
        "t_handle_sum",
        "o_service_level_numerator",
        "o_service_level_denominator",
    )
    assert additive(TREE) == ("conversation_count",)


def test_views_of_a_query_are_summed_too() -> None:
    asked = query(metrics=("tHandle",), views=(View("short", "tHandle", {}),))
    assert {"short_count", "short_sum"} < set(additive(asked))


@pytest.mark.parametrize(
    "metric", ["nDistinctConversations", "nDistinctKnowledgeSessions", "nCopilotUsers", "oSocialAuthors"]
)
def test_a_distinct_count_is_not_summed(metric: str) -> None:
    """Who appears in two buckets counts twice in their sum.

    Reproducer: ``nCopilotUsers`` by hour, one user in two hours of a day. The API says 1 for the day, the
    warehouse adds up to 2, and ``reconcile`` reported a difference.
    """
    asked = query(metrics=("nOffered", metric))
    assert additive(asked) == ("n_offered_count",)
    assert "distinct counts do not add up" in left_out(asked)


@pytest.mark.parametrize(
    ("changes", "is_summed"),
    [
        ({"group_by": ("divisionId",)}, False),
        ({"group_by": ("queueId", "requestedRoutingSkillId")}, False),
        ({"group_by": ("divisionId",), "extra": {"flattenMultivaluedDimensions": True}}, True),
        ({"group_by": ("divisionId",), "endpoint": "surveys"}, False),
        ({"group_by": ("knowledgeBaseId",), "endpoint": "knowledge"}, True),
        ({"group_by": ("queueId", "userId")}, True),
        ({"shape": "long"}, False),
    ],
)
def test_groups_that_share_conversations_are_not_summed(changes: dict[str, Any], *, is_summed: bool) -> None:
    """A conversation of two divisions is in two groups, and would count twice.

    Reproducer: group by ``divisionId``; the view by day added up both groups.
    """
    asked = query(**changes)
    assert bool(additive(asked)) == is_summed
    assert ("every column" in left_out(asked)) == (not is_summed)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # from the client's generated code
def test_dimensions_that_the_sdk_models_as_lists_are_multi_valued() -> None:
    import PureCloudPlatformClientV2.models as sdk  # type: ignore[import-untyped]  # noqa: PLC0415  # slow to import

    lists = {
        sdk.AnalyticsConversation: {"division_ids": "divisionId", "knowledge_base_ids": "knowledgeBaseId"},
        sdk.AnalyticsSession: {
            "active_skill_ids": "activeSkillId",
            "agent_groups": "groupId",
            "destination_addresses": "destinationAddress",
            "eligible_agent_counts": "eligibleAgentCount",
            "proposed_agents": "proposedAgentId",
            "removed_skill_ids": "removedSkillId",
            "requested_routings": "requestedRouting",
            "waiting_interaction_counts": "waitingInteractionCount",
        },
        sdk.AnalyticsConversationSegment: {
            "requested_routing_skill_ids": "requestedRoutingSkillId",
            "scored_agents": "scoredAgentId",
        },
    }
    for model, fields in lists.items():
        assert all(model().swagger_types[field].startswith("list[") for field in fields)
    parts_of_an_entry = {"agentRank", "agentScore"}
    named = {name for fields in lists.values() for name in fields.values()}
    assert named | parts_of_an_entry == MULTI_VALUED_DIMENSIONS


def test_no_preset_is_grouped_by_a_multi_valued_dimension() -> None:
    """Every preset has a view by day."""
    for name, preset in presets().items():
        if preset["api"] == "results" and preset.get("shape") != "long":
            asked = query(group_by=tuple(preset["group_by"]), endpoint=preset["endpoint"])
            assert additive(asked), name
