"""A query against what its family is known to take (aggregates.json, aggregates-api.md).

Names grow between releases, so an unknown one is worth a warning with the nearest known one, never a
refusal; combinations that the API cannot answer are refused before any request.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from tap_genesys_aggregates.config.families import families
from tap_genesys_aggregates.core import statistics

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_genesys_aggregates.config.families import Family
    from tap_genesys_aggregates.core.query import Query

MOST_VIEWS = 10
_RANKED = frozenset({"topN", "bottomN"})


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name nearest to one that is not, for the end of a message.

    Args:
        name: What was written.
        known: What could have been meant.

    Returns:
        ``; did you mean 'x'?``, or nothing.
    """
    folded = {each.lower(): each for each in known}
    match = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.6)
    return f"; did you mean {folded[match[0]]!r}?" if match else ""


def unknown_names(query: Query) -> Iterator[str]:
    """A line for each name that the query's family is not known to have.

    Args:
        query: The query.

    Yields:
        Warnings, each with the nearest known name.
    """
    family = families().get(query.endpoint or "")
    if family is None:
        return
    used = (
        ("metrics", query.metrics, family.metrics),
        ("group_by", query.group_by, family.group_by),
        ("views", tuple(view.target for view in query.views), family.metrics),
        ("filter", tuple(_filtered(query.filter)), (*family.filter_dimensions, *family.group_by)),
    )
    for field, names, known in used:
        for name in names:
            if name not in known:
                hint = nearest(name, known)
                yield f"query {query.name!r}: {field}: {query.endpoint} is not known to have {name!r}{hint}"


def impossible(query: Query) -> tuple[str, str] | None:
    """The first field that the API cannot answer for.

    Args:
        query: The query.

    Returns:
        The field's name and what it wants; None where all is well.
    """
    family = families().get(query.endpoint or "")
    checks = (_ranking(query, family), _time(query, family), _mode(query), _users(query), _views(query))
    return next((found for found in checks if found), None)


def _ranking(query: Query, family: Family | None) -> tuple[str, str] | None:
    """``query_type``, ``sort_metric`` and ``limit``: only six families rank."""
    asked = [field for field in ("queryType", "sortMetric", "limit") if field in query.extra]
    names = {"queryType": "query_type", "sortMetric": "sort_metric", "limit": "limit"}
    if asked and family is not None and not family.top_n:
        able = ", ".join(name for name, each in families().items() if each.top_n)
        return names[asked[0]], f"{query.endpoint} does not rank; these do: {able}"
    kind = query.extra.get("queryType", "groupBy")
    if kind not in {"groupBy", *_RANKED}:
        return "query_type", f"{str(kind)[:40]!r} is none of groupBy, topN, bottomN"
    if asked and kind not in _RANKED and asked != ["queryType"]:
        return names[asked[-1]], "it goes with query_type: topN or bottomN"
    return None


def _time(query: Query, family: Family | None) -> tuple[str, str] | None:
    """``alternate_time_dimension``: each family has its own."""
    wanted = query.extra.get("alternateTimeDimension")
    if wanted is None or family is None or wanted in family.alternate_time_dimensions:
        return None
    known = ", ".join(family.alternate_time_dimensions)
    hint = nearest(str(wanted), family.alternate_time_dimensions)
    return "alternate_time_dimension", f"{query.endpoint} has {known}, not {str(wanted)[:60]!r}{hint}"


def _mode(query: Query) -> tuple[str, str] | None:
    """``mode: async`` wants a family that has jobs."""
    if query.mode == "sync" or query.jobs_path:
        return None
    return "mode", f"{query.endpoint or query.path} has no asynchronous jobs; leave mode out"


def _users(query: Query) -> tuple[str, str] | None:
    """Users are grouped by ``userId`` and by nothing else."""
    if query.endpoint != "users" or query.group_by == ("userId",):
        return None
    return "group_by", "users are grouped by userId only: write group_by: [userId]"


def _views(query: Query) -> tuple[str, str] | None:
    """At most ten views, on timers, none with a metric's name."""
    if len(query.views) > MOST_VIEWS:
        return "views", f"{len(query.views)} are too many; the API takes {MOST_VIEWS}"
    family = families().get(query.endpoint or "")
    known = family.metrics if family else ()
    for view in query.views:
        if not statistics.is_timer(view.target):
            hint = nearest(view.target, (name for name in known if statistics.is_timer(name)))
            return (
                "views",
                f"view {view.name!r} wants a timer (t…) as its target, not {view.target[:60]!r}{hint}",
            )
        if view.name in known or view.name in query.metrics:
            return "views", f"{view.name!r} is the name of a metric; give the view another"
    return None


def _filtered(part: object) -> Iterator[str]:
    """Every dimension that a filter names, however deep; filters are as deep as users write them."""
    if isinstance(part, dict):
        name = part.get("dimension")
        if isinstance(name, str):
            yield name
        for each in part.values():
            yield from _filtered(each)
    elif isinstance(part, list | tuple):
        for each in part:
            yield from _filtered(each)
