"""Asynchronous jobs: submit a query, poll its job until it is done, read its pages, leave no job behind.

See docs/api-notes.md, "Results: asynchronous jobs".
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from typing_extensions import Self

from tap_genesys_aggregates.core.errors import TapError, UnreadableError
from tap_genesys_aggregates.dialects.results_jobs import FAILED, FULFILLED, WAITING, JobsDialect, Status
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
    from tap_genesys_aggregates.dialects.protocol import Call, Page, WindowRequest
    from tap_genesys_aggregates.http.usage import Usage

T = TypeVar("T")
_LOGGER = logging.getLogger("tap-genesys-aggregates")

SUBMISSIONS = 3
"""How often a window is submitted if its jobs fail, expire or are cancelled by somebody else."""
JOB_TIMEOUT = 3600.0
"""Seconds that all jobs of a window may take until results are ready."""
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 20.0
"""Seconds between two polls of a job; the pause doubles each time."""


class Send(Protocol):
    """Sends a call with token, rate limit and retries (``Client.send``)."""

    def __call__(self, call: Call, read: Callable[[bytes], T], usage: Usage, *, divisible: bool = False) -> T:
        """Send the call and read its answer."""


class AsyncJobs:
    """Runs the jobs of one query. As a context manager, it cancels on exit what is still running."""

    def __init__(self, query: Query, send: Send, clock: Clock) -> None:
        """Prepare; no request is sent yet.

        Args:
            query: A query whose family has jobs.
            send: Sends calls.
            clock: Time and sleeping.
        """
        self._dialect = JobsDialect(query)
        self._send = send
        self._clock = clock
        self._open_jobs = OpenJobs()

    def __enter__(self) -> Self:
        self._open_jobs = OpenJobs()
        return self

    def __exit__(self, *_: object) -> None:
        self._open_jobs.close()

    def pages(self, request: WindowRequest, usage: Usage) -> list[Page]:
        """Every page of a window.

        Args:
            request: What to ask for.
            usage: Counts the cost.

        Returns:
            The pages, in order.

        Raises:
            TapError: No job returned results.
        """
        deadline = self._clock.monotonic() + JOB_TIMEOUT
        run = _JobRun(self._dialect, self._send, self._clock, self._open_jobs, request, usage, deadline)
        return run.pages()


def _pauses() -> Iterator[float]:
    """Seconds to wait before each poll."""
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, LONGEST_PAUSE)


@dataclass(slots=True)
class _JobRun:
    """One request answered by jobs: as many as it takes, one after the other."""

    dialect: JobsDialect
    send: Send
    clock: Clock
    open_jobs: OpenJobs
    request: WindowRequest
    usage: Usage
    deadline: float
    pauses: Iterator[float] = field(default_factory=_pauses)

    def pages(self) -> list[Page]:
        """The pages of the first job that is done; a lost job is submitted again."""
        said = ""
        for number in range(1, SUBMISSIONS + 1):
            with self.open_jobs.job(self._submit, self._cancel) as path:
                outcome = self._outcome(path)
            if not isinstance(outcome, Status):
                return outcome
            said = f"job {path} ended as {outcome.state}"
            if outcome.error_message:
                said = f"{said}: {shorten(outcome.error_message)}"
                if is_too_large(outcome.error_message):
                    raise TooLargeError(said)
            _LOGGER.warning("Submission %d of %d returned no results: %s", number, SUBMISSIONS, said)
        advice = f"Try again later; a shorter window on this query may help{self._or_sync()}"
        raise RefusedError(f"{SUBMISSIONS} jobs returned no results; the last {said}", advice)

    def _or_sync(self) -> str:
        return "" if self.dialect.is_only_way else ", or mode: sync"

    def _submit(self) -> str:
        """Submit the query; returns the job's path."""
        call = self.dialect.submit(self.request.window, self.request.users)
        read = self.dialect.read_submitted
        try:
            submitted = self.send(call, read, self.usage, divisible=self.request.divisible)
        except NotFoundError as error:
            instead = "" if self.dialect.is_only_way else "remove mode: async, or "
            advice = f"This host may not support jobs: {instead}check region and base_url"
            raise RefusedError(error.what, advice) from None
        return self.dialect.job_path(submitted)

    def _cancel(self, path: str) -> None:
        self.send(self.dialect.cancel(path), lambda _: None, self.usage)

    def _outcome(self, path: str) -> list[Page] | Status:
        """The results of a job, or the state in which it was lost."""
        status = self._wait(path)
        if status.state != FULFILLED:
            return status
        try:
            return self._read(path)
        except RefusedError:  # the job may have been lost a moment ago; its state tells
            status = self._poll(path)
            if status.state in FAILED:
                return status
            raise

    def _wait(self, path: str) -> Status:
        """Wait until a job is done or lost.

        An unknown state counts as waiting, because the platform may add states; the deadline applies to
        those too.
        """
        status = Status("QUEUED")
        while status.state != FULFILLED and status.state not in FAILED:
            pause = next(self.pauses)
            if self.clock.monotonic() + pause > self.deadline:
                what = f"job {path} is still {shorten(status.state)} after {JOB_TIMEOUT / 60:.0f} minutes"
                raise TapError(what, f"It was cancelled. Set a shorter window on this query{self._or_sync()}")
            self.clock.sleep(pause)
            self.open_jobs.check()
            before, status = status, self._poll(path)
            if status.state not in {*WAITING, FULFILLED, *FAILED, before.state}:
                _LOGGER.warning("Job %s: still waiting; unknown state %r", path, shorten(status.state))
        return status

    def _poll(self, path: str) -> Status:
        """The state of a job; one that no longer exists has expired."""
        try:
            status = self.send(self.dialect.status(path), self.dialect.read_status, self.usage)
        except NotFoundError as error:
            return Status("EXPIRED", error.what)
        return Status(status.state.upper(), status.error_message)

    def _read(self, path: str) -> list[Page]:
        """Every page of a job's results."""
        read = partial(self.dialect.read_results, window=self.request.window)
        found = [self.send(self.dialect.results(path, None), read, self.usage)]
        followed: set[str] = set()
        before = self.usage.bytes
        while cursor := found[-1].next:
            if cursor in followed:
                what = f"the cursor of the next page was already followed (after {len(found)} pages)"
                raise UnreadableError(what, "The server's pages form a loop: report it to the server's owner")
            followed.add(cursor)
            check_window(len(found), self.usage.bytes - before)
            found.append(self.send(self.dialect.results(path, cursor), read, self.usage))
        return found
