"""Makes all runs of a seed's scenario, and compares the target with the expected rows."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from unittest.mock import patch

from genesys_sandbox import ExpectedRows, Sandbox
from genesys_sandbox.timestamps import to_ms, to_text
from tap_genesys_aggregates.extract import user_batches
from tests.pipeline.running import Warehouse, multiset
from tests.simulation.checks import (
    MessageChecker,
    difference,
    leaked_secrets,
    wrong_ending,
    wrong_failures,
)
from tests.simulation.fault_injection import FaultInjector
from tests.simulation.scenario import Scenario, ScheduledRun, make_scenario, seeded_random
from tests.simulation.tap_run import SharedTime, run_tap
from tests.simulation.troubles import Troubles, is_same_request, with_statistic
from tests.simulation.user import User, key, meaning, metrics, with_columns
from tests.simulation.window_checks import RefusedLengths, asked, plain_length, wrong_lengths, wrong_stamps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from random import Random

    from tests.pipeline.running import Message, Outcome, Row
    from tests.simulation.scenario import Query
    from tests.simulation.tap_run import TapRun

_LONG_AFTER = timedelta(days=400)
_BEFORE = timedelta(days=8)
"""How long before the present ``start_date`` windows may begin: with an earlier one, or in a backfill."""
_BETWEEN_RUNS = timedelta(seconds=3)
_PRECISION = timedelta(seconds=3)
"""``Date`` has whole seconds, and is older than the answer."""
_NO_RUN = -1
"""The number of a run that meets no troubles: a backfill."""
_MORE_RUNS = 8
"""After the last trouble: as many may be needed until every message was followed."""
_SLOWEST_RUN = timedelta(days=5)


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

    def drop(self, stream: str) -> None:
        """Drop a table, and remove its bookmark from the state."""
        self.tables.pop(stream, None)
        bookmarks = {name: each for name, each in self.state.get("bookmarks", {}).items() if name != stream}
        self.state = {**self.state, "bookmarks": bookmarks} if self.state else {}

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
    return play(make_scenario(seed))


def play(scenario: Scenario) -> Result:
    """Simulate a scenario."""
    with patch.object(user_batches, "USERS_PER_REQUEST", scenario.user_batch_size):
        return _Simulation(scenario).run_all()


def _text(instant: datetime) -> str:
    """An instant as keys and bookmarks have it, formatted by the sandbox."""
    return to_text(to_ms(instant))


@dataclass(frozen=True, slots=True)
class _Version:
    """A query as it was in some runs, and the metric that came with another statistic then, if any."""

    query: Query
    new_statistic: str | None = None

    def is_like(self, other: _Version) -> bool:
        """Whether rows of both have the same meaning and the same columns."""
        return meaning(self.query) == meaning(other.query) and metrics(self.query) == metrics(other.query)


@dataclass(slots=True)
class _Loaded:
    """What is known about the rows of one stream's state, apart from the state itself.

    Attributes:
        version: The query that the bookmark was written for.
        kept_until: Rows of earlier versions may only be left before this instant.
    """

    version: _Version
    kept_until: str = ""


class _Simulation:
    """The sandbox, the target, the user and the clock of one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario, self.result = scenario, Result(scenario)
        self.clock = SharedTime(scenario.start)
        self.sandbox = Sandbox(scenario.options, now=self._now, sleep=self._sleep)
        self.target = Target()
        self.user = User(scenario.settings, scenario.habits)
        self._rng = seeded_random("user", scenario.seed)
        self._requests_before = 0
        self._loaded: dict[str, _Loaded] = {}
        self._versions: dict[tuple[str, ...], _Version] = {}
        self._used: dict[str, list[_Version]] = {}
        self._refused = RefusedLengths()

    def _now(self) -> datetime:
        return self.clock.instant

    def _sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)

    @property
    def _start(self) -> datetime:
        """The present ``start_date``."""
        return datetime.fromisoformat(self.user.settings["start_date"])

    def run_all(self) -> Result:
        """Make every run, then further ones until one succeeds, then compare the target."""
        runs = self.scenario.runs
        for number, scheduled in enumerate(runs):
            self._backfill(number)
            self.user.edit(number)
            last, began = self._run_at(number, scheduled)
            if self.result.failures:
                return self.result
            if last.failed and (number == len(runs) - 1 or self._rng.random() < 0.6):
                self._follow(last)
        for number in range(len(runs), len(runs) + _MORE_RUNS):
            if last.outcome.error is None:
                break
            last, began = self._run_at(number, replace(runs[-1], hours=runs[-1].hours + number))
            if self.result.failures:
                return self.result
            self._follow(last)
        if last.outcome.error is not None:
            self.result.failures.append(f"blocked for ever: {last.outcome.error}")
            return self.result
        self._compare(began, last.outcome)
        return self.result

    def _run_at(self, number: int, scheduled: ScheduledRun) -> tuple[TapRun, datetime]:
        """Make a run when it is due; returns when it began, too."""
        due = self.scenario.start + timedelta(hours=scheduled.hours)
        # A new clock for each run: threads that a killed run left behind sleep on the old one.
        ahead = self.scenario.habits.ahead.get(number, timedelta())
        self.clock = SharedTime(max(due, self.clock.instant + _BETWEEN_RUNS), ahead)
        began, self._requests_before = self.clock.instant, len(self.sandbox.log)
        return self._run(number, scheduled), began

    def _follow(self, run: TapRun) -> None:
        """Let the user do what the messages say."""
        self.user.follow(run.failed, self.scenario.habits.troubles, self._rng)
        for name in self.user.dropped:
            self.target.drop(name)
            self._loaded.pop(name, None)
            self._used.pop(name, None)
            self._versions = {row: each for row, each in self._versions.items() if row[0] != name}
        self.user.dropped.clear()

    def _troubles(self, number: int) -> Troubles:
        """What the platform does in a run."""
        active = [each for each in self.scenario.habits.troubles if number in each.runs]
        return Troubles(active, self.user.queries)

    def _run(self, number: int, scheduled: ScheduledRun) -> TapRun:
        """Make one run, check it, and load what it wrote."""
        scenario, result, level = self.scenario, self.result, scheduled.faults
        seed = f"{scenario.seed} {number}"
        if scheduled.state_lost:
            self.target.state, self._refused = {}, RefusedLengths()
        state, sequential = self.target.state, scenario.settings["concurrency"] == 1
        troubles = self._troubles(number)
        faults = FaultInjector(
            seed,
            scheduled,
            self.clock,
            self.sandbox,
            troubles,
            sequential=sequential,
            shuffled_pages=scenario.shuffled_pages,
        )
        self.sandbox.faults = faults
        began, behind = min(self.clock.instant, self.clock.now()), self.clock.behind
        due = self._due(state, began)
        run = run_tap(
            self.sandbox,
            self.user.settings,
            state,
            self.clock,
            scheduled,
            sends_date=scenario.habits.sends_date,
            pause=self._pause(number),
        )
        outcome, interrupted = run.outcome, run.interrupted or faults.killed
        failures = [
            *self._checker(state, malformed=level == "malformed").read(outcome.messages),
            *leaked_secrets(self.sandbox, outcome),
            *wrong_ending(run, scheduled.interruption, interrupted=interrupted),
            *faults.failures,
            *run.foreign_requests,
            *self._expired_tokens(faults.counts),
            *self._wrong_windows(outcome, faults.counts),
        ]
        if level in {"none", "retryable"} and not interrupted:
            changed = self._changed(state, certain=False)
            asking = self._asking(state, began)
            must_fail = self._changed(state, certain=True) | (troubles.certain() & asking)
            failures += wrong_failures(run, may_fail=troubles.failing() | changed, must_fail=must_fail)
            set_back = self.clock.behind - behind
            failures += self._behind(run, began - set_back)
            failures += self._later_than_now(run, self.clock.now() + set_back)
        result.failures += [f"run {number} ({level}): {each}" for each in failures]
        result.faults += faults.counts
        result.killed += interrupted
        result.log.append(
            f"run {number} after {scheduled.hours:.1f} h, faults: {level}, "
            f"{scheduled.interruption if interrupted else 'not killed'}: "
            f"{len(outcome.messages)} messages, {dict(faults.counts)}, {outcome.error!r}"
        )
        self._refused = self._refused if outcome.error is None else RefusedLengths()
        if level != "malformed":
            self._remember(outcome, number)
            self._load(outcome, seeded_random("target", seed), interrupted=interrupted)
            self._note_versions(state, due, number)
        return run

    def _backfill(self, number: int) -> None:
        """Load a period again beside the daily runs, with a state of its own."""
        share = self.scenario.habits.backfills.get(number)
        if share is None or self._troubles(number).failing():
            return
        self.clock = SharedTime(self.clock.instant + _BETWEEN_RUNS)
        start = self._start - timedelta(hours=share * 40)
        settings = {
            **self.user.settings,
            "start_date": start.isoformat(),
            "end_date": (start + (self.clock.instant - start) * share).isoformat(),
        }
        scheduled = ScheduledRun(0, "none")
        self.sandbox.faults = None
        run = run_tap(
            self.sandbox,
            settings,
            {},
            self.clock,
            scheduled,
            sends_date=self.scenario.habits.sends_date,
            pause=lambda: None,
        )
        if run.outcome.error is not None:
            self.result.failures.append(f"backfill before run {number}: {run.outcome.error}")
        self._remember(run.outcome, _NO_RUN)
        state = self.target.state
        self.target.load(run.outcome.messages)
        self.target.state = state

    def _pause(self, number: int) -> Callable[[], None]:
        """What a slow target does before each piece of output: it takes hours, but not for ever."""
        if number not in self.scenario.habits.slow_runs:
            return lambda: None
        rng, until = seeded_random("pause", self.scenario.seed), self.clock.instant + _SLOWEST_RUN

        def pause() -> None:
            if self.clock.instant < until:
                self.clock.sleep(3600 * rng.uniform(8, 40))

        return pause

    def _changed(self, state: Message, *, certain: bool) -> set[str]:
        """The queries that must be refused because they changed, or those that may be."""
        found = set()
        for query in self.user.queries:
            loaded = self._loaded.get(query["name"])
            bookmark = state.get("bookmarks", {}).get(query["name"], {})
            if loaded is None or not bookmark or (certain and "replication_key_value" not in bookmark):
                continue
            stops = query["on_query_change"] == "stop"
            if key(query) != key(loaded.version.query) or (
                stops and meaning(query) != meaning(loaded.version.query)
            ):
                found.add(query["name"])
        return found

    def _asking(self, state: Message, now: datetime) -> set[str]:
        """The queries for which a run certainly sends a request: a bucket is new."""
        found = set()
        for query in self.user.queries:
            loaded = state.get("bookmarks", {}).get(query["name"], {}).get("replication_key_value", "")
            first, end = self.scenario.bounds(query, now - _PRECISION, self._start)
            if first < end and loaded < _text(end):
                found.add(query["name"])
        return found

    def _later_than_now(self, run: TapRun, now: datetime) -> Iterator[str]:
        """Bookmarks that are later than the machine's clock: they count as now, and are written so."""
        latest = _text(now)
        bookmarks = run.outcome.state.get("bookmarks", {})
        for query in self.user.queries:
            value = bookmarks.get(query["name"], {}).get("replication_key_value", "")
            if query["name"] not in run.failed and value > latest:
                yield f"{query['name']}: the bookmark {value} is later than the clock of the run, {latest}"

    def _is_fresh(self, query: Query) -> bool:
        """Whether a run loads everything of a query again, because it changed."""
        loaded = self._loaded.get(query["name"])
        if loaded is None or query["on_query_change"] != "reload":
            return False
        old = loaded.version.query
        return meaning(query) != meaning(old) or bool(with_columns(query) - with_columns(old))

    def _due(self, state: Message, now: datetime) -> dict[str, str]:
        """Where a run must begin to read at the latest, per stream; what is before it may stay as it is."""
        found = {}
        for query in self.user.queries:
            bookmark = state.get("bookmarks", {}).get(query["name"], {})
            loaded = bookmark.get("replication_key_value")
            start = _text(self.scenario.bounds(query, now, self._start)[0])
            if loaded is None or self._is_fresh(query) or _is_beyond(state, query["name"], start):
                found[query["name"]] = ""
                continue
            lookback = timedelta(days=self.user.settings["lookback_days"])
            found[query["name"]] = min(loaded, bookmark.get("final_before", loaded), _text(now - lookback))
        return found

    def _remember(self, outcome: Outcome, number: int) -> None:
        """Remember which version of a query each ledger row is of."""
        versions = self._present_versions(number)
        for name, version in versions.items():
            self._used.setdefault(name, []).append(version)
        for entry in outcome.rows("extractions"):
            if entry["query"] in versions:
                self._versions[_ledger_key(entry)] = versions[entry["query"]]

    def _present_versions(self, number: int) -> dict[str, _Version]:
        """The queries of a run, by their names."""
        added: dict[int, str] = {
            each.query: each.detail
            for each in self.scenario.habits.troubles
            if each.kind == "15th statistic" and number in each.runs
        }
        queries = self.user.queries
        return {
            query["name"]: _Version(
                copy.deepcopy(query),
                next((added[each] for each in added if is_same_request(queries[each], query)), None),
            )
            for query in queries
        }

    def _note_versions(self, before: Message, due: Mapping[str, str], number: int) -> None:
        """Note for which version of its query each bookmark in the state is now."""
        old, new = (each.get("bookmarks", {}) for each in (before, self.target.state))
        for name, version in self._present_versions(number).items():
            if name not in new:
                self._loaded.pop(name, None)
            elif name not in self._loaded or new[name] != old.get(name):
                kept = self._loaded[name].kept_until if name in self._loaded else ""
                if name not in self._loaded or not version.is_like(self._loaded[name].version):
                    kept = due[name]
                if name not in old:
                    kept = ""
                self._loaded[name] = _Loaded(version, kept)

    def _behind(self, run: TapRun, began: datetime) -> list[str]:
        """The streams that did not get as far as they should have, in a run that had no reason to stop."""
        failures = []
        for query in self.user.queries:
            if query["name"] in run.failed:
                continue
            first, end = self.scenario.bounds(query, began - _PRECISION, self._start)
            bookmark = run.outcome.state.get("bookmarks", {}).get(query["name"], {})
            if first < end and (bookmark.get("replication_key_value") or "") < _text(end):
                failures.append(f"{query['name']}: it was not loaded up to {_text(end)}, but {bookmark}")
        return failures

    def _expired_tokens(self, faults: Counter[str]) -> list[str]:
        """Whether a token was used after its end, if it can only have ended because its time was over."""
        honest = self.scenario.options.token_life is None and self.scenario.settings["concurrency"] == 1
        excuses = ("token revoked", "status 401", "clock jumps far", "malformed")
        excused = any(name.startswith(excuses) for name in faults)
        used = any(entry.status == 401 for entry in self.sandbox.log[self._requests_before :])
        return ["a token was used after its end"] if honest and used and not excused else []

    def _wrong_windows(self, outcome: Outcome, faults: Counter[str]) -> Iterator[str]:
        """Windows of a wrong length, with a wrong stamp, or of a length that had been refused."""
        ledger, queries = outcome.rows("extractions"), self.user.queries
        for query in queries:
            entries = [entry for entry in ledger if entry["query"] == query["name"]]
            yield from wrong_lengths(entries, query, self.user.settings)
        if len(queries) > 1 or self.scenario.settings["concurrency"] > 1:
            return  # nobody knows which request was for which window
        options, habits = self.scenario.options, self.scenario.habits
        requests = list(asked(self.sandbox.log[self._requests_before :], options.too_large_status))
        if not habits.sends_date and "clock is set back" not in faults:
            yield from wrong_stamps(ledger, requests, self.clock.behind)
        if habits.ahead or any(
            each.kind != "max window" for each in habits.edits
        ):  # what was learnt may not count any more
            self._refused = RefusedLengths()
        yield from self._refused.asked_again(requests, plain_length(queries[0]))

    def _checker(self, state: Message, *, malformed: bool) -> MessageChecker:
        queries = self.user.queries
        rewrites = self.scenario.options.rewrites
        expected = None if malformed or rewrites else self._expected_now()
        starts = {
            query["name"]: _text(self.scenario.bounds(query, self.clock.instant, self._start)[0])
            for query in queries
        }
        behind = self.clock.now() < self.clock.instant
        fresh = {name for name, start in starts.items() if _is_beyond(state, name, start)}
        fresh |= {query["name"] for query in queries if self._is_fresh(query)}
        return MessageChecker(state, expected, starts, fresh=fresh, may_go_back=behind)

    def _expected_now(self) -> dict[str, list[Row]]:
        """The rows of every bucket that is complete now, if history does not change."""
        number = len(self.result.log)
        return {
            name: self._expected_rows(version, self._start - _BEFORE, self.clock.instant, self.clock.instant)
            for name, version in self._present_versions(number).items()
        }

    def _expected_rows(self, version: _Version, start: datetime, now: datetime, as_of: datetime) -> list[Row]:
        """The rows of a query from some instant to the last complete bucket."""
        without_end = {name: value for name, value in self.scenario.settings.items() if name != "end_date"}
        endless = replace(self.scenario, settings=without_end)  # a backfill may go beyond the end
        first, last = endless.bounds(version.query, now, start)
        if first >= last:
            return []
        rows = ExpectedRows(self.sandbox).rows(version.query, first, last, as_of)
        return [with_statistic(row, version.query, version.new_statistic) for row in rows]

    def _load(self, outcome: Outcome, rng: Random, *, interrupted: bool) -> None:
        """Load what was written: all of it, unless the target was killed too."""
        if interrupted or (outcome.error is not None and rng.random() < 0.3):
            self.target.load_partly(outcome.messages, rng)
        else:
            self.target.load(outcome.messages)

    def _compare(self, began: datetime, last: Outcome) -> None:
        """Compare the target with the expected rows, after a last run without faults."""
        for query in self.user.queries:
            for failure in self._compare_table(query, began, last):
                self.result.failures.append(f"at the end, {query['name']}: {failure}")

    def _compare_table(self, query: Query, began: datetime, last: Outcome) -> Iterator[str]:
        name = query["name"]
        bookmark = str(last.state.get("bookmarks", {}).get(name, {}).get("replication_key_value"))
        first, earliest_end = self.scenario.bounds(query, began - _PRECISION, self._start)
        end = self.scenario.bounds(query, self.clock.instant, self._start)[1]  # streams wait for each other
        if earliest_end <= first and bookmark == "None":
            return
        if not _text(earliest_end) <= bookmark <= _text(end) and earliest_end > first:
            yield f"the bookmark is {bookmark}, not {_text(end)}"
            return
        pieces = list(self._pieces(name))
        if gap := _gap(pieces, _text(first), bookmark):
            yield f"no ledger row covers {gap}"
        yield from self._stale(name, [each for each in pieces if _text(first) <= each[0] < bookmark])

        def is_wanted(row: Row) -> bool:
            """Not before ``start_date``, where a killed run may have left rows that no other read again."""
            return bool(row["interval_start"] >= _text(first))

        if not self.scenario.options.rewrites:
            expected = [*filter(is_wanted, self._expected_pieces(pieces, self.clock.instant))]
            if all(version.is_like(self._used[name][0]) for version in self._used[name]):
                rows = [*filter(is_wanted, self.target.rows(name))]
                yield from self._compare_rows(rows, expected, "all: ")
            rows = [*filter(is_wanted, self.target.current_rows(name))]
            yield from self._compare_rows(rows, expected, "current: ")
            return
        settled = _text(began - timedelta(days=self.scenario.options.settle_days))
        expected = self._expected_pieces(pieces, began + _LONG_AFTER)

        def is_settled(row: Row) -> bool:
            return is_wanted(row) and bool(row["interval_end"] <= settled)

        current = self.target.current_rows(name)
        yield from self._compare_rows(
            [*filter(is_settled, current)], [*filter(is_settled, expected)], "settled: "
        )

    def _pieces(self, name: str) -> Iterator[tuple[str, str, _Version]]:
        """Which version of a query each piece of time was last read with, according to the ledger."""
        ledger = self.target.ledger(name)
        edges = sorted({entry[bound] for entry in ledger for bound in ("window_start", "window_end")})
        for start, end in pairwise(edges):
            over = [each for each in ledger if each["window_start"] <= start and end <= each["window_end"]]
            if over:
                latest = max(over, key=lambda entry: str(entry["extracted_at"]))
                if version := self._versions.get(_ledger_key(latest)):  # else its table was dropped
                    yield start, end, version

    def _stale(self, name: str, pieces: list[tuple[str, str, _Version]]) -> Iterator[str]:
        """Pieces that were to be read again since the query changed, but were not."""
        loaded = self._loaded.get(name)
        for start, end, version in pieces:
            if loaded and start >= loaded.kept_until and not version.is_like(loaded.version):
                yield f"{start}/{end} was not read again since the query changed"

    def _expected_pieces(self, pieces: list[tuple[str, str, _Version]], as_of: datetime) -> list[Row]:
        """The rows of pieces of time, each by its own version of the query."""
        rows: list[Row] = []
        known: dict[int, list[Row]] = {}
        for start, end, version in pieces:
            if id(version) not in known:
                early = datetime.fromisoformat(pieces[0][0])
                known[id(version)] = self._expected_rows(version, early, self.clock.instant, as_of)
            rows += [row for row in known[id(version)] if start <= row["interval_start"] < end]
        return rows

    def _compare_rows(self, rows: list[Row], expected: list[Row], which: str) -> Iterator[str]:
        self.result.rows += len(expected)
        found, wanted = multiset(rows), multiset(expected)
        if found != wanted:
            yield f"{which}{difference(found, wanted)}"


def _is_beyond(state: Message, query: str, start: str) -> bool:
    """Whether loading starts over: ``start_date`` was moved beyond what was loaded and had settled."""
    bookmark = state.get("bookmarks", {}).get(query, {})
    loaded = bookmark.get("replication_key_value")
    if loaded is not None and loaded <= bookmark.get("loaded_since", ""):
        return True
    return loaded is not None and start > min(loaded, bookmark.get("final_before", loaded))


def _gap(pieces: list[tuple[str, str, _Version]], start: str, end: str) -> str:
    """The first interval between two instants that no piece covers; empty if there is none."""
    covered = start
    for piece_start, piece_end, _ in pieces:
        if piece_start > covered:
            return f"{covered}/{piece_start}"
        covered = max(covered, piece_end)
    return "" if covered >= end else f"{covered}/{end}"


def _ledger_key(entry: Row) -> tuple[str, ...]:
    return tuple(str(entry[name]) for name in ("query", "window_start", "window_end", "extracted_at"))
