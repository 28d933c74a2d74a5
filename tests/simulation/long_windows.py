"""Scenarios of weeks, in which windows grow far: the platform refuses some lengths, and the user sets others.

In the scenarios of ``scenario.py``, most histories are too short for that.
"""

from __future__ import annotations

import traceback
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from genesys_sandbox import Options
from tests.pipeline.running import config
from tests.simulation.habits import Edit, Habits, Trouble
from tests.simulation.scenario import SECRET, Interruption, Scenario, ScheduledRun, seeded_random
from tests.simulation.simulate import play

if TYPE_CHECKING:
    from random import Random

    from tests.simulation.scenario import Query

_DAY = 24
_ALWAYS = 10_000
_WAYS: tuple[Any, ...] = ("SIGKILL", "SIGTERM", "at a request")
_LEVELS: tuple[Any, ...] = ("none", "none", "retryable", "fatal")
_STARTS = (
    datetime(2026, 3, 20, tzinfo=timezone.utc),  # London puts its clocks forward nine days later
    datetime(2026, 10, 16, tzinfo=timezone.utc),  # and back
    datetime(2026, 10, 16, 9, tzinfo=timezone.utc),
)
_QUERIES: tuple[Query, ...] = (
    {"group_by": ["queueId"], "metrics": ["nOffered", "tHandle"], "time_zone": "Europe/London"},
    {"group_by": ["queueId"], "metrics": ["nOffered"], "time_zone": "America/New_York"},
    {"endpoint": "users", "group_by": ["userId"], "metrics": ["tAgentRoutingStatus"]},
)


def make_long_scenario(seed: int) -> Scenario:
    """Draw the scenario of a seed."""
    rng = seeded_random("long windows", seed)
    query = {**rng.choice(_QUERIES), "name": "q0", "granularity": rng.choice(("PT6H", "PT12H", "P1D"))}
    start = rng.choice(_STARTS)
    last = rng.randint(1, 3)
    settings = config(
        api="results",
        client_secret=SECRET,
        queries=[query],
        start_date=start.isoformat(),
        window="P1D",
        max_window=rng.choice(("P1D", "P7D", "P31D", "P31D")),
        lookback_days=rng.choice((0.5, 2, 4)),
        concurrency=rng.choice((1, 1, 1, 3)),
        requests_per_minute=300,
        recheck_requests=0,
        on_query_change="stop",
    )
    refusal = rng.choice(("length", "length", "rows", "time", ""))
    options = Options(
        seed=rng.randrange(1000),
        agents=rng.randint(4, 6),
        volume=0.02,
        replay=False,
        credentials=("sandbox", SECRET),
        slow_over=timedelta(days=rng.choice((2, 5, 9)), hours=1) if refusal == "time" else None,
        max_results=rng.choice((40, 80, 160)) if refusal == "rows" else None,
    )
    limit = Trouble("interval limit", 0, range(_ALWAYS), _DAY * rng.choice((2, 5, 9)) + 1)
    shorter = Edit(rng.randint(1, last), "max window", None, {"max_window": rng.choice(("P1D", "P2D"))})
    habits = Habits(
        edits=(shorter,) if rng.random() < 0.4 else (),
        troubles=(limit,) if refusal == "length" else (),
    )
    return Scenario(seed, settings, options, start, _runs(rng, last), 3, shuffled_pages=False, habits=habits)


def _runs(rng: Random, last: int) -> tuple[ScheduledRun, ...]:
    """The first run after some weeks, the others days or weeks later; the last one without faults."""
    hours = _DAY * rng.uniform(14, 30)
    runs = []
    for _ in range(last):
        how = rng.choice(_WAYS) if rng.random() < 0.25 else None
        interruption = Interruption(how, rng.randint(3, 40)) if how else None
        runs.append(ScheduledRun(hours, rng.choice(_LEVELS), interruption))
        hours += _DAY * rng.choice((rng.uniform(0.5, 2), rng.uniform(8, 20)))
    return (*runs, ScheduledRun(hours, "none"))


def failures(seed: int) -> list[str]:
    """Every check of a seed that failed; a crash of the simulation itself is a failure too."""
    try:
        return play(make_long_scenario(seed)).failures
    except Exception:  # noqa: BLE001  # see the docstring
        return [traceback.format_exc()]
