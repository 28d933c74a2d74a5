"""Prefetching: tasks run ahead in threads, results come in order, and no thread is left behind."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.extract.prefetch import in_order
from tests.core.making import examples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TIMEOUT = 10
"""Seconds after which a test gives up on a thread; a passing test never waits that long."""


def prefetch_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def all_ended() -> bool:
    """Whether every prefetch thread ends."""
    for thread in prefetch_threads():
        thread.join(TIMEOUT)
    return not prefetch_threads()


def fail(error: BaseException) -> int:
    raise error


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert all_ended()


def test_results_come_in_the_order_of_the_tasks() -> None:
    """The first task ends last, and its result still comes first."""
    done = [threading.Event() for _ in range(4)]

    def work(number: int) -> int:
        if number < 3:
            assert done[number + 1].wait(TIMEOUT)
        done[number].set()
        return number

    assert list(in_order([partial(work, number) for number in range(4)], workers=4, ahead=4)) == [0, 1, 2, 3]


def test_tasks_run_in_parallel() -> None:
    gate = threading.Barrier(5)
    works = [lambda: gate.wait(TIMEOUT) for _ in range(10)]
    assert sorted(in_order(works, workers=5, ahead=10)) == sorted([*range(5)] * 2)


def test_there_are_no_more_threads_than_workers() -> None:
    """And the caller's thread is not one of them."""
    names = set(in_order([threading.get_ident] * 20, workers=3, ahead=20))
    assert 1 <= len(names) <= 3
    assert threading.get_ident() not in names


@pytest.mark.parametrize(("workers", "ahead"), [(2, 1), (2, 2), (3, 6), (8, 16)])
def test_no_more_tasks_are_taken_than_ahead(workers: int, ahead: int) -> None:
    """Windows are planned as needed, never more than ``ahead`` beyond the results handed out."""
    taken = 0

    def source() -> Iterator[Callable[[], int]]:
        nonlocal taken
        for number in range(30):
            taken += 1
            yield partial(int, number)

    results = in_order(source(), workers, ahead)
    assert taken == 0
    for number in range(30):
        assert next(results) == number
        assert taken == min(30, number + ahead)
    assert list(results) == []


def test_a_single_worker_runs_in_the_callers_thread() -> None:
    """There are no threads, and no task starts before its result is wanted."""
    started: list[int] = []
    results = in_order([partial(started.append, number) for number in range(3)], workers=1, ahead=9)
    assert started == []
    next(results)
    assert (started, prefetch_threads()) == ([0], [])
    assert list(in_order([threading.get_ident] * 2, workers=1, ahead=2)) == [threading.get_ident()] * 2


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt(), SystemExit(3)])
@pytest.mark.parametrize("workers", [1, 3])
def test_the_first_error_in_order_ends_everything(workers: int, error: BaseException) -> None:
    """Earlier results are handed out, then the error is raised, and no later task is taken or handed out."""
    taken: list[int] = []

    def source() -> Iterator[Callable[[], int]]:
        for number in range(100):
            taken.append(number)
            yield partial(fail, error) if number == 2 else partial(int, number)

    results = in_order(source(), workers, ahead=4)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(type(error)) as raised:
        next(results)
    assert raised.value is error
    assert list(results) == []
    assert len(taken) <= 6


def test_an_error_waits_for_its_turn() -> None:
    """A later task that fails at once does not overtake an earlier one that takes longer."""
    failed = threading.Event()

    def slow() -> int:
        assert failed.wait(TIMEOUT)
        return 1

    def quick() -> int:
        failed.set()
        raise ValueError

    results = in_order([slow, quick], workers=2, ahead=2)
    assert next(results) == 1
    with pytest.raises(ValueError, match=r"^$"):
        next(results)


def test_closing_drops_the_remaining_tasks() -> None:
    """Tasks that have not started never start, and the threads end."""
    started: list[int] = []
    busy, release = threading.Semaphore(0), threading.Event()

    def work(number: int) -> int:
        started.append(number)
        busy.release()
        assert release.wait(TIMEOUT) or number
        return number

    works: list[Callable[[], int]] = [lambda: 0, *(partial(work, number) for number in range(1, 20))]
    results = in_order(works, workers=2, ahead=10)
    assert next(results) == 0
    for _ in range(2):
        assert busy.acquire(timeout=TIMEOUT)
    results.close()  # type: ignore[attr-defined]
    release.set()
    assert all_ended()
    assert sorted(started) == [1, 2]


def test_an_error_while_tasks_are_taken_is_raised() -> None:

    def source() -> Iterator[Callable[[], int]]:
        yield lambda: 1
        raise LookupError

    with pytest.raises(LookupError):
        list(in_order(source(), workers=2, ahead=2))


@given(
    st.lists(st.integers(0, 9), max_size=12),
    st.none() | st.integers(0, 12),
    st.integers(1, 5),
    st.integers(1, 9),
)
@examples(60)
def test_it_behaves_like_a_plain_loop(values: list[int], bad: int | None, workers: int, ahead: int) -> None:
    """With any number of threads: the same results, up to the first error."""
    works: list[Callable[[], int]] = [partial(int, value) for value in values]
    if bad is not None:
        works.insert(bad, partial(fail, ZeroDivisionError()))
    found = []
    try:
        for value in in_order(works, workers, ahead):
            found.append(value)  # noqa: PERF402  # what came before the error counts
    except ZeroDivisionError:
        assert bad is not None
        assert found == values[:bad]
    else:
        assert bad is None
        assert found == values
