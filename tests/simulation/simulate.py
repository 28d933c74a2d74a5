"""Makes all runs of a seed's scenario, and compares the target with the expected rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING
from unittest.mock import patch

from genesys_sandbox import ExpectedRows, Sandbox
from genesys_sandbox.timestamps import to_ms, to_text
from tap_genesys_aggregates.extract import user_batches
from tests.pipeline.running import Warehouse, multiset
from tests.simulation.checks import MessageChecker, difference, leaked_secrets, wrong_ending
from tests.simulation.fault_injection import FaultInjector
from tests.simulation.scenario import Scenario, make_scenario, seeded_random
from tests.simulation.tap_run import SharedTime, run_tap

if TYPE_CHECKING:
    from datetime import datetime
    from random import Random

    from tests.pipeline.running import Message, Outcome, Row
    from tests.simulation.scenario import Query, ScheduledRun

_LONG_AFTER = timedelta(days=400)


class Target(Warehouse):
    """An upserting target that drains its streams one by one, and emits a STATE once all are drained.

    When it is killed, it may have loaded more than the last STATE that it emitted covers.
    """

    def load_partly(self, messages: list[Message], rng: Random) -> None:
        """Load what a target holds that was killed at a random moment.

        It holds every row before the last STATE that it emitted. Of the rows after it, it holds the first
        few of each stream, all, or none.

        Args:
            messages: What the tap wrote.
            rng: Decides how far the target got.
        """
        states = [index for index, message in enumerate(messages) if message["type"] == "STATE"]
        done = rng.choice(states[-3:]) + 1 if states and rng.random() < 0.9 else 0
        self.load(messages[:done])
        rest = messages[done:]
        self.load([message for message in rest if message["type"] == "SCHEMA"])
        for stream in sorted({message["stream"] for message in rest if message["type"] == "RECORD"}):
            rows = [each for each in rest if each["type"] == "RECORD" and each["stream"] == stream]
            self.load(rows[: rng.choice((0, len(rows), rng.randint(0, len(rows))))])

    def ledger(self, stream: str) -> list[Row]:
        """The ledger rows of a stream, by their windows."""
        entries = [entry for entry in self.rows("extractions") if entry["query"] == stream]
        return sorted(entries, key=lambda entry: (entry["window_start"], entry["window_end"]))

    def current_rows(self, stream: str) -> list[Row]:
        """The rows from the last extraction of their bucket, according to the ledger."""
        ledger = self.ledger(stream)
        return [
            row
            for row in self.rows(stream)
            if not any(
                entry["window_start"] <= row["interval_start"] < entry["window_end"]
                and entry["extracted_at"] > row["extracted_at"]
                for entry in ledger
            )
        ]

    def gap(self, stream: str, start: str, end: str) -> str:
        """The first interval between two instants that no ledger row covers; empty if there is none."""
        covered = start
        for entry in self.ledger(stream):
            if entry["window_start"] > covered:
                return f"{covered}/{entry['window_start']}"
            covered = max(covered, entry["window_end"])
        return "" if covered >= end else f"{covered}/{end}"


@dataclass(slots=True)
class Result:
    """The result of a simulated scenario.

    Attributes:
        scenario: The scenario.
        failures: Every check that failed.
        faults: How often each kind of fault happened.
        log: One line for each run.
        killed: How many runs were ended from outside.
        rows: How many rows were compared at the end.
    """

    scenario: Scenario
    failures: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    log: list[str] = field(default_factory=list)
    killed: int = 0
    rows: int = 0


def simulate(seed: int) -> Result:
    """Simulate the scenario of a seed."""
    scenario = make_scenario(seed)
    with patch.object(user_batches, "BATCH", scenario.user_batch_size):
        return _Simulation(scenario).run_all()


def _text(instant: datetime) -> str:
    """An instant as keys and bookmarks have it, formatted by the sandbox."""
    return to_text(to_ms(instant))


class _Simulation:
    """The sandbox, the target and the clock of one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario, self.result = scenario, Result(scenario)
        self.clock = SharedTime(scenario.start)
        self.sandbox = Sandbox(scenario.options, now=self._now, sleep=self._sleep)
        self.target = Target()
        self._requests_before = 0

    def _now(self) -> datetime:
        return self.clock.instant

    def _sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)

    def run_all(self) -> Result:
        """Make every run, then compare the target."""
        for number, scheduled in enumerate(self.scenario.runs):
            due = self.scenario.start + timedelta(hours=scheduled.hours)
            # A new clock for each run: threads that a killed run left behind sleep on the old one.
            self.clock = SharedTime(max(due, self.clock.instant + timedelta(seconds=1)))
            began, self._requests_before = self.clock.instant, len(self.sandbox.log)
            outcome = self._run(number, scheduled)
            if self.result.failures:
                return self.result
        self._compare(began, outcome)
        return self.result

    def _run(self, number: int, scheduled: ScheduledRun) -> Outcome:
        """Make one run, check it, and load what it wrote."""
        scenario, result, level = self.scenario, self.result, scheduled.faults
        seed = f"{scenario.seed} {number}"
        if scheduled.state_lost:
            self.target.state = {}
        state, sequential = self.target.state, scenario.settings["concurrency"] == 1
        faults = FaultInjector(
            seed,
            scheduled,
            self.clock,
            self.sandbox,
            sequential=sequential,
            shuffled_pages=scenario.shuffled_pages,
        )
        self.sandbox.faults = faults
        outcome, interrupted, foreign_requests = run_tap(
            self.sandbox, scenario.settings, state, self.clock, scheduled
        )
        interrupted = interrupted or faults.killed
        failures = (
            *self._checker(state, malformed=level == "malformed").read(outcome.messages),
            *leaked_secrets(self.sandbox, outcome),
            *wrong_ending(
                outcome,
                scheduled.interruption,
                interrupted=interrupted,
                must_succeed=level in {"none", "retryable"},
            ),
            *faults.failures,
            *foreign_requests,
            *self._expired_tokens(faults.counts),
        )
        result.failures += [f"run {number} ({level}): {each}" for each in failures]
        result.faults += faults.counts
        result.killed += interrupted
        result.log.append(
            f"run {number} after {scheduled.hours:.1f} h, faults: {level}, "
            f"{scheduled.interruption if interrupted else 'not killed'}: "
            f"{len(outcome.messages)} messages, {dict(faults.counts)}, {outcome.error!r}"
        )
        if level != "malformed":
            self._load(outcome, seeded_random("target", seed), interrupted=interrupted)
        return outcome

    def _expired_tokens(self, faults: Counter[str]) -> list[str]:
        """Whether a token was used after its end, if it can only have ended because its time was over."""
        honest = self.scenario.options.token_life is None and self.scenario.settings["concurrency"] == 1
        excuses = ("token revoked", "status 401", "clock jumps far", "malformed")
        excused = any(name.startswith(excuses) for name in faults)
        used = any(entry.status == 401 for entry in self.sandbox.log[self._requests_before :])
        return ["a token was used after its end"] if honest and used and not excused else []

    def _checker(self, state: Message, *, malformed: bool) -> MessageChecker:
        expected = None if malformed or self.scenario.options.rewrites else self._expected_now()
        starts = {
            query["name"]: _text(self.scenario.bounds(query, self.clock.instant)[0])
            for query in self.scenario.queries
        }
        return MessageChecker(state, expected, starts)

    def _expected_now(self) -> dict[str, list[Row]]:
        """The rows of every bucket that is complete now, if history does not change."""
        now = self.clock.instant
        return {
            query["name"]: self.scenario.expected_rows(self.sandbox, query, now)
            for query in self.scenario.queries
        }

    def _load(self, outcome: Outcome, rng: Random, *, interrupted: bool) -> None:
        """Load what was written: all of it, unless the target was killed too."""
        if interrupted or (outcome.error is not None and rng.random() < 0.3):
            self.target.load_partly(outcome.messages, rng)
        else:
            self.target.load(outcome.messages)

    def _compare(self, began: datetime, last: Outcome) -> None:
        """Compare the target with the expected rows, after a last run without faults."""
        for query in self.scenario.queries:
            for failure in self._compare_table(query, began, last):
                self.result.failures.append(f"at the end, {query['name']}: {failure}")

    def _compare_table(self, query: Query, began: datetime, last: Outcome) -> list[str]:
        name = query["name"]
        bookmark = str(last.state.get("bookmarks", {}).get(name, {}).get("replication_key_value"))
        first, earliest_end = self.scenario.bounds(query, began)
        end = self.scenario.bounds(query, self.clock.instant)[1]  # a stream waits for the ones before it
        if earliest_end <= first and bookmark == "None":
            return []
        failures = []
        if not _text(earliest_end) <= bookmark <= _text(end):
            return [f"the bookmark is {bookmark}, not {_text(end)}"]
        if gap := self.target.gap(name, _text(first), bookmark):
            failures.append(f"no ledger row covers {gap}")
        if not self.scenario.options.rewrites:
            expected = self.scenario.expected_rows(self.sandbox, query, self.clock.instant)
            expected = [row for row in expected if row["interval_start"] < bookmark]
            failures += self._compare_rows(self.target.rows(name), expected, "all: ")
            return failures + self._compare_rows(self.target.current_rows(name), expected, "current: ")
        settled = _text(began - timedelta(days=self.scenario.options.settle_days))
        expected = ExpectedRows(self.sandbox).rows(query, first, end, began + _LONG_AFTER)
        return failures + self._compare_rows(
            [row for row in self.target.current_rows(name) if row["interval_end"] <= settled],
            [row for row in expected if row["interval_end"] <= settled],
            "settled: ",
        )

    def _compare_rows(self, rows: list[Row], expected: list[Row], which: str) -> list[str]:
        self.result.rows += len(expected)
        found, wanted = multiset(rows), multiset(expected)
        return [] if found == wanted else [f"{which}{difference(found, wanted)}"]
