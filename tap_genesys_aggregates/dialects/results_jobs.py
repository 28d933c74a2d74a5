"""Asynchronous jobs of the results API: submit a query, poll the job, read its results page by page.

The query and the results are the same as without a job; this module adds the requests around them
(docs/api-notes.md, "Results: asynchronous jobs"). The page size is part of the query: a request for results
takes a cursor and nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

import msgspec

from tap_genesys_aggregates.core.errors import UnreadableError
from tap_genesys_aggregates.core.rows import json_text
from tap_genesys_aggregates.dialects.error_bodies import check_error, refuse_error
from tap_genesys_aggregates.dialects.protocol import Call, Page
from tap_genesys_aggregates.dialects.results import KNOWN_FIELDS, ResultsDialect

if TYPE_CHECKING:
    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.windows import Window

WAITING = frozenset({"QUEUED", "PENDING"})
FULFILLED = "FULFILLED"
FAILED = frozenset({"FAILED", "EXPIRED", "CANCELLED"})
"""States of a job that will never have results."""

_PAGE_FIELDS = KNOWN_FIELDS | {"cursor", "dataAvailabilityDate"}
"""What may stand beside ``results`` in a page of a job."""
_MAX_ID_LENGTH = 200
_T = TypeVar("_T")


class Submitted(msgspec.Struct, frozen=True, rename="camel"):
    """The response to a submitted query."""

    job_id: str


class Status(msgspec.Struct, frozen=True):
    """The state of a job, and why it failed."""

    state: str
    error_message: str | None = None


class _StatusBody(msgspec.Struct, frozen=True, rename="camel"):
    """A status as it comes; only its state must have a type."""

    state: str
    error_message: object = None
    error: object = None
    errors: object = None


class _Cursor(msgspec.Struct, frozen=True):
    """The cursor in a page of results, whose rows the results dialect reads."""

    cursor: str | None = None


_SUBMITTED = msgspec.json.Decoder(Submitted)
_STATUS = msgspec.json.Decoder(_StatusBody)
_CURSOR = msgspec.json.Decoder(_Cursor)


class JobsDialect:
    """The jobs of one query, whose family must have jobs."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._path = query.jobs_path or ""
        self._results = ResultsDialect(query, _PAGE_FIELDS)
        self.is_only_way = query.path == query.jobs_path
        """Whether the family has no synchronous query, so that ``mode: sync`` does not help."""

    def submit(self, window: Window, users: tuple[str, ...]) -> Call:
        """Submit the query for a window: the usual body, with a page size."""
        body = self._results.call(window, None, users).body or {}
        return Call("POST", self._path, {**body, "pageSize": self._query.page_size}, any_success=True)

    def job_path(self, submitted: Submitted) -> str:
        """The path of a job, which all further requests use.

        Args:
            submitted: The response with the job's id.

        Returns:
            A path under the query's jobs path.

        Raises:
            UnreadableError: The id could lead to another path.
        """
        job_id = submitted.job_id
        leads_away = "/" in job_id or "\\" in job_id or ".." in job_id or job_id == "."
        if leads_away or not job_id.isprintable() or not 0 < len(job_id) <= _MAX_ID_LENGTH:
            raise UnreadableError(f"the id of a job is invalid: {job_id[:80]!r}")
        return f"{self._path}/{quote(job_id, safe='')}"

    def status(self, job_path: str) -> Call:
        """Ask for the status of a job."""
        return Call("GET", job_path)

    def results(self, job_path: str, cursor: str | None) -> Call:
        """Ask for a page of results; the first page has no cursor."""
        return Call("GET", f"{job_path}/results", params={"cursor": cursor} if cursor else None)

    def cancel(self, job_path: str) -> Call:
        """Cancel a job."""
        return Call("DELETE", job_path, any_success=True)

    def read_submitted(self, body: bytes) -> Submitted:
        """Parse the response to ``submit``.

        Raises:
            UnreadableError: The bytes are not such a response.
        """
        return _decode(_SUBMITTED, body, "jobId")

    def read_status(self, body: bytes) -> Status:
        """Parse the response to ``status``.

        Raises:
            UnreadableError: The bytes are not such a response.
        """
        found = _decode(_STATUS, body, "state")
        if found.error or found.errors:
            raise refuse_error(body, "state")
        said = found.error_message
        return Status(found.state, said if said is None or isinstance(said, str) else json_text(said))

    def read_results(self, body: bytes, window: Window) -> Page:
        """Parse a page of results.

        Args:
            body: The bytes of the response.
            window: The time range that was asked for.

        Returns:
            The page; its ``next`` is the cursor of the next page.

        Raises:
            UnreadableError: The bytes are not such a response.
        """
        page = self._results.read(body, window)
        return replace(page, next=_decode(_CURSOR, body, "results").cursor or None)


def _decode(decoder: msgspec.json.Decoder[_T], body: bytes, part: str) -> _T:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if isinstance(error, msgspec.ValidationError):
            check_error(body, part)
        raise UnreadableError(f"the response does not match the jobs API: {error}") from None
