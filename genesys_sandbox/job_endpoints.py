"""Answers asynchronous jobs: submit, poll, read the results page by page, cancel."""

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


_LIFE = timedelta(days=1)
_USUAL_PAGE = 1_000
_LARGEST_PAGE = 100_000


@dataclass(slots=True)
class Job:
    """One job.

    Attributes:
        body: The whole answer, made when the job was handed in.
        coming: The states still to be seen, the next one first; the last one stays.
        page_size: Buckets on a page.
    """

    body: dict[str, Any]
    coming: list[str]
    page_size: int
    submitted: datetime
    completed: datetime | None = None
    buckets: list[tuple[object, object]] = field(default_factory=list)

    def look(self, now: datetime) -> str:
        """The state as this poll sees it; the next poll sees the next one."""
        state = self.coming[0]
        if len(self.coming) > 1:
            del self.coming[0]
        elif self.completed is None:
            self.completed = now
        return state

    def page(self, first: int) -> dict[str, object]:
        """The buckets from a number on, each group with those of its buckets that are on the page."""
        results: list[dict[str, Any]] = []
        for group, bucket in self.buckets[first : first + self.page_size]:
            if not results or results[-1]["group"] is not group:
                results.append({"group": group, "data": []})
            results[-1]["data"].append(bucket)
        page: dict[str, object] = {**self.body, "results": results}
        following = first + self.page_size
        return {**page, "cursor": str(following)} if following < len(self.buckets) else page


class JobEndpoints:
    """Every job handed in, of every family."""

    def __init__(
        self, options: Options, query: Callable[[FamilySpec, object, int], dict[str, object]]
    ) -> None:
        """Run jobs by a function from family, body and instant (UTC milliseconds) to an answer's body."""
        self._endings = ["FAILED"] * options.jobs_fail + ["EXPIRED"] * options.jobs_expire
        self._query = query
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    def handle(self, family: FamilySpec, rest: list[str], request: Request, now: datetime) -> Response:
        """Response a request under a family's jobs path; `rest` is what follows that path.

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
                job.coming = ["CANCELLED"]
                return Response(204)
            return json_response(_described(job, job.look(now)))

    def _submit(self, family: FamilySpec, request: Request, now: datetime) -> Response:
        payload = query_parts.record(request.payload, "body")
        size = query_parts.number(payload, "pageSize", default=_USUAL_PAGE, most=_LARGEST_PAGE)
        body: dict[str, Any] = self._query(family, payload, to_ms(now))
        with self._lock:
            ending = self._endings.pop(0) if self._endings else "FULFILLED"
            name = stable_id("job", len(self._jobs))
            job = self._jobs[name] = Job(body, ["QUEUED", "PENDING", ending], size, now)
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
        if job.coming != ["FULFILLED"]:
            reject("The job has no results: {state}", state=job.coming[0])
        mark = request.query.get("cursor", "0")
        if not mark.isdecimal() or int(mark) > len(job.buckets):
            reject("Unknown cursor: {cursor}", "invalid.value", cursor=mark)
        return json_response(job.page(int(mark)))


def _described(job: Job, state: str) -> dict[str, object]:
    described: dict[str, object] = {
        "state": state,
        "submissionDate": to_text(to_ms(job.submitted)),
        "expirationDate": to_text(to_ms(job.submitted + _LIFE)),
    }
    if job.completed is not None:
        described["completionDate"] = to_text(to_ms(job.completed))
    if state == "FAILED":
        described["errorMessage"] = "The query could not be completed"
    return described
