"""The asynchronous jobs that are open, in one place, so that a run that ends can cancel all of them."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tap_genesys_aggregates.core.errors import TapError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

_LOGGER = logging.getLogger("tap-genesys-aggregates")
_SUBMISSIONS_TIMEOUT = 0.5
_CANCELLATIONS_TIMEOUT = 2.0
"""Seconds that a run waits at its end: one that was told to stop must stop."""


class OpenJobs:
    """The jobs that were submitted and not yet read. Any number of threads may submit and cancel."""

    def __init__(self) -> None:
        self._cancels: dict[str, Callable[[str], object]] = {}
        self._cancelling: set[str] = set()
        self._submitting = 0
        self._closed = False
        self._changed = threading.Condition()

    @contextmanager
    def job(self, submit: Callable[[], str], cancel: Callable[[str], object]) -> Iterator[str]:
        """Submit a job, and cancel it if the block raises.

        Args:
            submit: Submits the job and returns its path.
            cancel: Cancels the job at a path.

        Yields:
            The job's path.

        Raises:
            TapError: The run has ended.
        """
        path = self._submit(submit, cancel)
        try:
            yield path
        except BaseException:
            self._cancel_all([path])
            raise
        with self._changed:
            self._cancels.pop(path, None)

    def check(self) -> None:
        """Stop a thread that is still waiting after the run has ended.

        Raises:
            TapError: It has.
        """
        if self._closed:
            raise TapError("the run has ended in the meantime")

    def close(self) -> None:
        """Cancel every open job, including those that are being submitted, and accept no more."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._submitting, _SUBMISSIONS_TIMEOUT)
            paths = self._cancelling.union(self._cancels)  # other threads may be cancelling theirs
        self._cancel_all(paths)

    def _submit(self, submit: Callable[[], str], cancel: Callable[[str], object]) -> str:
        """Submit in such a way that ``close`` can wait for it."""
        with self._changed:
            self.check()
            self._submitting += 1
        path = ""
        try:
            path = submit()
        finally:
            with self._changed:
                self._submitting -= 1
                if path:
                    self._cancels[path] = cancel
                self._changed.notify_all()
        return path

    def _cancel_all(self, paths: Collection[str]) -> None:
        """Cancel jobs side by side and wait a moment, in daemon threads that cannot hold up the exit."""
        with self._changed:
            mine = {path: self._cancels.pop(path) for path in paths if path in self._cancels}
            self._cancelling.update(mine)
        with suppress(RuntimeError):  # no thread can be started: the jobs expire by themselves
            for path, cancel in mine.items():
                threading.Thread(target=self._cancel, args=(path, cancel), name="cancel", daemon=True).start()
        with self._changed:
            self._changed.wait_for(lambda: self._cancelling.isdisjoint(paths), _CANCELLATIONS_TIMEOUT)
            self._cancelling.difference_update(paths)  # do not wait for a slow one twice

    def _cancel(self, path: str, cancel: Callable[[str], object]) -> None:
        """Cancel one job. A failure to do so is not a failure of the run."""
        try:
            cancel(path)
        except TapError as error:
            _LOGGER.info("Job %s could not be cancelled and will expire by itself: %s", path, error)
        finally:
            with self._changed:
                self._cancelling.discard(path)
                self._changed.notify_all()
