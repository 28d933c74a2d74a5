from __future__ import annotations

import pytest

from tap_genesys_aggregates.config import checks
from tap_genesys_aggregates.config.families import families, settles_after
from tap_genesys_aggregates.core.query import View
from tests.core.making import query


def test_the_families_are_the_nineteen_of_the_contract() -> None:
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
        ({"metrics": ("nOfered",)}, "metrics: 'nOfered'; did you mean 'nOffered'?"),
        ({"group_by": ("queueid",)}, "group_by: 'queueid'; did you mean 'queueId'?"),
        ({"views": (View("v", "tHandel", {}),)}, "views: 'tHandel'; did you mean 'tHandle'?"),
        ({"filter": {"clauses": [{"predicates": [{"dimension": "qqqqqq"}]}]}},
        "filter: 'qqqqqq'"),
    ],
)  # fmt: skip
def test_an_unknown_name_is_warned_of(changes: dict[str, object], line: str) -> None:
    """Names grow between releases: an unknown one is worth a line with the nearest known one, no more."""
    asked = query(endpoint="conversations", **changes)
    field, hint = line.split(": ")
    assert list(checks.unknown_names(asked)) == [
        f"query 'calls': {field}: conversations is not known to have {hint}"
    ]
    assert checks.impossible(asked) is None


@pytest.mark.parametrize("endpoint", [None, "conversations"])
def test_known_names_are_not_warned_of(endpoint: str | None) -> None:
    """Without a family nothing is known, so nothing is unknown."""
    names = ("nOffered", "tHandle") if endpoint else ("whatever",)
    mine = query(endpoint=endpoint, metrics=names, filter={"predicates": [{"dimension": "mediaType"}]})
    assert list(checks.unknown_names(mine)) == []


@pytest.mark.parametrize(
    ("changes", "field", "wants"),
    [
        ({"endpoint": "actions", "extra": {"limit": 5}}, "limit", "does not rank"),
        ({"endpoint": "agentcopilots", "extra": {"queryType": "best"}}, "query_type",
        "groupBy, topN, bottomN"),
        ({"endpoint": "agentcopilots", "extra": {"limit": 5}}, "limit", "topN or bottomN"),
        ({"endpoint": "conversations", "extra": {"alternateTimeDimension": "eventtime"}},
        "alternate_time_dimension", "'eventTime'"),
        ({"endpoint": "users", "group_by": ("queueId",)}, "group_by", "userId only"),
        ({"endpoint": "users", "group_by": ()}, "group_by", "userId only"),
        ({"endpoint": "conversations", "views": (View("v", "nOffered", {}),)}, "views", "timer"),
        ({"endpoint": "conversations", "views": (View("tHandle", "tHandle", {}),)}, "views",
        "name of a metric"),
        ({"endpoint": "conversations", "views": tuple(View(f"v{n}", "tHandle", {}) for n in range(11))},
        "views", "10"),
        ({"endpoint": "conversations", "mode": "async"}, "mode", "no asynchronous jobs"),
    ],
)  # fmt: skip
def test_what_the_api_cannot_answer_is_refused(changes: dict[str, object], field: str, wants: str) -> None:
    """Combinations that can only fail are refused before any request, with the field's name."""
    found = checks.impossible(query(**changes))
    assert found is not None
    assert found[0] == field
    assert wants in found[1]


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
def test_what_the_api_can_answer_is_let_through(changes: dict[str, object]) -> None:
    """The same fields where they fit."""
    assert checks.impossible(query(**changes)) is None


@pytest.mark.parametrize(
    ("endpoint", "time", "days"),
    [("conversations", None, 0), ("resolutions", None, 10), (None, None, 0), ("evaluations", "eventTime", 0)],
)
def test_history_settles_later_in_some_families(endpoint: str | None, time: str | None, days: float) -> None:
    """Resolutions settle after seven days plus a delay; of the others no more is known than the default."""
    assert settles_after(endpoint, time) == days


def test_by_another_time_old_buckets_open_again() -> None:
    """An evaluation of today counts on the day of its conversation: a month is looked back."""
    assert settles_after("evaluations", "conversationStart") >= 30


@pytest.mark.parametrize(
    ("name", "hint"),
    [("metric", "; did you mean 'metrics'?"), ("METRICS", "; did you mean 'metrics'?"), ("zzz", "")],
)
def test_the_nearest_name_is_given(name: str, hint: str) -> None:
    """A near miss is helped, in any case of letters; what is like nothing is not guessed at."""
    assert checks.nearest(name, ("metrics", "group_by", "filter")) == hint
