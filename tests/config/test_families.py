"""The families of aggregates, and checks of a query against its family."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_genesys_aggregates.config.families import (
    conflict,
    families,
    settling_days,
    unknown_names,
    warnings,
)
from tap_genesys_aggregates.config.queries import presets
from tap_genesys_aggregates.config.reader import suggestion
from tap_genesys_aggregates.config.settings import Settings
from tap_genesys_aggregates.core.errors import SettingError
from tap_genesys_aggregates.core.query import View
from tests.core.making import query

if TYPE_CHECKING:
    from tap_genesys_aggregates.core.query import Query


def test_there_are_twenty_families() -> None:
    """Each has permissions, dimensions and metrics; all but one a path, all but one jobs, six can rank."""
    known = families()
    assert len(known) == 20
    assert [name for name, each in known.items() if each.path is None] == ["socialmedia"]
    paths = [each.path for each in known.values() if each.path]
    assert all(each.startswith("/api/v2/analytics/") and each.endswith("/aggregates/query") for each in paths)
    assert all(each.permissions_any and each.group_by and each.metrics for each in known.values())
    assert [name for name, each in known.items() if each.async_jobs is None] == ["ratelimits"]
    assert sum(each.top_n for each in known.values()) == 6
    assert [name for name, each in known.items() if each.preview] == ["agentutilizations"]


def settings_query(**fields: object) -> Query:
    """The query that a config with one entry makes."""
    base = {"client_id": "-", "client_secret": "-", "start_date": "2025-01-01", "api": "results"}
    (found,) = Settings.read({**base, "queries": [{"name": "asked", **fields}]}).queries
    return found


def test_a_family_with_jobs_only_needs_no_mode() -> None:
    """Smallest reproducer: ``endpoint: socialmedia``, which was not a known family."""
    fields = {"endpoint": "socialmedia", "group_by": ["platform"], "metrics": ["nSocialPosts"]}
    found = settings_query(**fields)
    assert (found.mode, found.jobs_path) == ("async", "/api/v2/socialmedia/analytics/aggregates/jobs")
    assert settings_query(**fields, mode="async") == found
    with pytest.raises(SettingError, match="mode must be async: socialmedia has asynchronous jobs only"):
        settings_query(**fields, mode="sync")


@pytest.mark.parametrize("group_by", [["userId", "mediaType"], ["mediaType", "userId"]])
def test_users_may_have_a_media_type_that_is_not_asked_for(group_by: list[str]) -> None:
    """Smallest reproducer: ``group_by: [userId, mediaType]`` for users, refused by the settings."""
    found = settings_query(endpoint="users", group_by=group_by, metrics=["tSystemPresence"])
    assert (found.group_by, found.dimensions) == (("userId",), ("userId", "mediaType"))


def test_users_may_have_any_dimension_that_is_not_asked_for() -> None:
    """Smallest reproducer: ``group_by: [userId, divisionId]``; groups with ``divisionId`` had no fix."""
    names = ["userId", "mediaType", "divisionId"]
    found = settings_query(endpoint="users", group_by=names, metrics=["tSystemPresence"])
    assert (found.group_by, found.dimensions) == (("userId",), ("userId", "mediaType", "divisionId"))
    (line,) = [line for line in warnings(found) if "is not sent" in line]
    assert line.startswith("query 'asked': group_by: 'divisionId' has a column but is not sent, because ")


def test_a_statistic_may_have_any_name_in_either_api() -> None:
    """A name without a letter or digit makes no column, and is refused."""
    found = settings_query(metrics=["tHandle"], statistics={"tHandle": ["count", "p50Estimate"]})
    assert found.statistics == {"tHandle": ("count", "p50Estimate")}
    tree = {"client_id": "-", "client_secret": "-", "start_date": "2025-01-01", "api": "group_tree"}
    entry = {"preset": "conversation_aggregates", "statistics": {"conversationCount": ["value", "max"]}}
    (from_tree,) = Settings.read({**tree, "base_url": "https://x.example", "queries": [entry]}).queries
    assert from_tree.statistics == {"conversationCount": ("value", "max")}
    for names in ([], "%", ["%"], [5]):
        with pytest.raises(SettingError, match="must have a list of names for tHandle"):
            settings_query(metrics=["tHandle"], statistics={"tHandle": names})


@pytest.mark.parametrize(("granularity", "warned"), [("PT15M", True), ("PT30M", False), ("P1D", False)])
@pytest.mark.parametrize("endpoint", ["users", "conversations"])
def test_a_short_granularity_of_users_causes_a_warning(
    endpoint: str, granularity: str, *, warned: bool
) -> None:
    metrics = {"users": ["tSystemPresence"], "conversations": ["tHandle"]}[endpoint]
    found = settings_query(endpoint=endpoint, group_by=["userId"], metrics=metrics, granularity=granularity)
    lines = list(warnings(found))
    assert lines == ([SHORT_USERS] if warned and endpoint == "users" else [])


SHORT_USERS = (
    "query 'asked': granularity: PT15M may be refused, because the users family is said to accept none "
    "below PT30M"
)


@pytest.mark.parametrize("name", ["queue_performance", "agent_performance"])
def test_performance_presets_have_the_metrics_that_handle_time_is_made_of(name: str) -> None:
    """Handle time is talk, hold, after-call work, contacting and dialing."""
    assert {"tHandle", "tTalkComplete", "tHeldComplete", "tAcw", "tContacting", "tDialing"} <= {
        *presets()[name]["metrics"]
    }


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
        ({"endpoint": "socialmedia", "mode": "sync"}, "mode", "must be async"),
        ({"endpoint": "socialmedia", "mode": "async", "jobs_path": "/j",
          "extra": {"alternateTimeDimension": "eventTime"}}, "alternate_time_dimension", "no other time"),
        ({"endpoint": "socialmedia", "mode": "async", "jobs_path": "/j",
          "views": (View("v", "tHandle", {}),)}, "views", "has no views"),
        ({"endpoint": "conversations", "metrics": ("tWait", "tHandle"),
          "extra": {"queryType": "topN", "sortMetric": {"name": "tWait", "function": "max"}}},
         "sort_metric", "does not sort; use a metric of this query that can: tHandle"),
        ({"endpoint": "conversations", "metrics": ("oServiceLevel",),
          "extra": {"queryType": "topN", "sortMetric": {"name": "oServiceLevel"}}},
         "sort_metric", "use a metric that can, and add it"),
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
