"""Answering an ask by a job: hand it in, look at it until it is done, read its pages, leave none behind."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from typing_extensions import Self

from tap_genesys_aggregates.core.errors import TapError, UnreadableError
from tap_genesys_aggregates.dialects.results_jobs import DONE, LOST, WAITING, JobsDialect, Status
from tap_genesys_aggregates.extract.open_jobs import OpenJobs
from tap_genesys_aggregates.http.errors import (
    NotFoundError,
    RefusedError,
    TooLargeError,
    is_too_large,
    shorten,
)
from tap_genesys_aggregates.http.response_limits import check_window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_genesys_aggregates.clock import Clock
    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.dialects.protocol import Call, Page
    from tap_genesys_aggregates.extract.pulling import Ask
    from tap_genesys_aggregates.http.usage import Usage

T = TypeVar("T")
_LOGGER = logging.getLogger("tap-genesys-aggregates")

SUBMISSIONS = 3
"""How often a window is handed in, if its jobs fail, expire or are cancelled by somebody."""
LONGEST_JOB = 3600.0
"""Seconds that a window's jobs may take in all until there are results to read."""
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 20.0
"""Seconds between two looks at a job: twice as many each time, from the first to the longest."""


class Send(Protocol):
    """How a call is sent: with token, pace and retries, its cost counted."""

    def __call__(self, call: Call, read: Callable[[bytes], T], usage: Usage, *, divisible: bool = False) -> T:
        """Send, and read the answer."""


class Jobs:
    """Answers the asks of one query by jobs; as a context, it leaves none of them behind."""

    def __init__(self, query: Query, send: Send, clock: Clock) -> None:
        """Prepare; nothing is sent yet.

        Args:
            query: A query whose family has jobs.
            send: Sends calls.
            clock: Time and waiting.
        """
        self._dialect = JobsDialect(query)
        self._send = send
        self._clock = clock
        self._under_way = OpenJobs()

    def __enter__(self) -> Self:
        """Begin a run."""
        self._under_way = OpenJobs()
        return self

    def __exit__(self, *_: object) -> None:
        """End it, however it ended: what is still under way is cancelled."""
        self._under_way.close()

    def pages(self, ask: Ask, usage: Usage) -> list[Page]:
        """Every page of a window.

        Args:
            ask: What to ask for.
            usage: Where the cost is counted.

        Returns:
            The pages, in order.

        Raises:
            TapError: They are not to be had.
        """
        limit = self._clock.monotonic() + LONGEST_JOB
        return _JobRun(self._dialect, self._send, self._clock, self._under_way, ask, usage, limit).pages()


def _pauses() -> Iterator[float]:
    """How long to wait before each look at a job, in seconds."""
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, LONGEST_PAUSE)


@dataclass(slots=True)
class _JobRun:
    """One ask on its way: as many jobs as it takes, one after the other."""

    dialect: JobsDialect
    send: Send
    clock: Clock
    under_way: OpenJobs
    ask: Ask
    usage: Usage
    limit: float
    pauses: Iterator[float] = field(default_factory=_pauses)

    def pages(self) -> list[Page]:
        """The pages of the first job that is done; a lost one is handed in again."""
        said = ""
        for number in range(1, SUBMISSIONS + 1):
            with self.under_way.job(self._submit, self._cancel) as place:
                outcome = self._outcome(place)
            if not isinstance(outcome, Status):
                return outcome
            said = f"job {place} ended {outcome.state}"
            if outcome.error_message:
                said = f"{said}: {shorten(outcome.error_message)}"
                if is_too_large(outcome.error_message):
                    raise TooLargeError(said)
            _LOGGER.warning("Submission %d of %d brought nothing: %s", number, SUBMISSIONS, said)
        advice = "Try again later; a shorter window on this query may help, or mode: sync"
        raise RefusedError(f"{SUBMISSIONS} jobs for it brought nothing, the last {said}", advice)

    def _submit(self) -> str:
        """Hand the ask in; the job's place."""
        call = self.dialect.submit(self.ask.window, self.ask.users)
        read = self.dialect.read_submitted
        try:
            submitted = self.send(call, read, self.usage, divisible=self.ask.divisible)
        except NotFoundError as error:
            advice = "This host may have no jobs: leave mode: async out, or check region and base_url"
            raise RefusedError(error.what, advice) from None
        return self.dialect.place(submitted)

    def _cancel(self, place: str) -> None:
        """Give a job up."""
        self.send(self.dialect.cancel(place), lambda _: None, self.usage)

    def _outcome(self, place: str) -> list[Page] | Status:
        """The results of a job, or the state in which it was lost."""
        status = self._settled(place)
        if status.state != DONE:
            return status
        try:
            return self._read(place)
        except RefusedError:  # its state says whether it was lost just now
            status = self._look(place)
            if status.state in LOST:
                return status
            raise

    def _settled(self, place: str) -> Status:
        """Wait until a job is done or lost.

        A state that is not known counts as waiting: the platform may get more of them, and the limit
        holds for those too.
        """
        status = Status("QUEUED")
        while status.state != DONE and status.state not in LOST:
            pause = next(self.pauses)
            if self.clock.monotonic() + pause > self.limit:
                what = f"job {place} is still {shorten(status.state)} after {LONGEST_JOB / 60:.0f} minutes"
                raise TapError(what, "It is given up: set a shorter window on this query, or mode: sync")
            self.clock.sleep(pause)
            self.under_way.check()
            before, status = status, self._look(place)
            if status.state not in {*WAITING, DONE, *LOST, before.state}:
                _LOGGER.warning("Job %s: waiting, as state %r is not known", place, shorten(status.state))
        return status

    def _look(self, place: str) -> Status:
        """How a job is doing; one that is gone has expired."""
        try:
            status = self.send(self.dialect.look(place), self.dialect.read_status, self.usage)
        except NotFoundError as error:
            return Status("EXPIRED", error.what)
        return Status(status.state.upper(), status.error_message)

    def _read(self, place: str) -> list[Page]:
        """Every page of a job's results."""
        read = partial(self.dialect.read_page, window=self.ask.window)
        found = [self.send(self.dialect.results(place, None), read, self.usage)]
        followed: set[str] = set()
        before = self.usage.bytes
        while cursor := found[-1].next:
            if cursor in followed:
                what = f"the next page's cursor was followed before (after {len(found)} pages)"
                raise UnreadableError(
                    what, "The server's pages go round in a circle: please report it to its owner"
                )
            followed.add(cursor)
            check_window(len(found), self.usage.bytes - before)
            found.append(self.send(self.dialect.results(place, cursor), read, self.usage))
        return found
