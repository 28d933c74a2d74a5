"""What a seed decides before the first run: the queries, the platform, and when the tap runs."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any, Literal
from zoneinfo import ZoneInfo

from genesys_sandbox import ExpectedRows, Options, Sandbox, SettableClock
from genesys_sandbox.contract import families
from genesys_sandbox.expected_buckets import grid
from genesys_sandbox.timestamps import to_datetime, to_ms
from tap_genesys_aggregates.config.queries import presets
from tests.pipeline.running import config
from tests.simulation.habits import Habits, draw_habits

Query = dict[str, Any]
FaultLevel = Literal["none", "retryable", "fatal", "malformed"]

SECRET = "never-to-be-seen-anywhere"
DAYS_TO_SETTLE = 4

_LEVELS: tuple[FaultLevel, ...] = (
    "none", "retryable", "retryable", "retryable", "fatal", "fatal", "fatal", "malformed",
)  # fmt: skip
_STARTS = (
    datetime(2026, 3, 2, tzinfo=timezone.utc),
    datetime(2026, 3, 28, tzinfo=timezone.utc),  # London puts its clocks forward the next day
    datetime(2026, 10, 24, tzinfo=timezone.utc),  # and back
    datetime(2026, 6, 10, tzinfo=timezone.utc),
)
_GRANULARITY_HOURS = {"PT30M": 0.5, "PT1H": 1, "PT2H": 2, "PT6H": 6, "PT12H": 12, "P1D": 24}
_ZONES = ("UTC", "UTC", "Europe/London", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe")
_QUEUES = ("027396f4-553b-43ed-8ec0-09303971bd1c", "05f1c285-6777-4ccc-806f-8db085ae0793")
_METRICS = ("nOffered", "tHandle", "tAbandon", "oServiceLevel", "nConnected", "tAcw", "nTransferred", "tWait")
_DIMENSIONS = ("queueId", "mediaType", "userId", "direction", "wrapUpCode", "divisionId")
_TREE_METRICS = ("conversationCount", "handleDurationSum", "abandonCount", "waitDurationSum")
_TREE_DIMENSIONS = ("routing.queue.id", "user.id", "mediaType", "direction")
_SETTLES_LATE = "resolutions"
_STATISTICS = {"max"}
"""Dimensions named like a column of the long shape: the tap rejects them."""


def seeded_random(*parts: object) -> Random:
    """A random generator whose draws depend on nothing but the parts."""
    return Random(" ".join(map(str, parts)))  # noqa: S311  # test scenarios, not secrets


@dataclass(frozen=True, slots=True)
class Interruption:
    """How a run is ended from outside, and at which written line or which request."""

    how: Literal["SIGKILL", "SIGTERM", "broken pipe", "Ctrl-C", "at a request"]
    at: int


@dataclass(frozen=True, slots=True)
class ScheduledRun:
    """One run of the tap.

    Attributes:
        hours: When it starts, counted from the start of the scenario.
        faults: Which faults it meets. The tap must recover from all ``retryable`` ones. With ``malformed``,
            any value of an answer may be any other, so only how the run ends is checked, and its rows are
            not loaded.
        interruption: How it is ended early, if it is.
        state_lost: Whether it starts without the state of the runs before it.
    """

    hours: float
    faults: FaultLevel
    interruption: Interruption | None = None
    state_lost: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that is decided before the first run.

    Attributes:
        seed: The seed that decided it.
        settings: The tap's config.
        options: What the platform is like.
        start: The first instant to load.
        runs: When the tap runs, and what happens to it.
        user_batch_size: How many users one request may name.
        shuffled_pages: Whether the links of a tree's pages lead through them out of order.
        habits: What goes on for longer than a request.
    """

    seed: int
    settings: dict[str, Any]
    options: Options
    start: datetime
    runs: tuple[ScheduledRun, ...]
    user_batch_size: int
    shuffled_pages: bool
    habits: Habits

    @property
    def queries(self) -> list[Query]:
        """The queries of the first run in the form that `ExpectedRows` takes."""
        return [{**query, "api": self.settings["api"]} for query in self.settings["queries"]]

    @property
    def stop(self) -> datetime | None:
        """``end_date``, if it is set."""
        text = self.settings.get("end_date")
        return datetime.fromisoformat(text) if text else None

    def bounds(self, query: Query, now: datetime, start: datetime | None = None) -> tuple[datetime, datetime]:
        """The start of the first bucket to load and the end of the last complete one, by the sandbox.

        Args:
            query: The query.
            now: The time.
            start: The first instant to load, if it is not that of the first run.
        """
        start = start or self.start
        zone = ZoneInfo(query.get("time_zone") or "UTC")
        midnight = start.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
        end = max(start, min(now, self.stop or now))
        edges = grid(to_ms(midnight), to_ms(end + timedelta(days=2)), query["granularity"], zone)
        first, last = (edges[bisect_right(edges, to_ms(each)) - 1] for each in (start, end))
        return to_datetime(first), to_datetime(last)

    def expected_rows(
        self, sandbox: Sandbox, query: Query, now: datetime, start: datetime | None = None
    ) -> list[dict[str, Any]]:
        """The rows that a target must hold after a run at this instant."""
        first, last = self.bounds(query, now, start)
        return ExpectedRows(sandbox).rows(query, first, last, now) if first < last else []


def make_scenario(seed: int) -> Scenario:
    """Draw the scenario of a seed."""
    rng = seeded_random("world", seed)
    rewrites = rng.random() < 0.3
    api = rng.choice(("results", "results", "results", "group_tree", "group_tree"))
    granularities = tuple(_GRANULARITY_HOURS)[1 if rewrites else 0 :]
    count = 1 if rewrites else rng.choice((1, 1, 2, 2, 3))
    queries = [_query(rng, api, f"q{number}", granularities) for number in range(count)]
    start = rng.choice(_STARTS) + timedelta(minutes=rng.choice((0, 0, 0, rng.randrange(1440))))
    settings = config(
        api=api,
        client_secret=SECRET,
        queries=queries,
        start_date=start.isoformat(),
        **_load_settings(rng, rewrites=rewrites),
        recheck_requests=seeded_random("rechecks", seed).choice((0, 1, 2)),
    )
    if rng.random() < 0.1 and not rewrites:
        settings["end_date"] = (start + timedelta(hours=rng.uniform(10, 60))).isoformat()
    if rewrites:
        runs = _runs_until_settled(rng, settings["lookback_days"])
    else:
        runs = _runs_within(rng, rng.uniform(10, 72))
    options = _options(rng, queries, rewrites=rewrites)
    habits = draw_habits(seeded_random("habits", seed), settings, runs, rewrites=rewrites)
    settings["on_query_change"], runs = habits.on_change, habits.adjust(runs)
    if habits.slow_runs:  # a token could expire while the target makes the tap wait
        options = replace(options, token_life=None, expires_in=30 * 86_400)
    elif settings["concurrency"] > 1:  # threads share one clock: a token could expire while they sleep
        options = replace(options, token_life=None, expires_in=3600)
    batch, is_shuffled = rng.choice((3, 3, 100)), rng.random() < 0.3
    scenario = Scenario(seed, settings, options, start, runs, batch, is_shuffled, habits)
    return _with_result_limit(rng, scenario)


def _load_settings(rng: Random, *, rewrites: bool) -> dict[str, Any]:
    """Windows, pages, lookback and the number of parallel requests."""
    windows = [("P1D", "P1D"), ("P1D", "P7D"), ("P2D", "P4D"), ("PT36H", "PT36H")]
    if not rewrites:
        windows += [("PT12H", "P2D"), ("PT5H", "P1D"), ("P1D", "P31D")]
    window, max_window = rng.choice(windows)
    lookback = rng.choice((4, 4.5, 5)) if rewrites else rng.choice((0, 0.25, 0.5, 1, 7))
    return {
        "window": window,
        "max_window": max_window,
        "page_size": rng.choice((1, 1, 2, 3, 5, 25)),
        "lookback_days": lookback,
        "concurrency": rng.choice((1, 1, 2, 3, 4)),
        "requests_per_minute": rng.choice((300, 8)),
        "request_timeout": 120,
        "max_retries": 5,
        **({"flattening_enabled": True, "flattening_max_depth": 1} if rng.random() < 0.15 else {}),
    }


def _options(rng: Random, queries: list[Query], *, rewrites: bool) -> Options:
    """What the platform is like."""
    longest = max(_GRANULARITY_HOURS[query["granularity"]] for query in queries)
    slow = timedelta(hours=longest * rng.choice((1, 2, 5)) + 1) if rng.random() < 0.2 else None
    return Options(
        seed=rng.randrange(1000),
        agents=rng.randint(3, 9),
        volume=rng.choice((0.1, 0.2, 0.4) if rewrites else (0.0, 0.02, 0.05, 0.05, 0.1, 0.2)),
        zone=rng.choice(("Europe/London", "America/New_York")),
        rewrites=rewrites,
        settle_days=DAYS_TO_SETTLE,
        replay=False,
        credentials=("sandbox", SECRET),
        expires_in=rng.choice((3600, 300)),
        token_life=rng.choice((None, None, 250.0)),
        unrequested_media_type=rng.random() < 0.3,
        local_offsets=rng.random() < 0.4,
        empty=rng.choice(("list", "null", "absent")),
        absolute_links=rng.random() < 0.3,
        nesting=rng.choice(("dimensions_first", "as_requested")),
        empty_pages=rng.random() < 0.5,
        omit_ids=rng.random() < 0.3,
        slow_over=slow,
        requests_per_minute=rng.choice((None, None, 12)),
        jobs_fail=rng.choice((0, 0, 1)),
        jobs_expire=rng.choice((0, 0, 1)),
    )


def _with_result_limit(rng: Random, scenario: Scenario) -> Scenario:
    """In one scenario of three, limit the rows of an answer, so that any single bucket still fits."""
    if rng.random() >= 0.35 or scenario.habits.asks_for_more:
        return scenario
    now = scenario.start + timedelta(hours=scenario.runs[-1].hours)
    sandbox = Sandbox(scenario.options, now=SettableClock(now))
    largest = 1
    for query in scenario.queries:
        buckets: dict[str, int] = {}
        for row in scenario.expected_rows(sandbox, {**query, "shape": "wide"}, now):
            buckets[row["interval_start"]] = buckets.get(row["interval_start"], 0) + 1
        largest = max([largest, *buckets.values()])
    spare = 2 if scenario.options.rewrites else 1  # rows that a rewrite removes later are there at first
    limit = largest * spare * rng.choice((1, 2, 6))
    return replace(scenario, options=replace(scenario.options, max_results=limit))


def _runs_within(rng: Random, hours: float) -> tuple[ScheduledRun, ...]:
    """One to four runs within some hours, and a last one without faults."""
    times = sorted(rng.uniform(0, hours) for _ in range(rng.randint(1, 4)))
    return (*(_run(rng, each) for each in times), ScheduledRun(hours, "none"))


def _runs_until_settled(rng: Random, lookback: float) -> tuple[ScheduledRun, ...]:
    """Runs until the first days have settled.

    Every second time, an outage longer than the lookback (in days) comes before the last run.
    """
    if rng.random() < 0.5:
        early = sorted(rng.uniform(20, 60) for _ in range(rng.randint(1, 2)))
        end = early[-1] + 24 * (lookback + rng.uniform(0, 2))
        return (*(_run(rng, each, must_succeed=True) for each in early), ScheduledRun(end, "none"))
    end = 24 * (DAYS_TO_SETTLE + rng.uniform(2, 5))
    times = sorted(rng.uniform(8, end) for _ in range(rng.randint(1, 5)))
    return (*(_run(rng, each) for each in times), ScheduledRun(end, "none"))


def _run(rng: Random, hours: float, *, must_succeed: bool = False) -> ScheduledRun:
    levels: tuple[FaultLevel, ...] = ("none", "retryable") if must_succeed else _LEVELS
    faults = rng.choice(levels)
    return ScheduledRun(hours, faults, None if must_succeed else _interruption(rng), rng.random() < 0.05)


def _interruption(rng: Random) -> Interruption | None:
    """Two runs in five are interrupted, unless they end before."""
    if rng.random() >= 0.4:
        return None
    ways: tuple[Any, ...] = ("SIGKILL", "SIGTERM", "SIGTERM", "broken pipe", "Ctrl-C", "at a request")
    how = rng.choice(ways)
    return Interruption(how, rng.randint(1, 12 if how == "at a request" else rng.choice((8, 40, 200))))


def _query(rng: Random, api: str, name: str, granularities: tuple[str, ...]) -> Query:
    """One entry of ``queries`` for an API."""
    if api == "group_tree":
        kinds = [_tree_query]
    else:
        kinds = [_conversation_query, _conversation_query, _users_query, _preset_query, _family_query]
    query = rng.choice(kinds)(rng)
    return {**query, "name": name, "granularity": rng.choice(granularities)}


def _sample(rng: Random, choices: tuple[str, ...], most: int, least: int = 1) -> list[str]:
    """A few of the choices, in any order."""
    return rng.sample(choices, min(len(choices), rng.randint(least, most)))


def _conversation_query(rng: Random) -> Query:
    metrics = _sample(rng, _METRICS, 3)
    query: Query = {
        "group_by": _sample(rng, _DIMENSIONS, 3, 0),
        "metrics": metrics,
        "shape": rng.choice(("wide", "wide", "long")),
        "time_zone": rng.choice(_ZONES),
    }
    if rng.random() < 0.3:
        query["filter"] = _filter(rng)
    if "tHandle" in metrics and rng.random() < 0.5:
        bounds = {"gte": 0, "lt": rng.choice((60_000, 300_000))}
        query["views"] = [
            {"name": "short_ones", "target": "tHandle", "function": "rangeBound", "range": bounds}
        ]
    return _maybe_async(rng, query)


def _filter(rng: Random) -> Query:
    """A filter on one dimension."""
    matches = {"dimension": "queueId", "operator": "matches", "value": rng.choice(_QUEUES)}
    exists = {"dimension": "wrapUpCode", "operator": rng.choice(("exists", "notExists"))}
    chosen = rng.choice(
        (matches, exists, {"dimension": "mediaType", "operator": "matches", "value": "voice"})
    )
    return {"type": rng.choice(("and", "or")), "predicates": [{"type": "dimension", **chosen}]}


def _users_query(rng: Random) -> Query:
    query: Query = {
        "endpoint": "users",
        "group_by": ["userId"],
        "metrics": _sample(rng, ("tAgentRoutingStatus", "tSystemPresence", "tOrganizationPresence"), 3),
        "shape": rng.choice(("wide", "long")),
    }
    return _maybe_async(rng, query)


def _preset_query(rng: Random) -> Query:
    """The fields of a preset, written out."""
    copied = ("endpoint", "group_by", "metrics", "filter")
    usable = [
        each
        for each in presets().values()
        if each["api"] == "results" and each["endpoint"] not in {"users", _SETTLES_LATE}
    ]
    preset = rng.choice(usable)
    return {name: preset[name] for name in copied if name in preset}


def _family_query(rng: Random) -> Query:
    """Any family, grouped by some of its dimensions."""
    usable = [each for each in families().values() if each.name not in {"users", _SETTLES_LATE}]
    family = rng.choice(usable)
    query: Query = {
        "endpoint": family.name,
        "group_by": _sample(rng, tuple(sorted({*family.group_by} - _STATISTICS)[:5]), 2, 0),
        "metrics": _sample(rng, family.metrics, 3),
        "shape": rng.choice(("wide", "long")),
        "time_zone": rng.choice(_ZONES),
    }
    return _maybe_async(rng, query) if family.jobs_path else query


def _maybe_async(rng: Random, query: Query) -> Query:
    """One query in four uses asynchronous jobs, some with small pages."""
    if rng.random() >= 0.25:
        return query
    window = rng.choice(("P1D", "P2D"))
    return {**query, "mode": "async", "window": window, "page_size": rng.choice((5, 20, 1000))}


def _tree_query(rng: Random) -> Query:
    levels = _sample(rng, _TREE_DIMENSIONS, 2, 0)
    if rng.random() < 0.85:
        levels.insert(rng.randint(0, len(levels)), "interval")
    query: Query = {
        "group_by": levels or ["interval"],
        "metrics": _sample(rng, _TREE_METRICS, 3),
    }
    if rng.random() < 0.3:
        voice = {"type": "dimension", "dimension": "mediaType", "operator": "equals", "value": "voice"}
        query["filter"] = {"type": "conversation", "expression": {"type": "and", "clauses": [voice]}}
    return query
