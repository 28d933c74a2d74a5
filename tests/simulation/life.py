"""One seed lived from its first run to its last, and compared with the truth."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING
from unittest.mock import patch

from genesys_sandbox import ExpectedRows, Sandbox
from genesys_sandbox.timestamps import to_ms, to_text
from tap_genesys_aggregates.extract import user_batches
from tests.pipeline.running import bag
from tests.simulation import checks
from tests.simulation.clock import SharedTime
from tests.simulation.dice import dice
from tests.simulation.pipe import run
from tests.simulation.target import Target
from tests.simulation.trouble import Trouble
from tests.simulation.world import World, make

if TYPE_CHECKING:
    from datetime import datetime
    from random import Random

    from tests.pipeline.running import Message, Outcome, Row
    from tests.simulation.asking import Query
    from tests.simulation.visits import Visit

_LONG_AFTER = timedelta(days=400)


@dataclass(slots=True)
class Life:
    """What became of a seed.

    Attributes:
        world: What chance had decided.
        wrong: Everything that must not have happened.
        met: Faults by kind.
        story: A line for each run.
        kills: Runs that were ended from outside.
        rows: Rows compared at the end.
    """

    world: World
    wrong: list[str] = field(default_factory=list)
    met: Counter[str] = field(default_factory=Counter)
    story: list[str] = field(default_factory=list)
    kills: int = 0
    rows: int = 0


def live(seed: int) -> Life:
    """Live a seed.

    Args:
        seed: Decides everything.

    Returns:
        What became of it.
    """
    world = make(seed)
    with patch.object(user_batches, "BATCH", world.users_at_once):
        return _Living(world).live()


def _text(instant: datetime) -> str:
    """An instant as keys and bookmarks have it, written by the sandbox."""
    return to_text(to_ms(instant))


class _Living:
    """The sandbox, the target and the time of one world."""

    def __init__(self, world: World) -> None:
        self.world, self.life = world, Life(world)
        self.clock = SharedTime(world.begin)
        self.sandbox = Sandbox(world.options, now=self._now, sleep=self._sleep)
        self.target = Target()
        self._log = 0

    def _now(self) -> datetime:
        """The true present of whichever clock it is."""
        return self.clock.instant

    def _sleep(self, seconds: float) -> None:
        """Let time pass, on whichever clock it is."""
        self.clock.sleep(seconds)

    def live(self) -> Life:
        """Every run, then the comparison."""
        for number, visit in enumerate(self.world.visits):
            due = self.world.begin + timedelta(hours=visit.hours)
            # A clock of its own: threads that a dead run left behind sleep on the old one.
            self.clock = SharedTime(max(due, self.clock.instant + timedelta(seconds=1)))
            began, self._log = self.clock.instant, len(self.sandbox.log)
            outcome = self._run(number, visit)
            if self.life.wrong:
                return self.life
        self._compare(began, outcome)
        return self.life

    def _run(self, number: int, visit: Visit) -> Outcome:
        """One run, and what it wrote loaded."""
        world, life = self.world, self.life
        seed = f"{world.seed} {number}"
        if visit.forgetful:
            self.target.state = {}
        state, alone = self.target.state, world.settings["concurrency"] == 1
        trouble = Trouble(seed, visit, self.clock, self.sandbox, alone=alone, shuffled=world.shuffled)
        self.sandbox.faults = trouble
        outcome, killed, strayed = run(self.sandbox, world.settings, state, self.clock, visit)
        killed = killed or trouble.killed
        watch = self._watch(state, lying=visit.manner == "lying")
        must_live = visit.manner in {"clean", "gentle"}
        said = (
            *watch.read(outcome.messages),
            *checks.leaks(self.sandbox, outcome),
            *checks.ending(outcome, visit.kill, killed=killed, must_live=must_live),
            *trouble.wrong,
            *strayed,
            *self._outlived(trouble.met),
        )
        life.wrong += [f"run {number} ({visit.manner}): {each}" for each in said]
        life.met += trouble.met
        life.kills += killed
        life.story.append(
            f"run {number} at {visit.hours:.1f} h, {visit.manner}, {visit.kill if killed else 'not killed'}: "
            f"{len(outcome.messages)} messages, faults {dict(trouble.met)}, {outcome.error!r}"
        )
        if visit.manner != "lying":
            self._load(outcome, dice("target", seed), harmed=killed)
        return outcome

    def _outlived(self, met: Counter[str]) -> list[str]:
        """Whether a token was used after its end, where nothing but time could have ended it."""
        honest = self.world.options.token_life is None and self.world.settings["concurrency"] == 1
        excuses = {"token revoked", "status 401", "clock jumps far"} & met.keys()
        lies = any(name.startswith("lie") for name in met)
        used = any(entry.status == 401 for entry in self.sandbox.log[self._log :])
        return ["a token was used after its end"] if honest and used and not excuses and not lies else []

    def _watch(self, state: Message, *, lying: bool) -> checks.Watch:
        """Who reads the messages of a run."""
        known = None if lying or self.world.options.rewrites else self._all_there_will_be()
        starts = {
            query["name"]: _text(self.world.edges(query, self.clock.instant)[0])
            for query in self.world.queries
        }
        return checks.Watch(state, known, starts)

    def _all_there_will_be(self) -> dict[str, list[Row]]:
        """The rows of every bucket that is complete now, where history does not change."""
        now = self.clock.instant
        return {query["name"]: self.world.truth(self.sandbox, query, now) for query in self.world.queries}

    def _load(self, outcome: Outcome, rng: Random, *, harmed: bool) -> None:
        """Load what came: all of it, unless the target was killed too."""
        if harmed or (outcome.error is not None and rng.random() < 0.3):
            self.target.load_some(outcome.messages, rng)
        else:
            self.target.load(outcome.messages)

    def _compare(self, began: datetime, last: Outcome) -> None:
        """The target against the truth, after a last run on which nothing went wrong."""
        for query in self.world.queries:
            for said in self._compared(query, began, last):
                self.life.wrong.append(f"at the end, {query['name']}: {said}")

    def _compared(self, query: Query, began: datetime, last: Outcome) -> list[str]:
        """What is wrong with one table."""
        name = query["name"]
        bookmark = str(last.state.get("bookmarks", {}).get(name, {}).get("replication_key_value"))
        first, least = self.world.edges(query, began)
        end = self.world.edges(query, self.clock.instant)[1]  # a stream begins when the one before it is done
        if least <= first and bookmark == "None":
            return []
        wrong = []
        if not _text(least) <= bookmark <= _text(end):
            return [f"the bookmark is {bookmark}, not {_text(end)}"]
        if gap := self.target.gap(name, _text(first), bookmark):
            wrong.append(f"no line of the ledger covers {gap}")
        if not self.world.options.rewrites:
            truth = self.world.truth(self.sandbox, query, self.clock.instant)
            truth = [row for row in truth if row["interval_start"] < bookmark]
            wrong += self._equal(self.target.rows(name), truth)
            return wrong + self._equal(self.target.current(name), truth, "current ")
        settled = _text(began - timedelta(days=self.world.options.settle_days))
        truth = ExpectedRows(self.sandbox).rows(query, first, end, began + _LONG_AFTER)
        return wrong + self._equal(
            [row for row in self.target.current(name) if row["interval_end"] <= settled],
            [row for row in truth if row["interval_end"] <= settled],
            "settled ",
        )

    def _equal(self, rows: list[Row], truth: list[Row], which: str = "") -> list[str]:
        """How rows differ from the truth, if they do."""
        self.life.rows += len(truth)
        found, expected = bag(rows), bag(truth)
        return [] if found == expected else [f"{which}{checks.difference(found, expected)}"]
