"""Runs tasks ahead in threads and returns their results in order. It knows nothing of Genesys."""

from __future__ import annotations

import queue
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")


class _Task(Generic[T]):
    """A function and, once it has run, its result or its error."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._done = threading.Event()
        self._result: list[T] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._result.append(self._function())
        except BaseException as error:  # noqa: BLE001  # raised in the thread that waits for it
            self._error = error
        self._done.set()

    def result(self) -> T:
        """Wait for the function; its error is raised here."""
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._result.pop()


def in_order(
    tasks: Iterable[Callable[[], T]], workers: int, ahead: int, has_room: Callable[[], bool] = lambda: True
) -> Iterator[T]:
    """Run tasks in threads and yield their results in the order of the tasks.

    At most ``ahead`` tasks are waiting, running or done but not yet yielded, and ``tasks`` is iterated no
    faster than that; nor while there is no room, unless nothing is in progress. The first error, in order, is
    raised and ends everything: tasks that have not started are dropped, and those that are running finish in
    daemon threads, so that they cannot hold up the exit.

    Args:
        tasks: Functions without arguments; iterated lazily, in the caller's thread.
        workers: Number of threads; with 1, tasks run in the caller's thread, one at a time.
        ahead: How many tasks may be in progress.
        has_room: Whether another task may be started; asked before each, in the caller's thread.

    Yields:
        The results.
    """
    if workers <= 1:
        for function in tasks:
            yield function()
        return
    todo: queue.SimpleQueue[_Task[T] | None] = queue.SimpleQueue()
    pending: deque[_Task[T]] = deque()
    source, threads = iter(tasks), 0
    try:
        while True:
            for function in _while(source, lambda: len(pending) < ahead and (not pending or has_room())):
                task = _Task(function)
                pending.append(task)
                todo.put(task)
                if threads < min(workers, len(pending)):
                    threading.Thread(target=_run_tasks, args=(todo,), name="prefetch", daemon=True).start()
                    threads += 1
            if not pending:
                return
            yield pending.popleft().result()
    finally:
        _drain(todo)
        for _ in range(threads):
            todo.put(None)


def _while(source: Iterator[T], condition: Callable[[], bool]) -> Iterator[T]:
    """The next items, as long as a condition holds before each."""
    while condition():
        try:
            item = next(source)
        except StopIteration:
            return
        yield item


def _run_tasks(todo: queue.SimpleQueue[_Task[T] | None]) -> None:
    """Run tasks until a None arrives."""
    while (task := todo.get()) is not None:
        task.run()


def _drain(todo: queue.SimpleQueue[_Task[T] | None]) -> None:
    """Drop the tasks that have not started."""
    with suppress(queue.Empty):
        while True:
            todo.get_nowait()
