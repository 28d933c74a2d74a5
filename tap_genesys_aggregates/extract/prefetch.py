"""Work ahead, in order: knows nothing of Genesys."""

from __future__ import annotations

import queue
import threading
from collections import deque
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")


class _Task(Generic[T]):
    """One piece of work and what came of it."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._done = threading.Event()
        self._result: list[T] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        """Do the work, in whatever thread."""
        try:
            self._result.append(self._work())
        except BaseException as error:  # noqa: BLE001  # handed to the thread that waits for it
            self._error = error
        self._done.set()

    def result(self) -> T:
        """Wait for the work; its error is raised here."""
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._result.pop()


def in_order(works: Iterable[Callable[[], T]], workers: int, ahead: int) -> Iterator[T]:
    """Run work in threads and give the results in the order of the work.

    At most ``ahead`` results wait or are under way; ``works`` is drawn from no faster than that. The
    first error, in order, is raised and ends everything: work not yet begun is dropped, and work
    under way is left to end by itself in a daemon thread, so that it cannot hold up the exit.

    Args:
        works: Functions without arguments; drawn lazily, in the caller's thread.
        workers: How many threads; 1 works in the caller's thread, with nothing ahead.
        ahead: How many results may be on the way.

    Yields:
        The results.
    """
    if workers <= 1:
        for work in works:
            yield work()
        return
    source = iter(works)
    todo: queue.SimpleQueue[_Task[T] | None] = queue.SimpleQueue()
    pending: deque[_Task[T]] = deque()
    threads = 0
    try:
        while True:
            for work in islice(source, ahead - len(pending)):
                task = _Task(work)
                pending.append(task)
                todo.put(task)
                if threads < min(workers, len(pending)):
                    threading.Thread(target=_serve, args=(todo,), name="prefetch", daemon=True).start()
                    threads += 1
            if not pending:
                return
            yield pending.popleft().result()
    finally:
        _drain(todo)
        for _ in range(threads):
            todo.put(None)


def _serve(todo: queue.SimpleQueue[_Task[T] | None]) -> None:
    """Work until told to stop."""
    while (task := todo.get()) is not None:
        task.run()


def _drain(todo: queue.SimpleQueue[_Task[T] | None]) -> None:
    """Drop what has not begun."""
    with suppress(queue.Empty):
        while True:
            todo.get_nowait()
