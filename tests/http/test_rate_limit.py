"""The rate limit: requests per minute across threads, and what the server's headers say remains."""

from __future__ import annotations

import math
import queue
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.http.rate_limit import (
    INITIAL_BUDGET,
    UNLIMITED_BUDGET,
    Budget,
    RateLimiter,
    read_budget,
)
from tests.core.making import examples
from tests.http.fake_server import FakeClock

NOW = 1000.0
MAX_RESET = 300.0
GAPS = st.floats(0, 90, allow_subnormal=False)
PAUSES = st.none() | st.floats(0, 200, allow_subnormal=False)


def headers(allowed: object, count: object, reset: object) -> dict[str, str]:
    """The three headers; one that is None is missing."""
    named = {"allowed": allowed, "count": count, "reset": reset}
    return {f"inin-ratelimit-{name}": str(each) for name, each in named.items() if each is not None}


def used(count: int) -> dict[str, str]:
    """The headers of a response when ``count`` of 300 requests are used, 40 seconds before the reset."""
    return headers(300, count, 40)


@pytest.mark.parametrize(
    ("found", "budget"),
    [
        (headers(300, 12, 40), Budget(288, NOW + 41)),
        (headers(" 300 ", "300", "0"), Budget(0, NOW + 1)),
        (headers(300, 12, "39.5"), Budget(288, NOW + 40.5)),
        (headers(300, 5000, 40), Budget(0, NOW + 41)),
        (headers(300, 0, 10**14), Budget(300, NOW + MAX_RESET)),
        (headers(10**14, 12, 40), Budget(10**14 - 12, NOW + 41)),
    ],
    ids=["usual", "used up", "fractions", "more than allowed", "huge reset", "huge budget"],
)
def test_a_budget_is_read(found: dict[str, str], budget: Budget) -> None:
    """What remains is what is allowed less the count, until at most a second after the reset."""
    assert read_budget(found, NOW, MAX_RESET) == budget


@pytest.mark.parametrize(
    "wrong",
    [None, "", "many", "-1", "1e9", "\N{ARABIC-INDIC DIGIT THREE}", "nan", "inf", "0x10", "9" * 99, "1,2"],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_headers_are_ignored_if_one_is_missing_or_not_a_number(wrong: str | None, place: int) -> None:
    values: list[object] = [300, 12, 40]
    values[place] = wrong
    assert read_budget(headers(*values), NOW, MAX_RESET) is None


def test_headers_that_allow_no_request_at_all_are_ignored() -> None:
    assert read_budget(headers(0, 0, 40), NOW, MAX_RESET) is None


@given(st.tuples(*[st.text() | st.integers().map(str) | st.floats().map(str)] * 3))
@examples(300)
def test_no_headers_can_make_the_tap_wait_longer_than_the_maximum(values: tuple[str, str, str]) -> None:
    found = read_budget(headers(*values), NOW, MAX_RESET)
    assert found is None or (found.remaining >= 0 and NOW <= found.resets_at <= NOW + MAX_RESET)


def test_the_lowest_reported_number_counts() -> None:
    """Responses may overtake each other; the earliest reset counts too."""
    first, second = Budget(20, NOW + 31), Budget(22, NOW + 30)
    assert first.updated(second) == second.updated(first) == Budget(20, NOW + 30)


def test_a_report_replaces_an_estimate() -> None:
    reported = Budget(20, NOW + 30)
    estimates = (INITIAL_BUDGET, UNLIMITED_BUDGET, Budget(250, math.inf))
    assert [each.updated(reported) for each in estimates] == [reported] * 3


@pytest.mark.parametrize(("remaining", "estimate"), [(250, 250), (1, 1), (0, 1), (-3, 1)])
def test_after_a_reset_the_old_budget_is_the_estimate(remaining: float, estimate: float) -> None:
    """And at least one request may go and find out."""
    old = Budget(remaining, NOW)
    assert old.at(NOW - 0.001) is old
    assert old.at(NOW) == Budget(estimate, math.inf)


def test_a_request_without_a_report_may_have_been_counted() -> None:
    """It is subtracted from a known budget; only a response shows that there is no budget at all."""
    known = Budget(20, NOW)
    assert known.without_report(answered=True) == known.without_report(answered=False) == Budget(19, NOW)
    assert INITIAL_BUDGET.without_report(answered=False) is INITIAL_BUDGET
    assert INITIAL_BUDGET.without_report(answered=True) is UNLIMITED_BUDGET


@given(st.integers(1, 6), st.lists(st.tuples(GAPS, PAUSES), max_size=40), st.floats(0, 1e9))
@examples(100)
def test_never_more_than_the_limit_in_any_minute(
    per_minute: int, requests: list[tuple[float, float | None]], start: float
) -> None:
    """In any 60 seconds no more requests start than allowed, and none starts during a pause."""
    clock = FakeClock()
    clock.advance(start)
    limiter = RateLimiter(per_minute, clock.monotonic, clock.sleep)
    starts: list[float] = []
    paused_until = 0.0
    for gap, pause in requests:
        clock.advance(gap)
        if pause is not None:
            limiter.pause_all(pause)
            paused_until = max(paused_until, clock.monotonic() + pause)
        limiter.wait()
        starts.append(clock.monotonic())
        assert starts[-1] >= paused_until
    for first, beyond in zip(starts, starts[per_minute:], strict=False):
        assert beyond >= first + 60.0


def test_a_burst_within_the_limit_does_not_wait() -> None:
    clock = FakeClock()
    limiter = RateLimiter(300, clock.monotonic, clock.sleep)
    for _ in range(300):
        limiter.wait()
    assert (clock.slept, clock.monotonic()) == ([], 0.0)
    limiter.wait()
    assert clock.monotonic() == 60.0


def test_each_request_waits_no_longer_than_necessary() -> None:
    """The third request waits for the first one's minute to pass, not for the second's."""
    clock = FakeClock()
    limiter = RateLimiter(2, clock.monotonic, clock.sleep)
    limiter.wait()
    clock.advance(25)
    limiter.wait()
    limiter.wait()
    assert clock.monotonic() == 60.0
    limiter.wait()
    assert clock.monotonic() == 85.0


def test_a_pause_holds_every_request() -> None:
    """Within the limit too; a shorter pause does not end a longer one."""
    clock = FakeClock()
    limiter = RateLimiter(100, clock.monotonic, clock.sleep)
    limiter.pause_all(30)
    limiter.pause_all(5)
    limiter.wait()
    assert clock.monotonic() == 30.0
    limiter.wait()
    assert clock.monotonic() == 30.0


def test_a_pause_applies_to_requests_that_already_wait() -> None:
    clock = FakeClock()
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        if not waits:
            limiter.pause_all(100)
        waits.append(seconds)
        clock.sleep(seconds)

    limiter = RateLimiter(1, clock.monotonic, sleep)
    limiter.wait()
    limiter.wait()
    assert waits == [60.0, 40.0]


def test_a_sleep_that_ends_early_is_continued() -> None:
    clock = FakeClock()
    limiter = RateLimiter(
        1, clock.monotonic, lambda seconds: clock.sleep(seconds / 2 if seconds > 1 else seconds)
    )
    limiter.wait()
    limiter.wait()
    assert clock.monotonic() == 60.0


def test_threads_share_the_limit() -> None:
    """Forty requests of eight threads at five a minute take at least seven minutes."""
    clock = FakeClock()
    limiter = RateLimiter(5, clock.monotonic, clock.sleep)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: limiter.wait(), range(40)))
    assert clock.monotonic() >= 7 * 60.0


class Threads:
    """Threads that each start one request as soon as the limiter lets them."""

    def __init__(self, limiter: RateLimiter, number: int) -> None:
        self._limiter = limiter
        self._started: queue.SimpleQueue[int] = queue.SimpleQueue()
        for _ in range(number):
            threading.Thread(target=self._start, daemon=True).start()

    def started(self, number: int) -> list[int]:
        """The budget generations of the next requests; fails unless exactly so many have started."""
        found = [self._started.get(timeout=10) for _ in range(number)]
        assert self._started.empty()
        return found

    def _start(self) -> None:
        self._started.put(self._limiter.start_request())


@pytest.fixture(name="clock")
def _clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(name="limiter")
def _limiter(clock: FakeClock) -> RateLimiter:
    """A limiter whose own limit is never reached."""
    return RateLimiter(1000, clock.monotonic, clock.sleep)


def test_when_nothing_remains_requests_wait_for_the_reset(clock: FakeClock, limiter: RateLimiter) -> None:
    """And a second more, because the reset is rounded."""
    limiter.finish_request(limiter.start_request(), used(300))
    limiter.start_request()
    assert clock.slept == [41.0]


def test_what_remains_may_start_at_once(clock: FakeClock, limiter: RateLimiter) -> None:
    """Three remain, so three start; their responses say that they were the last, and the fourth waits."""
    limiter.finish_request(limiter.start_request(), used(297))
    generations = [limiter.start_request() for _ in range(3)]
    assert clock.slept == []
    clock.advance(10)
    for count, generation in zip((300, 298, 299), generations, strict=True):
        limiter.finish_request(generation, used(count))
    limiter.start_request()
    assert clock.slept == [31.0]


def test_a_few_requests_go_first(clock: FakeClock, limiter: RateLimiter) -> None:
    """At first nothing is known: four start; the others wait for a response, and start as far as it says."""
    first = limiter.start_request()
    others = Threads(limiter, 6)
    second, third, _ = others.started(3)
    others.started(0)
    limiter.finish_request(first, used(295))
    others.started(2)  # five remain, and five are in flight
    limiter.finish_request(second, used(296))
    others.started(0)
    limiter.finish_request(third, used(296))
    others.started(1)
    assert clock.slept == []


def test_without_headers_only_our_own_limit_applies(clock: FakeClock, limiter: RateLimiter) -> None:
    limiter.finish_request(limiter.start_request(), {"Content-Type": "application/json"})
    Threads(limiter, 8).started(8)
    assert clock.slept == []


def test_after_a_reset_one_request_goes_first(clock: FakeClock, limiter: RateLimiter) -> None:
    """Another program may already have used the new budget."""
    limiter.finish_request(limiter.start_request(), used(300))
    clock.advance(41)
    first = limiter.start_request()
    others = Threads(limiter, 2)
    others.started(0)
    limiter.finish_request(first, used(10))
    others.started(2)
    assert clock.slept == []


def test_a_lost_request_counts_as_used(clock: FakeClock, limiter: RateLimiter) -> None:
    """If the connection was cut, the server may have counted the request."""
    limiter.finish_request(limiter.start_request(), used(299))
    limiter.finish_request(limiter.start_request(), None)
    limiter.start_request()
    assert clock.slept == [41.0]


def test_a_response_to_a_request_from_before_the_reset_is_ignored(
    clock: FakeClock, limiter: RateLimiter
) -> None:
    limiter.finish_request(limiter.start_request(), used(200))
    slow = limiter.start_request()
    clock.advance(41)
    limiter.finish_request(limiter.start_request(), used(1))
    limiter.finish_request(slow, used(300))
    limiter.start_request()
    assert clock.slept == []


def test_a_slow_request_does_not_block_the_first_one_after_a_reset(
    clock: FakeClock, limiter: RateLimiter
) -> None:
    """It started before the reset, so it does not count against the estimate of the new budget."""
    limiter.finish_request(limiter.start_request(), used(298))
    slow = limiter.start_request()
    limiter.finish_request(limiter.start_request(), used(300))
    clock.advance(41)
    limiter.finish_request(limiter.start_request(), used(1))
    limiter.finish_request(slow, None)
    assert clock.slept == []


def test_token_requests_do_not_wait_for_the_budget(clock: FakeClock, limiter: RateLimiter) -> None:
    """They go to another host: only our own limit and a 429 hold them."""
    limiter.finish_request(limiter.start_request(), used(300))
    limiter.wait()
    assert clock.slept == []
    limiter.pause_all(7)
    limiter.wait()
    assert clock.slept == [7.0]
