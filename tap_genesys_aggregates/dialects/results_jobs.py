"""Jobs of the results contract: a query handed in, looked at until it is done, read page by page.

What is asked and what a page holds is the same as without a job; this is what stands around it
(aggregates-api.md, "Async jobs"; the names are those of the official SDKs). The size of a page goes
with the query: to ask for results takes a cursor and nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

import msgspec

from tap_genesys_aggregates.core.errors import UnreadableError
from tap_genesys_aggregates.dialects.protocol import Call, Page
from tap_genesys_aggregates.dialects.results import ResultsDialect

if TYPE_CHECKING:
    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.windows import Window

WAITING = frozenset({"QUEUED", "PENDING"})
DONE = "FULFILLED"
LOST = frozenset({"FAILED", "EXPIRED", "CANCELLED"})
"""States in which a job has no results and never will."""

_LONGEST_ID = 200
_T = TypeVar("_T")


class Submitted(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to a query that was handed in."""

    job_id: str


class Status(msgspec.Struct, frozen=True, rename="camel"):
    """What a job says of itself: a state, and why it failed."""

    state: str
    error_message: str | None = None


class _Mark(msgspec.Struct, frozen=True):
    """What a page of results says of the next one; its rows are read by the results dialect."""

    cursor: str | None = None


_SUBMITTED = msgspec.json.Decoder(Submitted)
_STATUS = msgspec.json.Decoder(Status)
_MARK = msgspec.json.Decoder(_Mark)


class JobsDialect:
    """Speaks of the jobs of one query."""

    def __init__(self, query: Query) -> None:
        """Compile what is the same in every request.

        Args:
            query: A query whose family has jobs.
        """
        self._query = query
        self._path = query.jobs_path or ""
        self._results = ResultsDialect(query)

    def submit(self, window: Window, users: tuple[str, ...]) -> Call:
        """Hand in the query for a window: its usual body, with the size of a page."""
        body = self._results.call(window, None, users).body or {}
        return Call("POST", self._path, {**body, "pageSize": self._query.page_size})

    def place(self, submitted: Submitted) -> str:
        """The path of a job, by which all the rest is asked.

        Args:
            submitted: The answer that named the job.

        Returns:
            A path under the query's jobs path.

        Raises:
            UnreadableError: The name could lead to another path.
        """
        name = submitted.job_id
        odd = not name.isprintable() or "/" in name or "\\" in name or ".." in name or name == "."
        if odd or not 0 < len(name) <= _LONGEST_ID:
            raise UnreadableError(f"a job came with an id that is none: {name[:80]!r}")
        return f"{self._path}/{quote(name, safe='')}"

    def look(self, place: str) -> Call:
        """Ask how a job is doing."""
        return Call("GET", place)

    def results(self, place: str, cursor: str | None) -> Call:
        """Ask for a page of a job's results; the first has no cursor."""
        return Call("GET", f"{place}/results", params={"cursor": cursor} if cursor else None)

    def cancel(self, place: str) -> Call:
        """Ask that a job be given up."""
        return Call("DELETE", place)

    def read_submitted(self, body: bytes) -> Submitted:
        """Read the answer to ``submit``.

        Raises:
            UnreadableError: The bytes are not such an answer.
        """
        return _read(_SUBMITTED, body)

    def read_status(self, body: bytes) -> Status:
        """Read the answer to ``look``.

        Raises:
            UnreadableError: The bytes are not such an answer.
        """
        return _read(_STATUS, body)

    def read_page(self, body: bytes, window: Window) -> Page:
        """Read a page of results.

        Args:
            body: The bytes of the answer.
            window: What was asked for.

        Returns:
            The page as the results dialect reads it; its ``next`` is the cursor.

        Raises:
            UnreadableError: The bytes are not such an answer.
        """
        page = self._results.read(body, window)
        return replace(page, next=_read(_MARK, body).cursor or None)


def _read(decoder: msgspec.json.Decoder[_T], body: bytes) -> _T:
    """What a body holds."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableError(f"the answer is not what the contract says of jobs: {error}") from None
