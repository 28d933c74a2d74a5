"""The job endpoints: submit a query, poll its state, read the results page by page, cancel it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from genesys_sandbox import query_parts
from genesys_sandbox.events import stable_id
from genesys_sandbox.http_messages import Response, json_response, reject
from genesys_sandbox.timestamps import to_ms, to_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from genesys_sandbox.contract import FamilySpec
    from genesys_sandbox.http_messages import Request
    from genesys_sandbox.options import Options


_RETENTION = timedelta(days=1)
_DEFAULT_PAGE_SIZE = 1_000
_MAX_PAGE_SIZE = 100_000


@dataclass(slots=True)
class Job:
    """One job.

    Attributes:
        body: The complete response, computed when the job was submitted.
        upcoming_states: The states of the next polls; the last one stays.
        page_size: Buckets per page.
    """

    body: dict[str, Any]
    upcoming_states: list[str]
    page_size: int
    submitted: datetime
    completed: datetime | None = None
    buckets: list[tuple[object, object]] = field(default_factory=list)

    def poll(self, now: datetime) -> str:
        """Return the current state, and move on to the next one."""
        state = self.upcoming_states[0]
        if len(self.upcoming_states) > 1:
            del self.upcoming_states[0]
        elif self.completed is None:
            self.completed = now
        return state

    def page(self, first: int) -> dict[str, object]:
        """Return the page that starts at bucket number `first`, grouped as in a synchronous response."""
        results: list[dict[str, Any]] = []
        for group, bucket in self.buckets[first : first + self.page_size]:
            if not results or results[-1]["group"] is not group:
                results.append({"group": group, "data": []})
            results[-1]["data"].append(bucket)
        page: dict[str, object] = {**self.body, "results": results}
        next_first = first + self.page_size
        return {**page, "cursor": str(next_first)} if next_first < len(self.buckets) else page


class JobEndpoints:
    """The jobs of every family."""

    def __init__(
        self, options: Options, query: Callable[[FamilySpec, object, int], dict[str, object]]
    ) -> None:
        """Run jobs with `query`, which takes family, body and time (UTC milliseconds) and returns a body."""
        self._final_states = ["FAILED"] * options.jobs_fail + ["EXPIRED"] * options.jobs_expire
        self._query = query
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    def handle(self, family: FamilySpec, rest: list[str], request: Request, now: datetime) -> Response:
        """Respond to a request below a family's jobs path; `rest` is the part after that path.

        Raises:
            ApiError: 400 for a malformed query, 404 for an unknown job or a wrong method.
        """
        if not rest and request.method == "POST":
            return self._submit(family, request, now)
        job = self._find(rest)
        if rest[1:] == ["results"] and request.method == "GET":
            return self._read(job, request)
        if len(rest) > 1 or request.method not in {"GET", "DELETE"}:
            reject("{path} is not found", "not.found", status=404, path=request.path)
        with self._lock:
            if request.method == "DELETE":
                job.upcoming_states = ["CANCELLED"]
                return Response(204)
            return json_response(_status_body(job, job.poll(now)))

    def _submit(self, family: FamilySpec, request: Request, now: datetime) -> Response:
        payload = query_parts.record(request.payload, "body")
        size = query_parts.number(payload, "pageSize", default=_DEFAULT_PAGE_SIZE, maximum=_MAX_PAGE_SIZE)
        body: dict[str, Any] = self._query(family, payload, to_ms(now))
        with self._lock:
            final_state = self._final_states.pop(0) if self._final_states else "FULFILLED"
            name = stable_id("job", len(self._jobs))
            job = self._jobs[name] = Job(body, ["QUEUED", "PENDING", final_state], size, now)
        for result in body.get("results") or ():
            job.buckets += [(result["group"], bucket) for bucket in result["data"]]
        return json_response({"jobId": name}, status=202)

    def _find(self, rest: list[str]) -> Job:
        with self._lock:
            job = self._jobs.get(rest[0]) if rest else None
        if job is None:
            reject("The job is not found", "not.found", status=404)
        return job

    def _read(self, job: Job, request: Request) -> Response:
        if job.upcoming_states != ["FULFILLED"]:
            reject("The job has no results. Its state is {state}", state=job.upcoming_states[0])
        cursor = request.query.get("cursor", "0")
        if not cursor.isdecimal() or int(cursor) > len(job.buckets):
            reject("Unknown cursor: {cursor}", "invalid.value", cursor=cursor)
        return json_response(job.page(int(cursor)))


def _status_body(job: Job, state: str) -> dict[str, object]:
    body: dict[str, object] = {
        "state": state,
        "submissionDate": to_text(to_ms(job.submitted)),
        "expirationDate": to_text(to_ms(job.submitted + _RETENTION)),
    }
    if job.completed is not None:
        body["completionDate"] = to_text(to_ms(job.completed))
    if state == "FAILED":
        body["errorMessage"] = "The query could not be completed"
    return body
