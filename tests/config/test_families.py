"""The families of aggregates, and checks of a query against its family."""

from __future__ import annotations

import pytest

from tap_genesys_aggregates.config.families import conflict, families, settling_days, unknown_names
from tap_genesys_aggregates.config.reader import suggestion
from tap_genesys_aggregates.core.query import View
from tests.core.making import query


def test_there_are_nineteen_families() -> None:
    """Each has a path, permissions, dimensions and metrics; all but one have jobs, six can rank."""
    known = families()
    assert len(known) == 19
    assert all(
        each.path.startswith("/api/v2/analytics/") and each.path.endswith("/aggregates/query")
        for each in known.values()
    )
    assert all(each.permissions_any and each.group_by and each.metrics for each in known.values())
    assert sum(each.async_jobs is not None for each in known.values()) == 18
    assert sum(each.top_n for each in known.values()) == 6


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"metrics": ("nOfered",)},
        "metrics: 'nOfered' is not a known metric of conversations; did you mean 'nOffered'?"),
        ({"group_by": ("queueid",)},
        "group_by: 'queueid' is not a known dimension of conversations; did you mean 'queueId'?"),
        ({"views": (View("v", "tHandel", {}),)},
        "views: 'tHandel' is not a known metric of conversations; did you mean 'tHandle'?"),
        ({"filter": {"clauses": [{"predicates": [{"dimension": "qqqqqq"}]}]}},
        "filter: 'qqqqqq' is not a known dimension of conversations"),
    ],
)  # fmt: skip
def test_an_unknown_name_causes_a_warning_only(changes: dict[str, object], line: str) -> None:
    """The API gets new names with every release."""
    misspelled = query(endpoint="conversations", **changes)
    assert list(unknown_names(misspelled)) == [f"query 'calls': {line}"]
    assert conflict(misspelled) is None


@pytest.mark.parametrize("endpoint", [None, "conversations"])
def test_known_names_and_names_of_an_unknown_family_cause_no_warning(endpoint: str | None) -> None:
    names = ("nOffered", "tHandle") if endpoint else ("whatever",)
    mine = query(endpoint=endpoint, metrics=names, filter={"predicates": [{"dimension": "mediaType"}]})
    assert list(unknown_names(mine)) == []


@pytest.mark.parametrize(
    ("changes", "field", "problem"),
    [
        ({"endpoint": "actions", "extra": {"limit": 5}}, "limit", "does not rank"),
        ({"endpoint": "agentcopilots", "extra": {"queryType": "best"}}, "query_type",
        "groupBy, topN, bottomN"),
        ({"endpoint": "agentcopilots", "extra": {"limit": 5}}, "limit", "topN or bottomN"),
        ({"endpoint": "conversations", "extra": {"alternateTimeDimension": "eventtime"}},
        "alternate_time_dimension", "'eventTime'"),
        ({"endpoint": "users", "group_by": ("queueId",)}, "group_by", "only be grouped by userId"),
        ({"endpoint": "users", "group_by": ()}, "group_by", "only be grouped by userId"),
        ({"endpoint": "conversations", "views": (View("v", "nOffered", {}),)}, "views", "timer"),
        ({"endpoint": "conversations", "views": (View("tHandle", "tHandle", {}),)}, "views",
        "name of a metric"),
        ({"endpoint": "conversations", "views": tuple(View(f"v{n}", "tHandle", {}) for n in range(11))},
        "views", "10"),
        ({"endpoint": "conversations", "mode": "async"}, "mode", "no asynchronous jobs"),
    ],
)  # fmt: skip
def test_a_query_that_the_api_cannot_answer_has_a_conflict(
    changes: dict[str, object], field: str, problem: str
) -> None:
    found = conflict(query(**changes))
    assert found is not None
    assert found[0] == field
    assert problem in found[1]


@pytest.mark.parametrize(
    "changes",
    [
        {"endpoint": "agentcopilots", "extra": {"queryType": "topN", "limit": 5, "sortMetric": {}}},
        {"endpoint": "agentcopilots", "extra": {"queryType": "groupBy"}},
        {"endpoint": "users", "group_by": ("userId",)},
        {"endpoint": "conversations", "views": tuple(View(f"v{n}", "tHandle", {}) for n in range(10))},
        {"endpoint": "conversations", "extra": {"alternateTimeDimension": "eventTime"}},
        {"endpoint": "conversations", "mode": "async", "jobs_path": "/jobs"},
        {"endpoint": None, "extra": {"queryType": "topN", "limit": 5}, "group_by": ("anyId",)},
    ],
)
def test_a_query_that_the_api_can_answer_has_no_conflict(changes: dict[str, object]) -> None:
    assert conflict(query(**changes)) is None


@pytest.mark.parametrize(
    ("endpoint", "time", "days"),
    [("conversations", None, 0), ("resolutions", None, 10), (None, None, 0), ("evaluations", "eventTime", 0)],
)
def test_resolutions_take_longer_to_settle(endpoint: str | None, time: str | None, days: float) -> None:
    assert settling_days(endpoint, time) == days


def test_aggregates_by_another_time_take_a_month_to_settle() -> None:
    """An evaluation made today counts on the day of its conversation."""
    assert settling_days("evaluations", "conversationStart") >= 30


@pytest.mark.parametrize(
    ("name", "hint"),
    [("metric", "; did you mean 'metrics'?"), ("METRICS", "; did you mean 'metrics'?"), ("zzz", "")],
)
def test_the_closest_name_is_suggested_whatever_its_case(name: str, hint: str) -> None:
    assert suggestion(name, ("metrics", "group_by", "filter")) == hint
