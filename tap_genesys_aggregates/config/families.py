"""The families of aggregates, and checks of a query against what its family accepts.

``data/aggregates.json`` lists the families, taken from the official SDKs; docs and checks are derived
from it. New names appear with every release of the API, so an unknown name only causes a warning.
Combinations that the API cannot answer are refused before any request (docs/api-notes.md, "Results: the
query").
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import msgspec

from tap_genesys_aggregates.config.reader import suggestion
from tap_genesys_aggregates.core.statistics import is_timer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_genesys_aggregates.core.query import Query

GROUP_TREE_PATH = "/api/v2/analytics/conversations/aggregate/query"
"""The only query of the group-tree API; note ``aggregate`` in the singular."""

QUALIFIED_METRICS = frozenset({"tAgentRoutingStatus", "tOrganizationPresence", "tSystemPresence"})
"""Metrics that come once per status, named by ``qualifier`` (docs/api-notes.md, "Results: statistics")."""

MAX_VIEWS = 10
_USERS_GRANULARITY = 1800
"""Seconds; remembered by others and not verified (docs/api-notes.md, "Results: users")."""
_SETTLING_DAYS = {"resolutions": 10.0}
_REOPENED_DAYS = 30.0


class Family(msgspec.Struct, frozen=True):
    """A family: the path to post queries to, if it has any but jobs, and the names and features it has."""

    path: str | None
    preview: bool
    permissions_any: tuple[str, ...]
    async_jobs: str | None
    top_n: bool
    alternate_time_dimensions: tuple[str, ...]
    group_by: tuple[str, ...]
    filter_dimensions: tuple[str, ...]
    metrics: tuple[str, ...]
    not_sortable: tuple[str, ...] = ()


@cache
def families() -> dict[str, Family]:
    """Every family, by its name in a query's ``endpoint``."""
    data = resources.files("tap_genesys_aggregates").joinpath("data/aggregates.json").read_bytes()
    return msgspec.json.decode(data, type=dict[str, Family])


def settling_days(endpoint: str | None, alternate_time_dimension: str | None) -> float:
    """Days after which the history of a family is expected to stay the same.

    The nightly rewrite takes up to four days, which the default lookback of seven covers; resolutions
    settle after seven days plus a delay. Aggregates by another time than the event's change old buckets:
    an evaluation made today counts on the day of its conversation (docs/api-notes.md, "History changes").

    Args:
        endpoint: The family, if any.
        alternate_time_dimension: The time that the query aggregates by, if not the usual one.

    Returns:
        Days; 0 if the default lookback is enough.
    """
    if alternate_time_dimension not in {None, "eventTime"}:
        return _REOPENED_DAYS
    return _SETTLING_DAYS.get(endpoint or "", 0.0)


def warnings(query: Query) -> Iterator[str]:
    """Warn about what the API may not accept or know.

    Args:
        query: The query.

    Yields:
        One line for each doubt.
    """
    yield from unknown_names(query)
    if query.endpoint == "users" and query.granularity.min_seconds < _USERS_GRANULARITY:
        yield (
            f"query {query.name!r}: granularity: {query.granularity.text} may be refused, because the users "
            "family is said to accept none below PT30M"
        )
    for name in query.implicit_dimensions if query.endpoint == "users" else ():
        if name != "mediaType":
            yield (
                f"query {query.name!r}: group_by: {name!r} has a column but is not sent, because the users "
                "family can only be grouped by userId"
            )


def unknown_names(query: Query) -> Iterator[str]:
    """Warn about names that the query's family is not known to have.

    Args:
        query: The query.

    Yields:
        One line per name, with the closest known name if there is one.
    """
    family = families().get(query.endpoint or "")
    if family is None:
        return
    used = (
        ("metrics", "metric", query.metrics, family.metrics),
        ("group_by", "dimension", query.group_by, family.group_by),
        ("views", "metric", tuple(view.target for view in query.views), family.metrics),
        (
            "filter",
            "dimension",
            tuple(_filter_dimensions(query.filter)),
            (*family.filter_dimensions, *family.group_by),
        ),
    )
    for field, kind, names, known in used:
        for name in names:
            if name not in known:
                problem = f"{name!r} is not a known {kind} of {query.endpoint}{suggestion(name, known)}"
                yield f"query {query.name!r}: {field}: {problem}"


def conflict(query: Query) -> tuple[str, str] | None:
    """Find the first field with which the API cannot answer the query.

    Args:
        query: The query.

    Returns:
        The field's name and what is wrong with it, or None.
    """
    family = families().get(query.endpoint or "")
    checks = (
        _check_ranking(query, family),
        _check_time(query, family),
        _check_sort_metric(query, family),
        _check_mode(query, family),
        _check_users(query),
        _check_views(query),
    )
    return next((found for found in checks if found), None)


def _check_ranking(query: Query, family: Family | None) -> tuple[str, str] | None:
    """Only some families rank, and ``sort_metric`` and ``limit`` only apply to ranking queries."""
    fields = {"queryType": "query_type", "sortMetric": "sort_metric", "limit": "limit"}
    present = [name for name in fields if name in query.extra]
    if present and family is not None and not family.top_n:
        ranking = ", ".join(name for name, each in families().items() if each.top_n)
        problem = f"cannot be used: {query.endpoint} does not rank; these families do: {ranking}"
        return fields[present[0]], problem
    kind = query.extra.get("queryType", "groupBy")
    if kind not in {"groupBy", "topN", "bottomN"}:
        return "query_type", f"must be one of groupBy, topN, bottomN, not {str(kind)[:40]!r}"
    if kind == "groupBy" and present and present != ["queryType"]:
        return fields[present[-1]], "requires query_type: topN or bottomN"
    return None


def _check_time(query: Query, family: Family | None) -> tuple[str, str] | None:
    """Each family has its own time dimensions."""
    name = query.extra.get("alternateTimeDimension")
    if name is None or family is None or name in family.alternate_time_dimensions:
        return None
    if not family.alternate_time_dimensions:
        return "alternate_time_dimension", f"cannot be used: {query.endpoint} has no other time"
    known = ", ".join(family.alternate_time_dimensions)
    hint = suggestion(str(name), family.alternate_time_dimensions)
    problem = f"must be one of {known} for {query.endpoint}, not {str(name)[:60]!r}{hint}"
    return "alternate_time_dimension", problem


def _check_sort_metric(query: Query, family: Family | None) -> tuple[str, str] | None:
    """Some metrics cannot be sorted by (docs/api-notes.md, "Results: the query")."""
    wanted = query.extra.get("sortMetric")
    name = wanted.get("name") if isinstance(wanted, dict) else None
    if family is None or name not in family.not_sortable:
        return None
    sortable = ", ".join(each for each in query.metrics if each not in family.not_sortable)
    others = f"a metric of this query that can: {sortable}" if sortable else "a metric that can, and add it"
    return "sort_metric", f"cannot be {name}, by which the API does not sort; use {others}"


def _check_mode(query: Query, family: Family | None) -> tuple[str, str] | None:
    """``mode: async`` requires a family that has jobs, ``mode: sync`` one that has queries."""
    if query.mode == "sync" and family is not None and family.path is None:
        return "mode", f"must be async: {query.endpoint} has asynchronous jobs only; remove mode"
    if query.mode == "sync" or query.jobs_path:
        return None
    return "mode", f"must be sync: {query.endpoint or query.path} has no asynchronous jobs"


def _check_users(query: Query) -> tuple[str, str] | None:
    """The users family can only be grouped by ``userId``."""
    if query.endpoint != "users" or query.group_by == ("userId",):
        return None
    return "group_by", (
        "must be [userId]: the users family can only be grouped by userId "
        "(name a dimension that comes unasked after it, as in [userId, mediaType])"
    )


def _check_views(query: Query) -> tuple[str, str] | None:
    """There are at most ten views, on timers, and none has the name of a metric."""
    if len(query.views) > MAX_VIEWS:
        return "views", f"has {len(query.views)} views, but the API accepts at most {MAX_VIEWS}"
    family = families().get(query.endpoint or "")
    if query.views and family is not None and family.path is None:
        return "views", f"cannot be used: {query.endpoint} has no views"
    known = family.metrics if family else ()
    for view in query.views:
        if not is_timer(view.target):
            hint = suggestion(view.target, (name for name in known if is_timer(name)))
            problem = (
                f"must give view {view.name!r} a timer (t…) as its target, not {view.target[:60]!r}{hint}"
            )
            return "views", problem
        if view.name in known or view.name in query.metrics:
            return "views", f"must not call a view {view.name!r}, which is the name of a metric"
    return None


def _filter_dimensions(part: object) -> Iterator[str]:
    """Every dimension in a filter, at any depth."""
    if isinstance(part, dict):
        name = part.get("dimension")
        if isinstance(name, str):
            yield name
        for each in part.values():
            yield from _filter_dimensions(each)
    elif isinstance(part, list | tuple):
        for each in part:
            yield from _filter_dimensions(each)
