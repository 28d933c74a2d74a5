"""Months of history that is rewritten at any age, while runs are killed: rechecks find and repair all of it.

Each seed draws a query, a platform and a user as in ``scenario.py``, but over months instead of days. A
rewrite changes or deletes the events of some days, all of them or those of one metric or group, at any age.
After the last rewrite and the last kill, the stated number of runs must be enough
(docs/operations.md, "Rechecks"): from then on, the settled months equal the platform's.
"""

from __future__ import annotations

import json
import math
import traceback
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

from typing_extensions import override

from genesys_sandbox import ExpectedRows, LateRewrite, Options, Sandbox
from genesys_sandbox.expected_buckets import grid
from genesys_sandbox.timestamps import to_datetime, to_ms
from tap_genesys_aggregates.extract import user_batches
from tests.pipeline.running import config, multiset
from tests.simulation.checks import difference
from tests.simulation.scenario import Interruption, ScheduledRun, seeded_random
from tests.simulation.simulate import Target
from tests.simulation.tap_run import Killed, SharedTime, run_tap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genesys_sandbox import Request, Response
    from tests.simulation.tap_run import TapRun

_QUEUES = ("027396f4-553b-43ed-8ec0-09303971bd1c", "05f1c285-6777-4ccc-806f-8db085ae0793")
_REREAD_WINDOWS = 31
_ZONES = ("UTC", "UTC", "Europe/London", "America/New_York", "Asia/Kathmandu")
_WHOLE: dict[str, dict[str, Any]] = {
    "results": {"group_by": ["queueId"], "metrics": ["nOffered", "tHandle"]},
    "users": {"endpoint": "users", "group_by": ["userId"], "metrics": ["tAgentRoutingStatus"]},
    "group_tree": {
        "group_by": ["routing.queue.id", "interval"],
        "metrics": ["conversationCount", "handleDurationSum"],
    },
}


@dataclass(slots=True)
class Life:
    """One seed: what it draws, and what has happened so far."""

    seed: int
    failures: list[str] = field(default_factory=list)
    runs: int = 0
    killed: int = 0
    rewrites: int = 0
    rows: int = 0


def live(seed: int) -> Life:
    """Simulate a seed."""
    with patch.object(user_batches, "USERS_PER_REQUEST", 3):
        return _History(seed).go()


def failures(seed: int) -> list[str]:
    """Every check of a seed that failed; a crash of the simulation itself is a failure too."""
    try:
        return live(seed).failures
    except Exception:  # noqa: BLE001  # see the docstring
        return [traceback.format_exc()]


class _ShufflingSandbox(Sandbox):
    """Returns groups in another order every time."""

    @override
    def handle(self, request: Request) -> Response:
        response = super().handle(request)
        body: Any = json.loads(response.body) if response.body else None
        for name in ("results", "entities") if isinstance(body, dict) else ():
            if isinstance(body.get(name), list):
                seeded_random(len(self.log)).shuffle(body[name])
                response = replace(response, body=json.dumps(body).encode())
        return response


class _History:
    def __init__(self, seed: int) -> None:
        self.rng = seeded_random("old history", seed)
        rng = self.rng
        self.life = Life(seed)
        kind = rng.choice(("results", "results", "results", "users", "group_tree"))
        self.api = "group_tree" if kind == "group_tree" else "results"
        self.query: dict[str, Any] = {
            **_WHOLE[kind],
            "name": "q",
            "granularity": rng.choice(("P1D", "P1D", "PT12H")),
        }
        if kind == "results":
            self.query |= {
                "shape": rng.choice(("wide", "long")),
                "mode": rng.choice(("sync", "sync", "async")),
            }
        self.query["time_zone"] = rng.choice(("UTC",) if self.api == "group_tree" else _ZONES)
        self.zone = ZoneInfo(self.query["time_zone"])
        self.start = datetime(2026, rng.choice((1, 2)), rng.randint(1, 28), tzinfo=timezone.utc)
        self.clock = SharedTime(self.start + timedelta(days=rng.uniform(50, 110)))
        self.looks = rng.choice((1, 1, 1, 2, 3))
        self.lookback = rng.choice((4, 4, 7, 7, 300))
        limit = rng.choice((None, None, None, 10, 20)) if self.query.get("mode") != "async" else None
        self.sandbox = _ShufflingSandbox(
            Options(
                seed=rng.randrange(3),
                agents=5 if kind == "users" else 3,
                volume=0.005,
                replay=False,
                longest=None if limit is None else timedelta(days=limit),
                requests_per_minute=None,
            ),
            now=lambda: self.clock.instant,
            sleep=self.clock.sleep,
        )
        window = rng.choice(("P1D", "P1D", "P7D"))
        self.settings = config(
            api=self.api,
            queries=[self.query],
            start_date=self.start.isoformat(),
            window=window,
            max_window="P31D" if rng.random() < 0.6 else window,
            page_size=rng.choice((1, 25)),
            lookback_days=self.lookback,
            concurrency=rng.choice((1, 1, 3)),
            recheck_requests=self.looks,
        )
        self.window_days = 7 if window == "P7D" else 1
        self.target = Target()
        self.rewritten: list[tuple[str, str]] = []

    def go(self) -> Life:
        """All runs of the seed, and the comparison at the end."""
        for _ in range(self.rng.randint(0, 2)):
            self._run(killed=True)
        for _ in range(self.rng.randint(1, 4)):
            self._rewrite()
            for _ in range(self.rng.randint(0, 4)):
                self.clock.sleep(3600 * self.rng.choice((1, 24, 24, self.rng.uniform(24, 500))))
                self._run(killed=self.rng.random() < 0.5)
        self._run()
        for _ in range(self._enough()):
            self._run()
        self._compare()
        return self.life

    def _run(self, *, killed: bool = False) -> None:
        """Run the tap, and load what it wrote."""
        self.clock.sleep(3600)
        before, first = self.target.state, len(self.sandbox.log)
        interruption, allowed = None, [*self.rewritten, *self._unknown()]
        self.sandbox.faults = None
        if killed and self.rng.random() < 0.4:
            self.sandbox.faults = _killed_at(self.rng.randint(1, 40))
        elif killed:
            interruption = Interruption(self.rng.choice(("SIGKILL", "SIGTERM")), self.rng.randint(1, 300))
        scheduled = ScheduledRun(self.clock.instant.timestamp(), "none", interruption)
        run = run_tap(
            self.sandbox, self.settings, before, self.clock, scheduled, sends_date=False, pause=lambda: None
        )
        self.life.runs += 1
        self.life.failures += self._wrong(run, len(self.sandbox.log) - first, allowed)
        if run.outcome.error is None:
            self.target.load(run.outcome.messages)
        else:
            self.life.killed += 1
            self.target.load_partly(run.outcome.messages, self.rng)

    def _wrong(self, run: TapRun, requests: int, allowed: list[tuple[str, str]]) -> Iterator[str]:
        """What is wrong with a run: it failed, loads too little, or reads again what did not change."""
        error = run.outcome.error
        if error is not None and not isinstance(error, Killed | SystemExit):
            yield f"run {self.life.runs}: {error!r} {run.outcome.log[-600:]}"
        for row in run.outcome.rows("extractions"):
            start, end = row["window_start"], row["window_end"]
            if row["reason"] == "recheck" and not any(a < end and start < b for a, b in allowed):
                yield f"{start}/{end} was read again, but nothing changed there"
        if error is not None:
            return
        entries = list(islice(reversed(self.sandbox.log), requests))
        bodies: list[Any] = [each.body for each in entries if "aggregates" in each.path and each.body]
        looks = {body["interval"] for body in bodies if "interval" in body and "granularity" not in body}
        if self.api == "results" and len(looks) > self.looks:
            yield f"{len(looks)} looks in one run: {looks}"
        loaded = run.outcome.state["bookmarks"]["q"]["replication_key_value"]
        if loaded != self._end():
            yield f"loaded up to {loaded}, not {self._end()}"

    def _end(self) -> str:
        """The end of the last complete bucket."""
        return _text(self._floor(self.clock.instant))

    def _floor(self, instant: datetime) -> datetime:
        """The start of the bucket that contains an instant."""
        midnight = instant.astimezone(self.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        last = to_ms(instant + timedelta(days=2))
        edges = grid(to_ms(midnight), last, self.query["granularity"], self.zone)
        return to_datetime(edges[bisect_right(edges, to_ms(instant)) - 1])

    @property
    def _bookmark(self) -> dict[str, Any]:
        found: dict[str, Any] = self.target.state.get("bookmarks", {}).get("q", {})
        return found

    def _entries(self) -> dict[str, str]:
        months = self._bookmark.get("rechecks", {}).get("months", {})
        return {f"{year}-{month}": entry for year, each in months.items() for month, entry in each.items()}

    def _unknown(self) -> list[tuple[str, str]]:
        """The months, or parts of them, that may be read again without a change: they have no fingerprint."""
        begin, entries, found = self.start.astimezone(self.zone), self._entries(), []
        while begin < self.clock.instant:
            following = (begin.replace(day=1, hour=0) + timedelta(days=32)).replace(day=1, hour=0)
            entry = [each for name, each in entries.items() if name.startswith(f"{begin:%Y-%m}")]
            if not entry or not all(entry):
                found.append((_text(begin), _text(following)))
            begin = following
        return found

    def _rewrite(self) -> None:
        """Change a piece of history that may change, of any age."""
        now, rng = self.clock.instant, self.rng
        age = rng.uniform(0, (now - self.start) / timedelta(days=1))
        days = rng.choice((0.5, 1, 3, 31))
        start = self.start + timedelta(days=age)
        end = min(start + timedelta(days=days), now)
        metric = rng.choice((None, None, "tHandle"))
        queue = rng.choice((None, *_QUEUES))
        dimension = None if queue is None or self.query.get("endpoint") == "users" else "queueId"
        self.sandbox.history.late_rewrites.append(
            LateRewrite(
                now,
                start,
                end,
                metric=None if self.query.get("endpoint") == "users" else metric,
                dimension=dimension,
                value=queue if dimension else None,
                removes=rng.random() < 0.4,
            )
        )
        self.life.rewrites += 1
        first = start.astimezone(self.zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        last = (end.astimezone(self.zone).replace(day=1) + timedelta(days=32)).replace(
            day=1, hour=0, minute=0, second=0, microsecond=0
        )
        self.rewritten.append((_text(first), _text(last)))

    def _enough(self) -> int:
        """The number of runs that find and repair every change (docs/operations.md, "Rechecks")."""
        unknown = self._unknown()
        windows = sum(
            math.ceil((datetime.fromisoformat(end) - datetime.fromisoformat(start)).days / self.window_days)
            + 3
            for start, end in (*self.rewritten, *unknown)
        )
        parts = 4 if self.sandbox.options.longest else 1
        looks = len(self._entries()) + (2 * parts) * len(unknown)
        return math.ceil(looks / self.looks) + windows // _REREAD_WINDOWS + 1

    def _compare(self) -> None:
        """The settled months of the table, as the ledger says that it is current, and the platform's."""
        end = min(self._floor(self.clock.instant - timedelta(days=self.lookback)), self._month_start())
        first = self._floor(self.start)
        if end <= first:
            return
        expected = ExpectedRows(self.sandbox).rows({**self.query, "api": self.api}, first, end)
        current = [row for row in self.target.current_rows("q") if row["interval_start"] < _text(end)]
        found, wanted = multiset(current), multiset(expected)
        self.life.rows += len(expected)
        if found != wanted:
            self.life.failures.append(f"at the end: {difference(found, wanted)}")

    def _month_start(self) -> datetime:
        """The beginning of the month that is settling."""
        local = (self.clock.instant - timedelta(days=self.lookback)).astimezone(self.zone)
        return local.replace(day=1, hour=0, minute=0, second=0, microsecond=0).astimezone(timezone.utc)


def _killed_at(number: int) -> Any:
    """A plan that kills the run at a request."""
    left = [number]

    def plan(_: int, request: Request) -> None:
        left[0] -= 1
        if left[0] == 0 and request.method != "DELETE":
            raise Killed

    return plan


def _text(instant: datetime) -> str:
    return f"{instant.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%S}.000Z"
