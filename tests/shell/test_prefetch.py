"""Work ahead, in order, and nothing left behind."""

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

PATIENCE = 10
"""Seconds after which a test gives up on a thread; none waits that long when all is well."""


def crew() -> list[threading.Thread]:
    """The threads that work ahead now."""
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def all_gone() -> bool:
    """Whether every thread that worked ahead ends."""
    for thread in crew():
        thread.join(PATIENCE)
    return not crew()


def fail(error: BaseException) -> int:
    """Work that fails."""
    raise error


@pytest.fixture(autouse=True)
def _nobody_stays() -> Iterator[None]:
    """No test leaves a thread behind."""
    yield
    assert all_gone()


def test_results_come_in_the_order_of_the_work() -> None:
    """The first piece ends last, and still comes first."""
    done = [threading.Event() for _ in range(4)]

    def work(number: int) -> int:
        if number < 3:
            assert done[number + 1].wait(PATIENCE)
        done[number].set()
        return number

    assert list(in_order([partial(work, number) for number in range(4)], workers=4, ahead=4)) == [0, 1, 2, 3]


def test_work_runs_side_by_side() -> None:
    """As many threads as workers are at it at once."""
    gate = threading.Barrier(5)
    works = [lambda: gate.wait(PATIENCE) for _ in range(10)]
    assert sorted(in_order(works, workers=5, ahead=10)) == sorted([*range(5)] * 2)


def test_no_more_threads_than_workers() -> None:
    """Twenty pieces of work are done by three threads, none of them the caller's."""
    names = set(in_order([threading.get_ident] * 20, workers=3, ahead=20))
    assert 1 <= len(names) <= 3
    assert threading.get_ident() not in names


@pytest.mark.parametrize(("workers", "ahead"), [(2, 1), (2, 2), (3, 6), (8, 16)])
def test_no_more_is_drawn_than_ahead(workers: int, ahead: int) -> None:
    """Windows are planned as they are needed: never more than so many beyond what was handed out."""
    drawn = 0

    def source() -> Iterator[Callable[[], int]]:
        nonlocal drawn
        for number in range(30):
            drawn += 1
            yield partial(int, number)

    results = in_order(source(), workers, ahead)
    assert drawn == 0
    for number in range(30):
        assert next(results) == number
        assert drawn == min(30, number + ahead)
    assert list(results) == []


def test_one_worker_works_in_the_callers_thread() -> None:
    """With one worker there are no threads, and nothing is begun before it is asked for."""
    begun: list[int] = []
    results = in_order([partial(begun.append, number) for number in range(3)], workers=1, ahead=9)
    assert begun == []
    next(results)
    assert (begun, crew()) == ([0], [])
    assert list(in_order([threading.get_ident] * 2, workers=1, ahead=2)) == [threading.get_ident()] * 2


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt(), SystemExit(3)])
@pytest.mark.parametrize("workers", [1, 3])
def test_the_first_error_in_order_ends_everything(workers: int, error: BaseException) -> None:
    """What came before it is handed out, it is raised itself, and nothing after it is drawn or handed out."""
    drawn: list[int] = []

    def source() -> Iterator[Callable[[], int]]:
        for number in range(100):
            drawn.append(number)
            yield partial(fail, error) if number == 2 else partial(int, number)

    results = in_order(source(), workers, ahead=4)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(type(error)) as raised:
        next(results)
    assert raised.value is error
    assert list(results) == []
    assert len(drawn) <= 6


def test_an_error_waits_for_its_turn() -> None:
    """A later piece that fails at once does not overtake an earlier one that takes its time."""
    failed = threading.Event()

    def slow() -> int:
        assert failed.wait(PATIENCE)
        return 1

    def quick() -> int:
        failed.set()
        raise ValueError

    results = in_order([slow, quick], workers=2, ahead=2)
    assert next(results) == 1
    with pytest.raises(ValueError, match=r"^$"):
        next(results)


def test_abandoned_work_is_dropped() -> None:
    """Who stops listening leaves no work waiting: what was not begun is never begun, and the threads end."""
    begun: list[int] = []
    busy, release = threading.Semaphore(0), threading.Event()

    def work(number: int) -> int:
        begun.append(number)
        busy.release()
        assert release.wait(PATIENCE) or number
        return number

    works: list[Callable[[], int]] = [lambda: 0, *(partial(work, number) for number in range(1, 20))]
    results = in_order(works, workers=2, ahead=10)
    assert next(results) == 0
    for _ in range(2):
        assert busy.acquire(timeout=PATIENCE)
    results.close()  # type: ignore[attr-defined]
    release.set()
    assert all_gone()
    assert sorted(begun) == [1, 2]


def test_an_error_of_the_source_is_raised() -> None:
    """Planning that fails is told to the caller, and the threads end."""

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
def test_it_is_a_plain_loop_seen_from_outside(
    values: list[int], bad: int | None, workers: int, ahead: int
) -> None:
    """Whatever the number of threads: the results of a loop, as far as its first error."""
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
