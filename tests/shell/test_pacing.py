"""So many requests a minute, across threads, with a clock from outside."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.http.rate_limit import RateLimiter
from tests.core.making import examples
from tests.shell.making import Time

MINUTE = {"inin-ratelimit-allowed": "300", "inin-ratelimit-reset": "40"}
GAPS = st.floats(0, 90, allow_subnormal=False)
HOLDS = st.none() | st.floats(0, 200, allow_subnormal=False)


@given(st.integers(1, 6), st.lists(st.tuples(GAPS, HOLDS), max_size=40), st.floats(0, 1e9))
@examples(100)
def test_never_more_than_so_many_in_any_minute(
    per_minute: int, requests: list[tuple[float, float | None]], begin: float
) -> None:
    """In any 60 seconds no more begin than are allowed, and none begins while all are held."""
    time = Time()
    time.push(begin)
    pace = RateLimiter(per_minute, time.monotonic, time.sleep)
    begun: list[float] = []
    held = 0.0
    for gap, hold in requests:
        time.push(gap)
        if hold is not None:
            pace.pause_all(hold)
            held = max(held, time.monotonic() + hold)
        pace.wait()
        begun.append(time.monotonic())
        assert begun[-1] >= held
    for first, beyond in zip(begun, begun[per_minute:], strict=False):
        assert beyond >= first + 60.0


def test_a_burst_within_the_budget_waits_for_nothing() -> None:
    """The budget is counted by the minute, so what is within it may begin at once."""
    time = Time()
    pace = RateLimiter(300, time.monotonic, time.sleep)
    for _ in range(300):
        pace.wait()
    assert (time.slept, time.monotonic()) == ([], 0.0)
    pace.wait()
    assert time.monotonic() == 60.0


def test_a_place_is_free_a_minute_after_it_was_taken() -> None:
    """No longer than needed: the third request waits for the first one's minute, not for the second's."""
    time = Time()
    pace = RateLimiter(2, time.monotonic, time.sleep)
    pace.wait()
    time.push(25)
    pace.wait()
    pace.wait()
    assert time.monotonic() == 60.0
    pace.wait()
    assert time.monotonic() == 85.0


def test_a_hold_stops_everything() -> None:
    """After a 429 no request begins, free places or not; a shorter hold does not end a longer one."""
    time = Time()
    pace = RateLimiter(100, time.monotonic, time.sleep)
    pace.pause_all(30)
    pace.pause_all(5)
    pace.wait()
    assert time.monotonic() == 30.0
    pace.wait()
    assert time.monotonic() == 30.0


def test_a_hold_that_comes_while_one_waits_counts() -> None:
    """Who waits for a place asks again when it is due, and sees the hold that came meanwhile."""
    time = Time()
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        if not pauses:
            pace.pause_all(100)
        pauses.append(seconds)
        time.sleep(seconds)

    pace = RateLimiter(1, time.monotonic, sleep)
    pace.wait()
    pace.wait()
    assert pauses == [60.0, 40.0]


def test_a_sleep_that_ends_early_is_gone_on_with() -> None:
    """A machine may wake up too soon: the place is not taken before it is free."""
    time = Time()
    pace = RateLimiter(1, time.monotonic, lambda seconds: time.sleep(seconds / 2 if seconds > 1 else seconds))
    pace.wait()
    pace.wait()
    assert time.monotonic() == 60.0


def test_many_threads_keep_one_pace() -> None:
    """Forty requests of eight threads at five a minute take seven minutes at least."""
    time = Time()
    pace = RateLimiter(5, time.monotonic, time.sleep)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: pace.wait(), range(40)))
    assert time.monotonic() >= 7 * 60.0


def said(count: int) -> dict[str, str]:
    """The headers of an answer, with 40 seconds to the reset."""
    return {**MINUTE, "inin-ratelimit-count": str(count)}


class Others:
    """Threads that want to begin, and wait for what they are told to wait for."""

    def __init__(self, pace: RateLimiter, threads: int) -> None:
        """So many want to."""
        self.begun: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._pace = pace
        self._threads = [threading.Thread(target=self._begin, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def have_begun(self, number: int) -> list[int]:
        """What so many of them have got, after a moment of real time at the most; no more have begun."""
        got = [self.begun.get(timeout=10) for _ in range(number)]
        assert self.begun.empty()
        return got

    def _begin(self) -> None:
        self.begun.put(self._pace.start_request())


@pytest.fixture(name="time")
def _time() -> Time:
    """A clock."""
    return Time()


@pytest.fixture(name="pace")
def _pace(time: Time) -> RateLimiter:
    """A pace of our own that is not in the way."""
    return RateLimiter(1000, time.monotonic, time.sleep)


def test_nothing_is_left_until_the_reset(time: Time, pace: RateLimiter) -> None:
    """The server says that all is used up: nobody begins before the reset, and a second for its rounding."""
    pace.finish_request(pace.start_request(), said(300))
    pace.start_request()
    assert time.slept == [41.0]


def test_what_is_left_may_begin_at_once(time: Time, pace: RateLimiter) -> None:
    """Three are left, so three begin; they are told to have been the last, and the fourth waits."""
    pace.finish_request(pace.start_request(), said(297))
    numbers = [pace.start_request() for _ in range(3)]
    assert time.slept == []
    time.push(10)
    for count, number in zip((300, 298, 299), numbers, strict=True):
        pace.finish_request(number, said(count))
    pace.start_request()
    assert time.slept == [31.0]


def test_a_few_go_ahead_of_the_others(time: Time, pace: RateLimiter) -> None:
    """Nothing is known at first: four begin, the others wait for an answer, and begin as far as it says."""
    first = pace.start_request()
    others = Others(pace, 6)
    second, third, _ = others.have_begun(3)
    others.have_begun(0)
    pace.finish_request(first, said(295))
    others.have_begun(2)  # five are left, and five under way
    pace.finish_request(second, said(296))
    others.have_begun(0)
    pace.finish_request(third, said(296))
    others.have_begun(1)
    assert time.slept == []


def test_a_server_that_says_nothing_is_asked_at_once(time: Time, pace: RateLimiter) -> None:
    """Without headers there is no budget but our own number."""
    pace.finish_request(pace.start_request(), {"Content-Type": "application/json"})
    Others(pace, 8).have_begun(8)
    assert time.slept == []


def test_the_first_after_a_reset_goes_ahead_again(time: Time, pace: RateLimiter) -> None:
    """Another program may have been quicker: after a budget that was used up, one goes to see."""
    pace.finish_request(pace.start_request(), said(300))
    time.push(41)
    first = pace.start_request()
    others = Others(pace, 2)
    others.have_begun(0)
    pace.finish_request(first, said(10))
    others.have_begun(2)
    assert time.slept == []


def test_a_lost_request_may_be_counted(time: Time, pace: RateLimiter) -> None:
    """The line was cut: whether the server has counted it is not known, so it is taken off."""
    pace.finish_request(pace.start_request(), said(299))
    pace.finish_request(pace.start_request(), None)
    pace.start_request()
    assert time.slept == [41.0]


def test_an_answer_from_before_the_reset_is_old(time: Time, pace: RateLimiter) -> None:
    """A slow one that tells of the budget before does not stop the new one."""
    pace.finish_request(pace.start_request(), said(200))
    slow = pace.start_request()
    time.push(41)
    pace.finish_request(pace.start_request(), said(1))
    pace.finish_request(slow, said(300))
    pace.start_request()
    assert time.slept == []


def test_a_slow_request_does_not_keep_the_first_from_going_ahead(time: Time, pace: RateLimiter) -> None:
    """It began before the reset: what is presumed of the new budget is not for it."""
    pace.finish_request(pace.start_request(), said(298))
    slow = pace.start_request()
    pace.finish_request(pace.start_request(), said(300))
    time.push(41)
    pace.finish_request(pace.start_request(), said(1))
    pace.finish_request(slow, None)
    assert time.slept == []


def test_a_token_waits_for_no_budget(time: Time, pace: RateLimiter) -> None:
    """The API's budget is used up, and the token's host is another: only our own number and a 429 hold it."""
    pace.finish_request(pace.start_request(), said(300))
    pace.wait()
    assert time.slept == []
    pace.pause_all(7)
    pace.wait()
    assert time.slept == [7.0]
