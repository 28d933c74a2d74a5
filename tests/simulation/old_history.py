"""Months of history that is rewritten at any age, while runs are killed: rechecks find and repair all of it.

Each seed draws a query, a platform and a user as in ``scenario.py``, but over months instead of days. A
rewrite changes or deletes the events of some days or of all history: all of them, or those of one metric,
queue or user. The platform has a habit with the answers for whole months (``coarse_answers.py``), and
requests meet faults. After the last rewrite and the last kill, the stated number of runs must be enough
(docs/operations.md, "Rechecks"): from then on, the settled months equal the platform's.
"""

from __future__ import annotations

import math
import traceback
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

from typing_extensions import override

from genesys_sandbox import ExpectedRows, LateRewrite, Options
from genesys_sandbox.expected_buckets import grid
from genesys_sandbox.timestamps import to_datetime, to_ms
from tap_genesys_aggregates.extract import user_batches
from tests.pipeline.running import config, multiset
from tests.simulation.checks import difference, leaked_secrets, wrong_ending
from tests.simulation.coarse_answers import (
    EMPTY_GROUPS,
    HABITS,
    MISSING,
    NEVER,
    NOT_IN_COARSE,
    REFUSALS,
    CoarseSandbox,
)
from tests.simulation.fault_injection import FaultInjector
from tests.simulation.scenario import SECRET, Interruption, ScheduledRun, seeded_random
from tests.simulation.simulate import Target
from tests.simulation.tap_run import Killed, SharedTime, run_tap
from tests.simulation.troubles import Troubles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.pipeline.running import Row
    from tests.simulation.scenario import FaultLevel
    from tests.simulation.tap_run import TapRun

_LEVELS: tuple[FaultLevel, ...] = ("none", "none", "retryable", "retryable", "fatal")
_WAYS: tuple[Any, ...] = ("SIGKILL", "SIGTERM", "broken pipe", "at a request", "at a request")
_AT_A_LOOK = Interruption("at a request", 0)
_NEVER_SETTLES = 500
"""A lookback in days that is longer than any history."""
_MANY_REQUESTS = 1_000_000
_LOOKS_OF_A_SPLIT_MONTH = 7
"""A month, its halves and its quarters."""
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
    """One seed: what it draws, and what has happened so far.

    Attributes:
        seed: The seed.
        failures: Every check that failed.
        faults: How often each kind of fault happened; a habit of the platform counts once.
        log: One line for each run.
        runs: How many runs there were.
        killed: How many of them were ended from outside.
        killed_rechecking: How many of those while they looked at a month or read it again.
        rewrites: How often history was rewritten.
        reread: How many windows of settled months were read again.
        rows: How many rows were compared at the end.
        needed: The run, counted after the last kill, that repaired the last change.
        enough: The number of runs that had to be enough.
    """

    seed: int
    failures: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    log: list[str] = field(default_factory=list)
    runs: int = 0
    killed: int = 0
    killed_rechecking: int = 0
    rewrites: int = 0
    reread: int = 0
    rows: int = 0
    needed: int = 0
    enough: int = 0


def live(seed: int) -> Life:
    """Simulate a seed."""
    with patch.object(user_batches, "USERS_PER_REQUEST", 3):
        return _History(seed).go()


def summarize(seed: int) -> Life:
    """Simulate a seed; a crash of the simulation itself is a failure too."""
    try:
        return live(seed)
    except Exception:  # noqa: BLE001  # see the docstring
        return Life(seed, [traceback.format_exc()])


def failures(seed: int) -> list[str]:
    """Every check of a seed that failed."""
    return summarize(seed).failures


class _Faults(FaultInjector):
    """Faults of a run, which can be killed at a request after its first look at a month."""

    looks: list[str]
    first_look: int
    left_after_look: int | None = None

    @override
    def _count(self) -> None:
        super()._count()
        if self.left_after_look is None or self.killed or len(self.looks) == self.first_look:
            return
        self.left_after_look -= 1
        if self.left_after_look <= 0:
            self.killed = True
            raise Killed


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
        if self.api == "results":
            self.query |= {
                "shape": rng.choice(("wide", "long")),
                "mode": rng.choice(("sync", "sync", "async")),
            }
        self.query["time_zone"] = rng.choice(("UTC",) if self.api == "group_tree" else _ZONES)
        self.zone = ZoneInfo(self.query["time_zone"])
        self.start = datetime(2026, rng.choice((1, 2)), rng.randint(1, 28), tzinfo=timezone.utc)
        self.is_long = rng.random() < 0.06
        if self.is_long:
            self.query["granularity"] = "P1D"
        span = rng.uniform(200, 420) if self.is_long else rng.uniform(45, 100)
        self.clock = SharedTime(self.start + timedelta(days=span))
        self.looks = rng.choice((1, 1, 1, 2, 3))
        self.lookback = rng.choice((4, 4, 4, 4, 7, 7, 7, 7, _NEVER_SETTLES))
        limit = rng.choice((None, None, None, 10, 20)) if self.query.get("mode") != "async" else None
        self.sandbox = CoarseSandbox(
            Options(
                seed=rng.randrange(3),
                agents=5 if kind == "users" else 3,
                volume=0.005,
                replay=False,
                credentials=("sandbox", SECRET),
                longest=None if limit is None else timedelta(days=limit),
                requests_per_minute=None,
            ),
            now=lambda: self.clock.instant,
            sleep=self.clock.sleep,
        )
        self.sandbox.habit = habit = rng.choice(HABITS)
        self.sandbox.longest = 24.0 * rng.choice((10, 20))
        if (habit == MISSING and kind == "users") or (habit == EMPTY_GROUPS and kind != "results"):
            self.sandbox.habit = ""
        if self.sandbox.habit:
            self.life.faults[f"whole months: {habit}"] += 1
        window = "P7D" if self.is_long else rng.choice(("P1D", "P1D", "P7D"))
        self.settings = config(
            api=self.api,
            queries=[self.query],
            start_date=self.start.isoformat(),
            window=window,
            max_window="P31D" if self.lookback == _NEVER_SETTLES or rng.random() < 0.7 else window,
            page_size=rng.choice((2, 25, 25)),
            lookback_days=self.lookback,
            concurrency=rng.choice((1, 1, 3)),
            client_id="sandbox",
            client_secret=SECRET,
            recheck_requests=self.looks,
        )
        self.target = Target()
        self.rewritten: list[tuple[str, str]] = []
        self._times_reread: Counter[str] = Counter()
        self.settled = self.start

    def go(self) -> Life:
        """All runs of the seed, and the comparison at the end."""
        rng = self.rng
        for _ in range(rng.randint(0, 2)):
            self._run(rng.choice(_LEVELS), killed=True)
        for _ in range(rng.randint(1, 3)):
            self._rewrite()
            for _ in range(rng.randint(0, 3)):
                self.clock.sleep(3600 * rng.choice((1, 24, 24, rng.uniform(24, 500))))
                self._run(rng.choice(_LEVELS), killed=rng.random() < 0.5)
        if rng.random() < 0.6:
            self._rewrite()
        if self.sandbox.habit == NEVER:
            self._check_unanswered()
        else:
            self._repair()
            self._compare()
        return self.life

    def _repair(self) -> None:
        """As many runs as must be enough (docs/operations.md, "Rechecks"), which can meet faults."""
        self._times_reread.clear()
        self.settled = self._month_start()
        looks, run, quiet = math.ceil(self._looks_to_make() / self.looks), 0, 0
        while run < looks + self._times_reread.total() // _REREAD_WINDOWS + 1 and not self._is_round(quiet):
            before, looked = self._times_reread.total(), len(self.sandbox.looks)
            self._run(self.rng.choice(("none", "none", "retryable")))
            run, quiet = run + 1, quiet + len(set(self.sandbox.looks[looked:]))
            if self._times_reread.total() > before:
                self.life.needed, quiet = run, 0
        self.life.enough = looks + self._times_reread.total() // _REREAD_WINDOWS + 1
        self._run("none")  # so that it ends with the last complete bucket
        most = max(self._times_reread.values(), default=0)
        if most > 2 and self.sandbox.habit != EMPTY_GROUPS:  # what was left, and a change since
            self.life.failures.append(f"a window was read again {most} times")

    def _is_round(self, looks: int) -> bool:
        """Whether so many looks in a row without a change have seen every month: later ones see no more."""
        rechecks = self._bookmark.get("rechecks", {})
        if self.lookback == _NEVER_SETTLES:
            return True  # the run before has read everything again
        return looks > len(self._entries()) and all(self._entries().values()) and "rereads" not in rechecks

    def _run(self, level: FaultLevel, *, killed: bool = False) -> None:
        """Run the tap, and load what it wrote."""
        self.clock = SharedTime(self.clock.instant + timedelta(hours=1))
        before, began, looks = self.target.state, self.clock.instant, len(self.sandbox.looks)
        allowed = [*self.rewritten, *self._unknown()]
        interruption = None
        kill_rechecks = killed and self.rng.random() < 0.5
        if kill_rechecks:
            interruption = Interruption("at a request", _MANY_REQUESTS)
        elif killed:
            how = self.rng.choice(_WAYS)
            most = (8, 20, 60) if how == "at a request" else (8, 40, 300)
            interruption = Interruption(how, self.rng.randint(1, self.rng.choice(most)))
        scheduled = ScheduledRun(began.timestamp(), level, interruption)
        faults = self.sandbox.faults = _Faults(
            f"{self.life.seed} {self.life.runs}",
            scheduled,
            self.clock,
            self.sandbox,
            Troubles([], []),
            sequential=self.settings["concurrency"] == 1,
            shuffled_pages=False,
        )
        faults.looks, faults.first_look = self.sandbox.looks, looks
        faults.left_after_look = self.rng.choice((1, 2, 4, 12)) if kill_rechecks else None
        run = run_tap(
            self.sandbox, self.settings, before, self.clock, scheduled, sends_date=False, pause=lambda: None
        )
        life, interrupted = self.life, run.interrupted or faults.killed
        life.runs += 1
        looked = self.sandbox.looks[looks:]
        reread = [row for row in run.outcome.rows("extractions") if row["reason"] == "recheck"]
        self._times_reread.update(row["window_start"] for row in reread)
        wrong = [
            *leaked_secrets(self.sandbox, run.outcome),
            *wrong_ending(
                run, interruption or (_AT_A_LOOK if interrupted else None), interrupted=interrupted
            ),
            *faults.failures,
            *run.foreign_requests,
            *self._wrong(run, level, looked, allowed, interrupted=interrupted),
            *self._late(run, began),
        ]
        life.failures += [f"run {life.runs} ({level}): {each}" for each in wrong]
        life.faults += faults.counts
        life.killed += interrupted
        life.killed_rechecking += interrupted and bool(looked or reread)
        life.reread += len(reread)
        ending = (interruption or "at a look") if interrupted else "not killed"
        life.log.append(
            f"run {life.runs} at {began}, faults: {level}, {ending}: looked at {sorted(set(looked))}, "
            f"{len(reread)} windows read again, {run.outcome.error!r}"
        )
        if run.outcome.error is None:
            self.target.load(run.outcome.messages)
        else:
            self.target.load_partly(run.outcome.messages, self.rng)

    def _wrong(
        self,
        run: TapRun,
        level: FaultLevel,
        looked: list[str],
        allowed: list[tuple[str, str]],
        *,
        interrupted: bool,
    ) -> Iterator[str]:
        """What is wrong with a run: it failed, looks too often, or reads again what did not change."""
        error = run.outcome.error
        if error is not None and not interrupted and level != "fatal":
            yield f"failed without a reason: {error!r} {run.outcome.log[-600:]}"
        if len(set(looked)) > self.looks:
            yield f"{len(set(looked))} looks: {looked}"
        reread = [row for row in run.outcome.rows("extractions") if row["reason"] == "recheck"]
        if len(reread) > _REREAD_WINDOWS:
            yield f"{len(reread)} windows were read again"
        if level == "fatal" or self.sandbox.habit == EMPTY_GROUPS:
            return  # a month that was refused has no fingerprint; one that always differs is read again
        for row in reread:
            start, end = row["window_start"], row["window_end"]
            if not any(a < end and start < b for a, b in allowed):
                yield f"{start}/{end} was read again, but nothing changed there"

    def _late(self, run: TapRun, began: datetime) -> Iterator[str]:
        """Whether new data is missing: every bucket that was complete when a run began is loaded by it."""
        if run.outcome.error is not None:
            return
        loaded = run.outcome.state["bookmarks"]["q"]["replication_key_value"]
        if not _text(self._floor(began)) <= loaded <= _text(self._floor(self.clock.instant)):
            yield f"loaded up to {loaded}, not {_text(self._floor(began))}"

    def _check_unanswered(self) -> None:
        """Months that the platform never answers for are known as such, after the stated number of runs."""
        for _ in range(3):
            self._run("none")
        if self.life.reread:
            self.life.failures.append(f"{self.life.reread} windows were read again without a look")

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
            if not entry or not all(each.strip("-") and each[0] != "-" for each in entry):
                found.append((_text(begin), _text(following)))
            begin = following
        return found

    def _rewrite(self) -> None:
        """Change a piece of history that may change, of any age."""
        now, rng = self.clock.instant, self.rng
        age = rng.uniform(0, (now - self.start) / timedelta(days=1))
        days = rng.choice((0.5, 1, 3, 31, 31, math.inf))
        start = self.start + timedelta(days=0 if days == math.inf else age)
        end = now if days == math.inf else min(start + timedelta(days=days), now)
        metric = rng.choice((None, None, "tHandle"))
        users = [agent.id for agent in self.sandbox.history.contact_center.directory.agents]
        groups = [("userId", rng.choice(users)), *(("queueId", each) for each in _QUEUES)]
        dimension, value = rng.choice([(None, None), (None, None), *groups])
        if self.query.get("endpoint") == "users" and dimension == "queueId":
            dimension = value = None
        self.sandbox.history.late_rewrites.append(
            LateRewrite(
                now,
                start,
                end,
                metric=None if self.query.get("endpoint") == "users" else metric,
                dimension=dimension,
                value=value,
                removes=rng.random() < 0.4,
            )
        )
        self.life.rewrites += 1
        first = start.astimezone(self.zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        last = (end.astimezone(self.zone).replace(day=1) + timedelta(days=32)).replace(
            day=1, hour=0, minute=0, second=0, microsecond=0
        )
        self.rewritten.append((_text(first), _text(last)))

    def _looks_to_make(self) -> int:
        """How many looks it takes to see every settled month, in parts where it is too much at once."""
        is_split = self.sandbox.options.longest or self.sandbox.habit in REFUSALS
        return len(self._entries()) + (_LOOKS_OF_A_SPLIT_MONTH if is_split else 1) * len(self._unknown())

    def _compare(self) -> None:
        """The months that had settled by the last kill: what the ledger calls current, and the platform's."""
        end = min(self._floor(self.clock.instant - timedelta(days=self.lookback)), self.settled)
        first = self._floor(self.start)
        if end <= first:
            return
        expected = ExpectedRows(self.sandbox).rows({**self.query, "api": self.api}, first, end)
        current = [row for row in self.target.current_rows("q") if row["interval_start"] < _text(end)]
        found, wanted = (multiset([*filter(None, map(self._noticed, each))]) for each in (current, expected))
        self.life.rows += len(expected)
        if found != wanted:
            self.life.failures.append(f"at the end: {difference(found, wanted)}")

    def _noticed(self, row: Row) -> Row | None:
        """What rechecks can notice of a row: a metric that no coarse answer has, nobody can check."""
        if self.sandbox.habit != MISSING:
            return row
        if self.query.get("shape") == "long":
            return None if row["metric"] == NOT_IN_COARSE["results"] else row
        cells = {n: each for n, each in row.items() if not n.startswith(("n_offered", "conversation_count"))}
        numbers = (each for n, each in cells.items() if n.startswith(("t_handle", "handle_duration")))
        return cells if any(each is not None for each in numbers) else None

    def _month_start(self) -> datetime:
        """The beginning of the month that is settling."""
        local = (self.clock.instant - timedelta(days=self.lookback)).astimezone(self.zone)
        return local.replace(day=1, hour=0, minute=0, second=0, microsecond=0).astimezone(timezone.utc)


def _text(instant: datetime) -> str:
    return f"{instant.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%S}.000Z"
