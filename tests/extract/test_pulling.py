"""Windows that the server refuses: the tap learns how long an interval may be."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from genesys_sandbox import ExpectedRows, Options, Rule, Rules, Sandbox, SettableClock
from genesys_sandbox.faults import status
from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.bookmarks import RunPeriod
from tap_genesys_aggregates.core.periods import Period
from tap_genesys_aggregates.core.window_growth import AnswerSize, Learnt, WindowGrowth, growth_at_start
from tap_genesys_aggregates.dialects.protocol import Page, WindowRequest
from tap_genesys_aggregates.extract.prefetch import in_order
from tap_genesys_aggregates.extract.pulling import BYTES_IN_FLIGHT, Puller
from tap_genesys_aggregates.http.errors import BadRequestError, RefusedError, SlowError
from tests.core.making import query
from tests.http.fake_server import FakeClock
from tests.pipeline.running import config, multiset, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_genesys_aggregates.extract.pulling import WindowPart
    from tap_genesys_aggregates.http.usage import Usage
    from tests.pipeline.running import Outcome

DAY = timedelta(days=1)
STOP = datetime(2026, 3, 16, tzinfo=timezone.utc)
START = STOP - 400 * DAY
QUERY: dict[str, Any] = {
    "name": "calls",
    "metrics": ["nOffered"],
    "group_by": ["queueId"],
    "granularity": "P1D",
}


def sandbox_with(*rules: Rule, **options: Any) -> Sandbox:
    """A sandbox with few calls, at midnight of a Monday."""
    return Sandbox(Options(volume=0.02, **options), now=SettableClock(STOP), faults=Rules(*rules))


def load(sandbox: Sandbox, days: int = 400, asks: dict[str, Any] | None = None, **changes: Any) -> Outcome:
    """Run the tap once over some days; the windows and their limit are the defaults."""
    settings = config(queries=[asks or QUERY], start_date=(STOP - days * DAY).isoformat(), **changes)
    if "max_window" not in changes:
        del settings["max_window"]
    return run(sandbox, settings)


def asked(sandbox: Sandbox, code: int) -> list[timedelta]:
    """The lengths of the intervals that were answered with this status, in order."""
    found = []
    for entry in sandbox.log:
        if isinstance(entry.body, dict) and "interval" in entry.body and entry.status == code:
            start, stop = map(instants.parse, entry.body["interval"].split("/"))
            found.append(stop - start)
    return found


def is_without_gaps(outcome: Outcome) -> bool:
    lines = outcome.rows("extractions")
    return all(one["window_end"] == other["window_start"] for one, other in pairwise(lines))


@pytest.mark.slow
@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("longest", [1, 2, 3, 7, 8, 30], ids="limit of {} days".format)
def test_a_limit_of_the_interval_is_learnt_in_one_run(longest: int, concurrency: int) -> None:
    """400 days of history, default settings, 400 for intervals over 7 days: every run died on the back-fill.

    Smallest reproducer: a server that answers 400 to intervals over 7 days, and 20 days of history. A
    length is refused once per request in flight, and the next that is tried is half of it, so that at most
    concurrency * log2(max_window / window) requests are refused.
    """
    sandbox = sandbox_with(longest=longest * DAY)
    outcome = load(sandbox, concurrency=concurrency)
    assert outcome.error is None
    assert multiset(outcome.rows("calls")) == multiset(ExpectedRows(sandbox).rows(QUERY, START, STOP))
    assert is_without_gaps(outcome)
    refused, loaded = asked(sandbox, 400), asked(sandbox, 200)
    assert len(refused) <= concurrency * math.ceil(math.log2(31))
    assert len(refused) <= concurrency * len(set(refused))
    assert max(loaded) <= longest * DAY
    if concurrency == 1 < longest:
        assert max(loaded) >= longest * DAY / 2, "windows still grow below the limit"


def test_seven_days_cost_one_refused_request() -> None:
    """1 day, 8 days (refused), that stretch again day by day, then 4 days at a time."""
    sandbox = sandbox_with(longest=7 * DAY)
    assert load(sandbox).error is None
    assert asked(sandbox, 400) == [8 * DAY]
    assert set(asked(sandbox, 200)) <= {DAY, 2 * DAY, 3 * DAY, 4 * DAY}
    assert len(asked(sandbox, 200)) < 130


def test_the_refused_requests_are_counted_in_the_ledger() -> None:
    sandbox = sandbox_with(longest=7 * DAY)
    outcome = load(sandbox, days=60)
    assert sum(line["requests"] for line in outcome.rows("extractions")) == len(sandbox.log) - 1


def test_a_grown_window_may_be_refused_and_too_large() -> None:
    """Both lessons hold at once."""
    sandbox = sandbox_with(longest=7 * DAY, max_results=12)
    outcome = load(sandbox, days=120)
    assert outcome.error is None
    expected = ExpectedRows(sandbox).rows(QUERY, STOP - 120 * DAY, STOP)
    assert multiset(outcome.rows("calls")) == multiset(expected)
    assert is_without_gaps(outcome)


def test_windows_that_were_planned_before_a_refusal_are_not_asked_for() -> None:
    """With eight windows ahead, a limit would otherwise cost eight refused requests per length."""
    lengths: list[timedelta] = []

    def fetch(request: WindowRequest, usage: Usage) -> list[Page]:
        del usage
        lengths.append(request.window.end - request.window.start)
        if lengths[-1] > 7 * DAY:
            raise BadRequestError("too long")
        return [Page(())]

    longest = Period.parse("P31D")
    puller = Puller(query(), fetch, FakeClock(), longest, growth_at_start(query(), longest))
    planned = puller.tasks(RunPeriod(STOP - 100 * DAY, STOP, STOP))
    (first,) = next(planned)()
    puller.learn(first)
    ahead = [next(planned) for _ in range(8)]
    parts = [part for task in ahead for part in task()]
    assert lengths == [DAY, 8 * DAY, *[DAY] * 64]
    assert [part.window.start for part in parts] == [STOP - (99 - day) * DAY for day in range(64)]


@pytest.mark.slow
def test_batches_of_users_learn_the_limit_too() -> None:
    asks = {
        "name": "calls",
        "endpoint": "users",
        "metrics": ["tAgentRoutingStatus"],
        "group_by": ["userId"],
        "granularity": "P1D",
    }
    sandbox = sandbox_with(longest=7 * DAY, agents=101)
    outcome = load(sandbox, days=20, asks=asks, concurrency=4)
    assert outcome.error is None
    expected = ExpectedRows(sandbox).rows(asks, STOP - 20 * DAY, STOP)
    assert multiset(outcome.rows("calls")) == multiset(expected) != {}
    assert is_without_gaps(outcome)
    assert 1 <= len(asked(sandbox, 400)) <= 4


def test_a_plain_window_that_is_refused_stops_the_query_and_names_the_settings() -> None:
    """The message keeps the server's words, and following it loads everything."""
    sandbox = sandbox_with(longest=7 * DAY)
    outcome = load(sandbox, days=60, window="P14D")
    assert isinstance(outcome.error, BadRequestError)
    line = str(outcome.error)
    window = "2026-01-19T00:00:00.000Z/2026-02-02T00:00:00.000Z"
    assert line.startswith(f"query 'calls', window {window}: sandbox.invalid answered 400")
    assert "invalid.value: The interval is longer than 7 days" in line
    assert line.endswith(
        "Check the query's names and dates against the server's message. If the interval is longer than the "
        "server accepts, set a shorter window (now P14D) and max_window (now P31D); a window is never "
        "shorter than granularity (now P1D)"
    )
    assert asked(sandbox, 400) == [28 * DAY, 14 * DAY]
    again = load(sandbox, days=60, window="P7D")
    assert again.error is None
    assert multiset(again.rows("calls")) == multiset(ExpectedRows(sandbox).rows(QUERY, STOP - 60 * DAY, STOP))


def test_a_plain_window_of_a_job_is_max_window() -> None:
    """A 400 for it names both settings, and following the message loads everything."""
    sandbox = sandbox_with(longest=7 * DAY)
    asks = {**QUERY, "mode": "async"}
    outcome = load(sandbox, days=60, asks=asks)
    assert isinstance(outcome.error, BadRequestError)
    assert "set a shorter window (now P31D) and max_window (now P31D)" in str(outcome.error)
    for again in (
        {"asks": {**asks, "window": "P7D"}, "max_window": "P7D"},
        {"asks": asks, "max_window": "P7D"},
    ):
        outcome = load(sandbox, days=60, **again)  # type: ignore[arg-type]
        assert outcome.error is None
        expected = ExpectedRows(sandbox).rows(QUERY, STOP - 60 * DAY, STOP)
        assert multiset(outcome.rows("calls")) == multiset(expected)


def test_grown_windows_of_jobs_learn_the_limit() -> None:
    sandbox = sandbox_with(longest=7 * DAY)
    outcome = load(sandbox, days=60, asks={**QUERY, "mode": "async", "window": "P1D"})
    assert outcome.error is None
    expected = ExpectedRows(sandbox).rows(QUERY, STOP - 60 * DAY, STOP)
    assert multiset(outcome.rows("calls")) == multiset(expected)


def test_another_400_costs_no_more_requests_than_its_plain_window() -> None:
    """A grown window that is refused for another reason is refused in plain windows as well."""
    sandbox = sandbox_with(Rule(status(400), match="/aggregates/query", after=1, times=None))
    outcome = load(sandbox)
    assert isinstance(outcome.error, BadRequestError)
    assert "Injected fault: 400" in str(outcome.error)
    assert len(asked(sandbox, 400)) == 2


# Ranked queries, whose rows depend on the window

RANKED = {
    **QUERY,
    "query_type": "topN",
    "sort_metric": {"name": "nOffered", "function": "count"},
    "limit": 2,
}


def test_windows_of_a_ranked_query_neither_grow_nor_shrink() -> None:
    """Whatever was learnt, its rows are the same: they are ranked within a window."""
    sandbox = sandbox_with()
    outcome = load(sandbox, days=70, asks={**RANKED, "window": "P7D"})
    assert outcome.error is None
    assert set(asked(sandbox, 200)) == {7 * DAY}


@pytest.mark.parametrize(
    ("options", "attempts"), [({"max_results": 8}, 1), ({"slow_over": 2 * DAY}, 2)], ids=["large", "slow"]
)
def test_a_window_of_a_ranked_query_that_does_not_fit_is_an_error(
    options: dict[str, Any], attempts: int
) -> None:
    """The message says that a shorter window changes the rows; following it loads."""
    sandbox = sandbox_with(**options)
    outcome = load(sandbox, days=28, asks={**RANKED, "window": "P7D"}, max_retries=1)
    assert type(outcome.error) is RefusedError
    assert str(outcome.error).endswith(
        "This window is not split, because its rows are ranked within it. Set a window shorter than P7D on "
        "this query and give it a new name for a new table, because groups are then ranked within shorter "
        "windows"
    )
    assert outcome.rows("calls") == []
    assert len(sandbox.log) == 1 + attempts
    assert load(sandbox, days=28, asks={**RANKED, "window": "P1D"}).error is None


def test_a_single_bucket_of_a_ranked_query_that_is_slow_says_so() -> None:
    outcome = load(sandbox_with(slow_over=timedelta(hours=2)), asks=RANKED, max_retries=1)
    assert isinstance(outcome.error, SlowError)


# What is known about lengths


def test_growth_starts_again_from_the_plain_window_after_a_refusal() -> None:
    growth = WindowGrowth(DAY, 31 * DAY, DAY).after_answer(AnswerSize(DAY, 10))
    assert growth.length == 8 * DAY
    growth = growth.after_refusal(8 * DAY)
    assert growth.length == DAY
    assert not growth.is_accepted(8 * DAY)
    assert growth.is_accepted(7 * DAY)
    assert growth.fits(31 * DAY), "nothing was too large"
    assert growth.after_answer(AnswerSize(DAY, 10)).length == 4 * DAY


def test_the_shortest_refused_length_counts() -> None:
    growth = WindowGrowth(DAY, 31 * DAY, 31 * DAY).after_refusal(8 * DAY).after_refusal(31 * DAY)
    assert growth.refused == 8 * DAY


def test_a_refusal_does_not_lengthen_windows_that_were_too_large() -> None:
    growth = WindowGrowth(DAY, 31 * DAY, 8 * DAY).after_failure(DAY).after_refusal(8 * DAY)
    assert growth.length == DAY / 2


# How much is pulled ahead


def in_flight(answer: int, *, concurrency: int, learnt: Learnt | None = None) -> list[int]:
    """How many bytes of answers a loaded 60 days held, at the most, whenever another window was planned."""
    held: list[int] = []
    asked = query(window=Period.parse("P1D"))
    start = growth_at_start(asked, Period.parse("P1D"), learnt, STOP)

    def fetch(request: WindowRequest, usage: Usage) -> list[Page]:
        del request
        usage.bytes, usage.pages = answer, 1
        return [Page((), None)]

    puller = Puller(asked, fetch, FakeClock(), Period.parse("P1D"), start)

    def planned() -> Iterator[Callable[[], list[WindowPart]]]:
        for task in puller.tasks(RunPeriod(STOP - 60 * DAY, STOP, STOP)):
            waiting[0] += 1
            held.append(waiting[0] * answer)
            yield task

    waiting = [0]
    for parts in in_order(planned(), concurrency, 2 * concurrency, puller.has_room):
        for part in parts:
            puller.learn(part)
        waiting[0] -= 1
    assert len(held) == 60
    assert puller.has_room() or answer > BYTES_IN_FLIGHT, "nothing waits any more"
    return held


@pytest.mark.parametrize("concurrency", [2, 4, 8, 16])
@pytest.mark.parametrize("answer", [2**20, 5 * 2**20, 8 * 2**20])
def test_answers_that_wait_are_bounded_by_their_bytes(answer: int, concurrency: int) -> None:
    """And not by their number."""
    assert max(in_flight(answer, concurrency=concurrency)) <= BYTES_IN_FLIGHT


def test_small_answers_are_pulled_as_far_ahead_as_the_threads_allow() -> None:
    assert max(in_flight(1_000, concurrency=8)) == 16_000


def test_an_answer_larger_than_the_bound_is_pulled_alone() -> None:
    held = in_flight(2 * BYTES_IN_FLIGHT, concurrency=8)
    assert max(held[2:]) == 2 * BYTES_IN_FLIGHT


def test_two_windows_go_ahead_until_the_first_answer_tells_how_large_answers_are() -> None:
    asked = query(window=Period.parse("P1D"))
    longest = Period.parse("P31D")
    puller = Puller(asked, lambda _, __: [], FakeClock(), longest, growth_at_start(asked, longest))
    tasks = puller.tasks(RunPeriod(STOP - 60 * DAY, STOP, STOP))
    room = []
    for _ in range(3):
        room.append(puller.has_room())
        next(tasks)
    assert room == [True, True, False]


def test_a_run_that_knows_how_large_answers_are_begins_with_all_its_threads() -> None:
    start = growth_at_start(query(), Period.parse("P31D"), Learnt(bytes_a_day=1_000), STOP)
    puller = Puller(query(), lambda _, __: [], FakeClock(), Period.parse("P31D"), start)
    tasks = puller.tasks(RunPeriod(STOP - 60 * DAY, STOP, STOP))
    for _ in range(16):
        assert puller.has_room()
        next(tasks)


# From run to run


def test_the_next_run_begins_with_windows_as_long_as_the_last_has_learnt() -> None:
    """Not with a day, from which growth would start again."""
    sandbox = sandbox_with()
    settings = {"queries": [QUERY], "start_date": (STOP - 400 * DAY).isoformat(), "concurrency": 1}
    first = run(sandbox, config(**settings, max_window="P31D", end_date=(STOP - 200 * DAY).isoformat()))
    assert asked(sandbox, 200)[0] == DAY
    assert first.state["bookmarks"]["calls"]["windows"]["seconds"] == 31 * DAY.total_seconds()
    sandbox.log.clear()
    second = run(sandbox, config(**settings, max_window="P31D"), state=first.state)
    assert second.error is None
    assert max(asked(sandbox, 200)[:2]) == 31 * DAY


def test_a_length_that_was_refused_is_not_asked_for_by_the_next_run() -> None:
    sandbox = sandbox_with(longest=7 * DAY)
    settings = {"queries": [QUERY], "start_date": (STOP - 400 * DAY).isoformat(), "concurrency": 1}
    first = run(sandbox, config(**settings, max_window="P31D", end_date=(STOP - 200 * DAY).isoformat()))
    assert asked(sandbox, 400)
    sandbox.log.clear()
    second = run(sandbox, config(**settings, max_window="P31D"), state=first.state)
    assert second.error is None
    assert asked(sandbox, 400) == []
    assert max(asked(sandbox, 200)) == 4 * DAY


def test_what_was_learnt_about_a_query_is_forgotten_when_it_changes() -> None:
    """Another filter can let through any number of rows."""
    sandbox = sandbox_with()
    settings = {"start_date": (STOP - 100 * DAY).isoformat(), "concurrency": 1}
    first = run(sandbox, config(queries=[QUERY], **settings, max_window="P31D"))
    assert first.state["bookmarks"]["calls"]["windows"]["seconds"] == 31 * DAY.total_seconds()
    other = {**QUERY, "metrics": ["nOffered", "nConnected"]}
    second = run(sandbox, config(queries=[other], **settings, max_window="P31D"), state=first.state)
    assert second.error is None
    learnt = second.state["bookmarks"]["calls"]["windows"]
    assert learnt["seconds"] == 8 * DAY.total_seconds(), "growth began again, with a day"
