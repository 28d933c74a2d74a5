"""Habits of platforms, machines and users, each on in some seeds only.

A habit lasts: a permission is missing for some runs, a query is changed from one run to the next, a clock is
wrong for a whole run. The faults of single requests are in ``fault_kinds.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from tests.simulation.scenario import ScheduledRun

    Query = dict[str, Any]

SHARE = 0.55
"""Of all seeds: those with habits. In the others the platform, the machine and the user are reliable."""

TroubleKind: TypeAlias = Literal[
    "forbidden", "error in a 200", "interval limit", "15th statistic", "list shifts", "nobody found"
]
EditKind: TypeAlias = Literal[
    "granularity", "filter", "metric added", "metric removed", "key", "start date", "max window"
]

_HOURS = {"PT30M": 0.5, "PT1H": 1, "PT2H": 2, "PT6H": 6, "PT12H": 12, "P1D": 24}
_METRICS = ("nOffered", "tHandle", "tAbandon", "nConnected", "tAcw", "tWait")
_TREE_METRICS = ("conversationCount", "handleDurationSum", "abandonCount", "waitDurationSum")
_ALWAYS = 10_000
_LIMITS = (0.5, 1, 1, 1, 2, 7)
"""The longest interval, in windows that have not grown."""
_AHEAD = (
    timedelta(minutes=6),
    timedelta(hours=3),
    timedelta(days=2),
    timedelta(days=9),
    timedelta(days=3000),
)
_BEHIND = (timedelta(minutes=-10), timedelta(hours=-5), timedelta(days=-2))


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of the config that the user makes before a run.

    Attributes:
        run: The number of the run.
        kind: What changes.
        query: The index of the query, or None for a setting of all.
        fields: The new fields; None removes one.
    """

    run: int
    kind: EditKind
    query: int | None
    fields: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a platform does to one query, in some runs.

    Attributes:
        kind: What it does.
        query: The index of the query.
        runs: The runs in which it does.
        detail: The kind of error, a limit in hours, the name of a metric, or how often a list shifts.
    """

    kind: TroubleKind
    query: int
    runs: range
    detail: Any = field(default=None, hash=False)


@dataclass(frozen=True, slots=True)
class Habits:
    """The habits of a scenario.

    Attributes:
        edits: What the user changes, in order.
        on_change: The setting ``on_query_change``.
        troubles: What the platform does.
        ahead: How far the machine's clock is ahead of the true time in a run; negative if it is behind.
        sends_date: Whether responses have the header ``Date``.
        backfills: The runs before which a backfill with a state of its own is made, with the share of the
            time since the start that it loads.
        slow_runs: The runs whose target takes hours for each piece of output.
        stretch: How many times later all runs start, for windows that grow over a long history.
    """

    edits: tuple[Edit, ...] = ()
    on_change: str = "stop"
    troubles: tuple[Trouble, ...] = ()
    ahead: Mapping[int, timedelta] = field(default_factory=dict, hash=False)
    sends_date: bool = False
    backfills: Mapping[int, float] = field(default_factory=dict, hash=False)
    slow_runs: frozenset[int] = frozenset()
    stretch: int = 1

    def adjust(self, runs: tuple[ScheduledRun, ...]) -> tuple[ScheduledRun, ...]:
        """The runs with their starts stretched; with a slow target or a clock that is behind, without faults.

        Rows of a run whose clock is behind look older than those that they replace, until the next run has
        read them again. If such a run ends early, or the one before took long, no bookmark says that.
        """
        quiet = {*self.slow_runs, *(run for run, ahead in self.ahead.items() if ahead < timedelta())}
        stretched = [replace(each, hours=each.hours * self.stretch) for each in runs]
        return tuple(
            replace(each, faults="none", interruption=None) if run in quiet else each
            for run, each in enumerate(stretched)
        )

    @property
    def asks_for_more(self) -> bool:
        """Whether answers may become larger than any that the first queries would get."""
        return bool(self.edits or self.backfills)


def draw_habits(
    rng: Random, settings: Mapping[str, Any], runs: tuple[ScheduledRun, ...], *, rewrites: bool
) -> Habits:
    """Draw the habits of a scenario.

    Args:
        rng: The source of chance.
        settings: The config of the first run.
        runs: The runs; the last one meets no trouble that ends.
        rewrites: Whether the platform rewrites history.
    """
    if rng.random() >= SHARE:
        return Habits(sends_date=rng.random() < 0.5)
    last, queries = len(runs) - 1, settings["queries"]
    ahead = _clocks(rng, runs) if rng.random() < 0.35 else {}
    slow = rewrites and last and rng.random() < 0.8 and all(each > timedelta() for each in ahead.values())
    troubles = tuple(_troubles(rng, settings, last))
    is_limited = any(each.kind == "interval limit" for each in troubles) and not rewrites
    waits = any(query.get("mode") == "async" for query in queries) and settings["concurrency"] > 1
    return Habits(
        edits=tuple(sorted(_edits(rng, settings, last), key=lambda edit: edit.run)),
        on_change=rng.choice(("stop", "stop", "continue", "reload")),
        troubles=troubles,
        ahead=ahead,
        sends_date=any(each > timedelta() for each in ahead.values()) or rng.random() < 0.5,
        backfills={rng.randint(1, last): rng.uniform(0.2, 1)} if last and rng.random() < 0.2 else {},
        # A job would be given up while the target makes the tap wait.
        slow_runs=frozenset({rng.choice((0, rng.randrange(last)))}) if slow and not waits else frozenset(),
        stretch=rng.choice((1, 4, 6)) if is_limited else 1,
    )


def needs_users(query: Mapping[str, Any]) -> bool:
    """Whether a query asks about all users of the list of users."""
    return query.get("endpoint") == "users" and not query.get("filter")


def hours_of(period: str) -> float:
    """The usual length of a period such as ``PT36H`` or ``P2D``, in hours."""
    number, unit = float("".join(filter(str.isdecimal, period))), period[-1]
    return number * {"M": 1 / 60, "H": 1, "D": 24}[unit]


def _clocks(rng: Random, runs: tuple[ScheduledRun, ...]) -> dict[int, timedelta]:
    """How far the clock is ahead in one or two runs, or behind before the last one."""
    found = {}
    for _ in range(rng.randint(1, 2)):
        run = rng.randrange(len(runs))
        found[run] = rng.choice(_AHEAD if run == len(runs) - 1 else (*_AHEAD, *_BEHIND))
    return found


def _edits(rng: Random, settings: Mapping[str, Any], last: int) -> list[Edit]:
    found: list[Edit] = []
    queries = settings["queries"]
    if last and rng.random() < 0.5:
        for _ in range(rng.choice((1, 1, 2))):
            index = rng.randrange(len(queries))
            edit = _query_edit(rng, settings["api"], queries[index], rng.randint(1, last), index)
            found += [edit] if edit else []
    if last and "end_date" not in settings and rng.random() < 0.4:
        start = datetime.fromisoformat(settings["start_date"])
        for _ in range(rng.choice((1, 1, 2))):
            hours = rng.choice((rng.uniform(-60, -1), rng.uniform(-60, -1), rng.uniform(1, 30)))
            moved = start + timedelta(hours=hours)
            found.append(Edit(rng.randint(1, last), "start date", None, {"start_date": moved.isoformat()}))
    return found


def _query_edit(rng: Random, api: str, query: Query, run: int, index: int) -> Edit | None:
    """A change of one query; None if this one has nothing to change."""
    is_tree, family = api == "group_tree", query.get("endpoint", "conversations")
    targets = {view["target"] for view in query.get("views", ())}
    metrics = query["metrics"]
    kinds: dict[EditKind, Mapping[str, Any]] = {}
    if shorter := [each for each, hours in _HOURS.items() if 1 <= hours < _HOURS[query["granularity"]]]:
        kinds["granularity"] = {"granularity": rng.choice(shorter)}
    if (removable := [each for each in metrics if each not in targets]) and len(metrics) > 1:
        gone = rng.choice(removable)
        kinds["metric removed"] = {"metrics": [each for each in metrics if each != gone]}
    if is_tree or family == "conversations":
        more = [each for each in (_TREE_METRICS if is_tree else _METRICS) if each not in metrics]
        if more:
            kinds["metric added"] = {"metrics": [*metrics, rng.choice(more)]}
        kinds["filter"] = {"filter": None if "filter" in query else _voice(is_tree=is_tree)}
        kinds["key"] = {"group_by": _other_key(rng, query["group_by"])}
    if not kinds:
        return None
    kind = rng.choice(sorted(kinds))
    return Edit(run, kind, index, kinds[kind])


def _other_key(rng: Random, group_by: list[str]) -> list[str]:
    """The dimensions with one more, or with one less."""
    if "direction" not in group_by:
        return [*group_by, "direction"]
    others = [each for each in group_by if each != "direction"]
    return others if others and rng.random() < 0.5 else list(dict.fromkeys((*group_by, "mediaType")))


def _voice(*, is_tree: bool) -> Mapping[str, Any]:
    voice = {"type": "dimension", "dimension": "mediaType"}
    if is_tree:
        clause = {**voice, "operator": "equals", "value": "voice"}
        return {"type": "conversation", "expression": {"type": "and", "clauses": [clause]}}
    return {"type": "and", "predicates": [{**voice, "operator": "matches", "value": "voice"}]}


def _troubles(rng: Random, settings: Mapping[str, Any], last: int) -> list[Trouble]:
    """What the platform does: for some runs before the last, or from some run on."""
    found: list[Trouble] = []
    queries, is_tree = settings["queries"], settings["api"] == "group_tree"
    for kind, share in _SHARES.items():
        if rng.random() >= share:
            continue
        index = rng.randrange(len(queries))
        if kind in {"list shifts", "nobody found"}:  # a query that needs the list of users, if there is one
            index = max(range(len(queries)), key=lambda each: queries[each].get("endpoint") == "users")
        query, first = queries[index], rng.randint(0, last)
        some = range(first, min(rng.randint(first, last) + 1, last))
        window = hours_of(query.get("window", settings["window"]))
        # A day may have 25 hours, and a bucket cannot be divided.
        limit = max(window * rng.choice(_LIMITS), _HOURS[query["granularity"]]) + 1
        kinds: dict[TroubleKind, tuple[bool, range, object]] = {
            "forbidden": (True, some, None),
            "error in a 200": (True, some, rng.randrange(4)),
            "interval limit": (True, range(first, _ALWAYS), limit),
            "15th statistic": (not is_tree, range(first, _ALWAYS), rng.choice(query["metrics"])),
            "list shifts": (is_tree or needs_users(query), some, rng.choice((1, 2, _ALWAYS))),
            "nobody found": (needs_users(query), some, None),
        }
        is_possible, runs, detail = kinds[kind]
        if is_possible and runs:
            found.append(Trouble(kind, index, runs, detail))
    return found


_SHARES: dict[TroubleKind, float] = {
    "forbidden": 0.3,
    "error in a 200": 0.3,
    "interval limit": 0.4,
    "15th statistic": 0.2,
    "list shifts": 0.9,
    "nobody found": 0.5,
}
