"""So many requests a minute, across threads, with a clock from outside."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.pacing import Pace
from tests.core.making import examples
from tests.shell.making import Time

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
    pace = Pace(per_minute, time.monotonic, time.sleep)
    begun: list[float] = []
    held = 0.0
    for gap, hold in requests:
        time.push(gap)
        if hold is not None:
            pace.hold(hold)
            held = max(held, time.monotonic() + hold)
        pace.wait()
        begun.append(time.monotonic())
        assert begun[-1] >= held
    for first, beyond in zip(begun, begun[per_minute:], strict=False):
        assert beyond >= first + 60.0


def test_a_burst_within_the_budget_waits_for_nothing() -> None:
    """The budget is counted by the minute, so what is within it may begin at once."""
    time = Time()
    pace = Pace(300, time.monotonic, time.sleep)
    for _ in range(300):
        pace.wait()
    assert (time.slept, time.monotonic()) == ([], 0.0)
    pace.wait()
    assert time.monotonic() == 60.0


def test_a_place_is_free_a_minute_after_it_was_taken() -> None:
    """No longer than needed: the third request waits for the first one's minute, not for the second's."""
    time = Time()
    pace = Pace(2, time.monotonic, time.sleep)
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
    pace = Pace(100, time.monotonic, time.sleep)
    pace.hold(30)
    pace.hold(5)
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
            pace.hold(100)
        pauses.append(seconds)
        time.sleep(seconds)

    pace = Pace(1, time.monotonic, sleep)
    pace.wait()
    pace.wait()
    assert pauses == [60.0, 40.0]


def test_a_sleep_that_ends_early_is_gone_on_with() -> None:
    """A machine may wake up too soon: the place is not taken before it is free."""
    time = Time()
    pace = Pace(1, time.monotonic, lambda seconds: time.sleep(seconds / 2 if seconds > 1 else seconds))
    pace.wait()
    pace.wait()
    assert time.monotonic() == 60.0


def test_many_threads_keep_one_pace() -> None:
    """Forty requests of eight threads at five a minute take seven minutes at least."""
    time = Time()
    pace = Pace(5, time.monotonic, time.sleep)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: pace.wait(), range(40)))
    assert time.monotonic() >= 7 * 60.0
