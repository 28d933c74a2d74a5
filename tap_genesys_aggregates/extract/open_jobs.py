"""The jobs that are under way, in one place: so that a run that ends leaves none behind."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tap_genesys_aggregates.core.errors import TapError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

_LOGGER = logging.getLogger("tap-genesys-aggregates")
_LAST_SUBMISSIONS = 0.5
_LAST_CANCELLATIONS = 2.0
"""Seconds of real time that a run waits at its end: one that is killed must end."""


class OpenJobs:
    """The jobs that are handed in and not yet read: the one place from which all can be cancelled.

    Any number of threads may hand in and cancel.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._cancels: dict[str, Callable[[str], object]] = {}
        self._leaving: set[str] = set()
        self._submitting = 0
        self._closed = False
        self._changed = threading.Condition()

    @contextmanager
    def job(self, submit: Callable[[], str], cancel: Callable[[str], object]) -> Iterator[str]:
        """Hand a job in, and cancel it where anything goes wrong before the block's end.

        Args:
            submit: Hands it in, and gives the place by which it is known.
            cancel: Cancels what stands at a place.

        Yields:
            The job's place.

        Raises:
            TapError: The run has ended.
        """
        place = self._submitted(submit, cancel)
        try:
            yield place
        except BaseException:
            self._give_up([place])
            raise
        with self._changed:
            self._cancels.pop(place, None)

    def check(self) -> None:
        """Go no further once the run has ended.

        Raises:
            TapError: It has.
        """
        if self._closed:
            raise TapError("the run has ended meanwhile")

    def close(self) -> None:
        """Cancel what is under way, jobs that are just being handed in too; take no more."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._submitting, _LAST_SUBMISSIONS)
            places = self._leaving.union(self._cancels)  # others may be cancelling theirs just now
        self._give_up(places)

    def _submitted(self, submit: Callable[[], str], cancel: Callable[[str], object]) -> str:
        """Hand in, in such a way that ``close`` can wait for it."""
        with self._changed:
            self.check()
            self._submitting += 1
        place = ""
        try:
            place = submit()
        finally:
            with self._changed:
                self._submitting -= 1
                if place:
                    self._cancels[place] = cancel
                self._changed.notify_all()
        return place

    def _give_up(self, places: Collection[str]) -> None:
        """Cancel jobs, all at once, and wait a moment for that: in threads that hold up no exit."""
        with self._changed:
            mine = {place: self._cancels.pop(place) for place in places if place in self._cancels}
            self._leaving.update(mine)
        with suppress(RuntimeError):  # no thread is to be had: the jobs end by themselves
            for place, cancel in mine.items():
                threading.Thread(target=self._leave, args=(place, cancel), name="cancel", daemon=True).start()
        with self._changed:
            self._changed.wait_for(lambda: self._leaving.isdisjoint(places), _LAST_CANCELLATIONS)
            self._leaving.difference_update(places)  # what takes longer is not waited for twice

    def _leave(self, place: str, cancel: Callable[[str], object]) -> None:
        """Cancel one job; that it cannot be had is no error of the run."""
        try:
            cancel(place)
        except TapError as error:
            _LOGGER.info("Job %s was not cancelled, and will end by itself: %s", place, error)
        finally:
            with self._changed:
                self._leaving.discard(place)
                self._changed.notify_all()
