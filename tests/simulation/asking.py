"""Random queries: what a user could ask of a platform."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genesys_sandbox.contract import families
from tap_genesys_aggregates.config.queries import presets

if TYPE_CHECKING:
    from random import Random

Query = dict[str, Any]

GRANULARITIES = {"PT30M": 0.5, "PT1H": 1, "PT2H": 2, "PT6H": 6, "PT12H": 12, "P1D": 24}
"""Lengths of buckets, in hours."""

ZONES = ("UTC", "UTC", "Europe/London", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe")
_QUEUES = ("027396f4-553b-43ed-8ec0-09303971bd1c", "05f1c285-6777-4ccc-806f-8db085ae0793")
_METRICS = ("nOffered", "tHandle", "tAbandon", "oServiceLevel", "nConnected", "tAcw", "nTransferred", "tWait")
_DIMENSIONS = ("queueId", "mediaType", "userId", "direction", "wrapUpCode", "divisionId")
_TREE_METRICS = ("conversationCount", "handleDurationSum", "abandonCount", "waitDurationSum")
_TREE_DIMENSIONS = ("routing.queue.id", "user.id", "mediaType", "direction")
_SETTLES_LATE = "resolutions"
_STATISTICS = {"max"}
"""Dimensions of which a long table has a column already: the tap refuses them."""


def some(rng: Random, of: tuple[str, ...], most: int, least: int = 1) -> list[str]:
    """A few of several, in any order."""
    return rng.sample(of, min(len(of), rng.randint(least, most)))


def ask(rng: Random, api: str, name: str, granularities: tuple[str, ...]) -> Query:
    """One query.

    Args:
        rng: Decides.
        api: The contract it is for.
        name: What to call it.
        granularities: The lengths of buckets to choose from.

    Returns:
        An entry of ``queries``.
    """
    kinds = [_tree] if api == "group_tree" else [_conversations, _conversations, _users, _preset, _family]
    query = rng.choice(kinds)(rng)
    return {**query, "name": name, "granularity": rng.choice(granularities)}


def _conversations(rng: Random) -> Query:
    metrics = some(rng, _METRICS, 3)
    query: Query = {
        "group_by": some(rng, _DIMENSIONS, 3, 0),
        "metrics": metrics,
        "shape": rng.choice(("wide", "wide", "long")),
        "time_zone": rng.choice(ZONES),
    }
    if rng.random() < 0.3:
        query["filter"] = _filter(rng)
    if "tHandle" in metrics and rng.random() < 0.5:
        bounds = {"gte": 0, "lt": rng.choice((60_000, 300_000))}
        query["views"] = [
            {"name": "short_ones", "target": "tHandle", "function": "rangeBound", "range": bounds}
        ]
    return _perhaps_by_jobs(rng, query)


def _filter(rng: Random) -> Query:
    """A filter on one dimension."""
    matches = {"dimension": "queueId", "operator": "matches", "value": rng.choice(_QUEUES)}
    there = {"dimension": "wrapUpCode", "operator": rng.choice(("exists", "notExists"))}
    chosen = rng.choice((matches, there, {"dimension": "mediaType", "operator": "matches", "value": "voice"}))
    return {"type": rng.choice(("and", "or")), "predicates": [{"type": "dimension", **chosen}]}


def _users(rng: Random) -> Query:
    query: Query = {
        "endpoint": "users",
        "group_by": ["userId"],
        "metrics": some(rng, ("tAgentRoutingStatus", "tSystemPresence", "tOrganizationPresence"), 3),
        "shape": rng.choice(("wide", "long")),
    }
    return _perhaps_by_jobs(rng, query)


def _preset(rng: Random) -> Query:
    """What a preset asks, written out."""
    kept = ("endpoint", "group_by", "metrics", "filter")
    usable = [
        each
        for each in presets().values()
        if each["api"] == "results" and each["endpoint"] not in {"users", _SETTLES_LATE}
    ]
    preset = rng.choice(usable)
    return {name: preset[name] for name in kept if name in preset}


def _family(rng: Random) -> Query:
    """Any family, by some of its dimensions."""
    several = [each for each in families().values() if each.name not in {"users", _SETTLES_LATE}]
    family = rng.choice(several)
    query: Query = {
        "endpoint": family.name,
        "group_by": some(rng, tuple(sorted({*family.group_by} - _STATISTICS)[:5]), 2, 0),
        "metrics": some(rng, family.metrics, 3),
        "shape": rng.choice(("wide", "long")),
        "time_zone": rng.choice(ZONES),
    }
    return _perhaps_by_jobs(rng, query) if family.jobs_path else query


def _perhaps_by_jobs(rng: Random, query: Query) -> Query:
    """One in four is asked by jobs, some of them with small pages."""
    if rng.random() >= 0.25:
        return query
    window = rng.choice(("P1D", "P2D"))
    return {**query, "mode": "async", "window": window, "page_size": rng.choice((5, 20, 1000))}


def _tree(rng: Random) -> Query:
    levels = some(rng, _TREE_DIMENSIONS, 2, 0)
    if rng.random() < 0.85:
        levels.insert(rng.randint(0, len(levels)), "interval")
    query: Query = {
        "group_by": levels or ["interval"],
        "metrics": some(rng, _TREE_METRICS, 3),
    }
    if rng.random() < 0.3:
        voice = {"type": "dimension", "dimension": "mediaType", "operator": "equals", "value": "voice"}
        query["filter"] = {"type": "conversation", "expression": {"type": "and", "clauses": [voice]}}
    return query
