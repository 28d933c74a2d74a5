"""One seed → one world: what is asked, of which platform, and when runs happen."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from genesys_sandbox import ExpectedRows, Options, Sandbox, SettableClock
from genesys_sandbox.expected_buckets import grid
from genesys_sandbox.timestamps import to_datetime, to_ms
from tests.pipeline.running import config
from tests.simulation.asking import GRANULARITIES, ask
from tests.simulation.dice import dice
from tests.simulation.visits import DAYS_TO_SETTLE, until_settled, within

if TYPE_CHECKING:
    from random import Random

    from tests.simulation.asking import Query
    from tests.simulation.visits import Visit

SECRET = "never-to-be-seen-anywhere"
_BEGINNINGS = (
    datetime(2026, 3, 2, tzinfo=timezone.utc),
    datetime(2026, 3, 28, tzinfo=timezone.utc),  # London puts its clocks forward
    datetime(2026, 10, 24, tzinfo=timezone.utc),  # and back
    datetime(2026, 6, 10, tzinfo=timezone.utc),
)


@dataclass(frozen=True, slots=True)
class World:
    """Everything that chance decided before the first run.

    Attributes:
        seed: What decided it.
        settings: The tap's config.
        options: What the platform is like.
        begin: The first instant wanted.
        visits: When runs happen.
        users_at_once: How many users one request may name.
        shuffled: Whether the pages of a tree follow each other in another order than by number.
    """

    seed: int
    settings: dict[str, Any]
    options: Options
    begin: datetime
    visits: tuple[Visit, ...]
    users_at_once: int
    shuffled: bool

    @property
    def queries(self) -> list[Query]:
        """What is asked, as a witness wants it."""
        return [{**query, "api": self.settings["api"]} for query in self.settings["queries"]]

    def edges(self, query: Query, now: datetime) -> tuple[datetime, datetime]:
        """The first edge of a bucket that is wanted and the last that is complete, told by the witness."""
        zone = ZoneInfo(query.get("time_zone") or "UTC")
        midnight = self.begin.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
        end = min(now, self.stop or now)
        edges = grid(to_ms(midnight), to_ms(end + timedelta(days=2)), query["granularity"], zone)
        first, last = (edges[bisect_right(edges, to_ms(each)) - 1] for each in (self.begin, end))
        return to_datetime(first), to_datetime(last)

    @property
    def stop(self) -> datetime | None:
        """``end_date``, where there is one."""
        text = self.settings.get("end_date")
        return datetime.fromisoformat(text) if text else None

    def truth(self, sandbox: Sandbox, query: Query, now: datetime) -> list[dict[str, Any]]:
        """The rows that a target must hold after a run at this instant."""
        first, last = self.edges(query, now)
        return ExpectedRows(sandbox).rows(query, first, last, now) if first < last else []


def make(seed: int) -> World:
    """Everything that a seed decides before the first run."""
    rng = dice("world", seed)
    rewrites = rng.random() < 0.3
    api = rng.choice(("results", "results", "results", "group_tree", "group_tree"))
    names = tuple(GRANULARITIES)[1 if rewrites else 0 :]
    number = 1 if rewrites else rng.choice((1, 1, 2, 2, 3))
    queries = [ask(rng, api, f"q{each}", names) for each in range(number)]
    begin = rng.choice(_BEGINNINGS) + timedelta(minutes=rng.choice((0, 0, 0, rng.randrange(1440))))
    settings = config(
        api=api,
        client_secret=SECRET,
        queries=queries,
        start_date=begin.isoformat(),
        **_pace(rng, rewrites=rewrites),
    )
    if rng.random() < 0.1 and not rewrites:
        settings["end_date"] = (begin + timedelta(hours=rng.uniform(10, 60))).isoformat()
    visits = until_settled(rng, settings["lookback_days"]) if rewrites else within(rng, rng.uniform(10, 72))
    options = _options(rng, queries, rewrites=rewrites)
    if settings["concurrency"] > 1:  # on one clock, a token could die while others sleep
        options = replace(options, token_life=None, expires_in=3600)
    world = World(seed, settings, options, begin, visits, rng.choice((3, 3, 100)), rng.random() < 0.3)
    return _limited(rng, world)


def _pace(rng: Random, *, rewrites: bool) -> dict[str, Any]:
    """How much is asked for at once, and how often."""
    windows = [("P1D", "P1D"), ("P1D", "P7D"), ("P2D", "P4D"), ("PT36H", "PT36H")]
    if not rewrites:
        windows += [("PT12H", "P2D"), ("PT5H", "P1D"), ("P1D", "P31D")]
    window, most = rng.choice(windows)
    lookback = rng.choice((4, 4.5, 5)) if rewrites else rng.choice((0, 0.25, 0.5, 1, 7))
    return {
        "window": window,
        "max_window": most,
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
    longest = max(GRANULARITIES[query["granularity"]] for query in queries)
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
        unasked_media_type=rng.random() < 0.3,
        local_offsets=rng.random() < 0.4,
        empty=rng.choice(("list", "null", "absent")),
        absolute_links=rng.random() < 0.3,
        nesting=rng.choice(("dimensions_first", "as_asked")),
        empty_pages=rng.random() < 0.5,
        omit_ids=rng.random() < 0.3,
        slow_over=slow,
        requests_per_minute=rng.choice((None, None, 12)),
        jobs_fail=rng.choice((0, 0, 1)),
        jobs_expire=rng.choice((0, 0, 1)),
    )


def _limited(rng: Random, world: World) -> World:
    """The same world where, one time in three, the platform gives few rows at once: one bucket still fits."""
    if rng.random() >= 0.35:
        return world
    now = world.begin + timedelta(hours=world.visits[-1].hours)
    sandbox = Sandbox(world.options, now=SettableClock(now))
    most = 1
    for query in world.queries:
        buckets: dict[str, int] = {}
        for row in world.truth(sandbox, {**query, "shape": "wide"}, now):
            buckets[row["interval_start"]] = buckets.get(row["interval_start"], 0) + 1
        most = max([most, *buckets.values()])
    spare = 2 if world.options.rewrites else 1  # what is removed later is there at first
    return replace(world, options=replace(world.options, max_results=most * spare * rng.choice((1, 2, 6))))
