"""The sandbox itself: a request goes in, a response comes out, and no network is involved."""

from __future__ import annotations

import base64
import itertools
import json
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from genesys_sandbox.access import RateLimiter, Tokens, check_permission
from genesys_sandbox.contact_center import History, open_contact_center
from genesys_sandbox.contract import families
from genesys_sandbox.directory import lookups
from genesys_sandbox.events import stable_id
from genesys_sandbox.group_tree_endpoint import PATH as TREE_PATH
from genesys_sandbox.group_tree_endpoint import GroupTreeEndpoint
from genesys_sandbox.http_messages import ApiError, Request, Response, json_response, reject
from genesys_sandbox.job_endpoints import JobEndpoints
from genesys_sandbox.options import Options
from genesys_sandbox.results_endpoint import ResultsEndpoint
from genesys_sandbox.timestamps import to_ms, utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from genesys_sandbox.faults import Fault, Plan


TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path
_ENTRIES_KEPT = 50_000
_TREE_PERMISSION = "analytics:conversation:view"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One handled request, for tests to look back at.

    Attributes:
        number: From 1, in order of arrival.
        body: The JSON that was sent; None where there was none.
        status: What was answered, whether or not it arrived.
        at: By the sandbox's clock.
        fault: The name of the fault that it met, else empty.
    """

    number: int
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: object
    status: int
    at: datetime
    fault: str


class Sandbox:
    """A small Genesys: the token, both contracts, jobs and look-ups, from one seed.

    Thread-safe. `handle` never sleeps and opens nothing; whoever carries the answer heeds its `delay`
    and its `transport`.

    Attributes:
        faults: The plan of what goes wrong; may be changed at any time.
        log: The requests handled so far, in the order in which they were done; the last 50,000.
        tokens: `tokens.revoke()` makes every token unknown.
        history: The facts, for a witness.
    """

    def __init__(
        self,
        options: Options | None = None,
        *,
        now: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], None] = time.sleep,
        faults: Plan | None = None,
    ) -> None:
        """Open a sandbox.

        Args:
            options: What it is like; None for a well-behaved platform.
            now: The clock by which facts become known and tokens die.
            sleep: How carriers wait, in seconds.
            faults: What goes wrong when; None for nothing.
        """
        self.options = options or Options()
        self.now, self.sleep, self.faults = now, sleep, faults
        contact_center = open_contact_center(
            self.options.seed, self.options.agents, self.options.volume, self.options.zone
        )
        self.history = History(contact_center, self.options.settle_days, rewrites=self.options.rewrites)
        self.tokens = Tokens(self.options)
        self.log: list[LogEntry] = []
        self._rate_limiter = RateLimiter(self.options)
        self._results = ResultsEndpoint(self.history, self.options)
        self._jobs = JobEndpoints(self.options, self._results.query)
        self._tree = GroupTreeEndpoint(self.history, self.options)
        self._lookups = lookups(contact_center.directory)
        self._by_path = {family.path: family for family in families().values()}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def handle(self, request: Request) -> Response:
        """Response one request, and write it into the log."""
        number, moment = next(self._numbers), self.now()
        fault = self.faults(number, request) if self.faults else None
        headers = {"ININ-Correlation-Id": stable_id("context", self.options.seed, number)}
        response = self._answer(request, moment, fault, headers)
        response = replace(response, headers={**headers, **response.headers}, delay=self.options.latency)
        if fault is not None:
            response = fault.apply(request, response)
        self._write(number, request, moment, response.status, fault)
        return response

    def _write(
        self, number: int, request: Request, moment: datetime, status: int, fault: Fault | None
    ) -> None:
        entry = LogEntry(
            number=number,
            method=request.method,
            path=request.path,
            query=request.query,
            headers=request.headers,
            body=request.payload,
            status=status,
            at=moment,
            fault=fault.name if fault else "",
        )
        with self._lock:
            self.log.append(entry)
            del self.log[:-_ENTRIES_KEPT]

    def _answer(
        self, request: Request, moment: datetime, fault: Fault | None, headers: dict[str, str]
    ) -> Response:
        """The answer, or the fault's in its place; `headers` takes in what every answer carries."""
        context = headers["ININ-Correlation-Id"]
        if fault is not None and fault.instead is not None:
            return fault.instead(context)
        try:
            if (request.method, request.path) == ("POST", TOKEN_PATH):
                return self.tokens.issue(request, moment)
            token = self.tokens.check(request, moment)
            headers.update(self._rate_limiter.count(token, to_ms(moment)))
            self._rate_limiter.check(headers)
            return self._route(request, moment)
        except ApiError as refused:
            return refused.response(context)

    def _route(self, request: Request, moment: datetime) -> Response:
        """Find who answers: by the whole path, or by the jobs path that it begins with."""
        path, as_of = request.path, to_ms(moment)
        family, lookup = self._by_path.get(path), self._lookups.get(path)
        if family is not None and request.method == "POST":
            self._permit(path, *family.permissions)
            return json_response(self._results.query(family, request.payload, as_of))
        if path == TREE_PATH and request.method == "POST":
            self._permit(path, _TREE_PERMISSION)
            return json_response(self._tree.query(request, as_of))
        if lookup is not None and request.method == "GET":
            self._permit(path, lookup.permission)
            return json_response(lookup.page(request))
        return self._job(request, moment)

    def _job(self, request: Request, moment: datetime) -> Response:
        for family in families().values():
            if family.jobs_path and f"{request.path}/".startswith(f"{family.jobs_path}/"):
                self._permit(request.path, *family.permissions)
                rest = request.path[len(family.jobs_path) :].strip("/").split("/")
                return self._jobs.handle(family, list(filter(None, rest)), request, moment)
        return reject("{path} is not found", "not.found", status=404, path=request.path)

    def _permit(self, path: str, *permissions: str) -> None:
        check_permission(path, permissions, self.options.forbidden)


_CREDENTIALS = base64.b64encode(b"sandbox:sandbox").decode()


class SandboxClient:
    """A client with a token of its own, fetched at once."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Fetch a token from this sandbox, as `sandbox`/`sandbox`."""
        self._sandbox = sandbox
        self.headers: dict[str, str] = {}
        self.renew()

    def renew(self) -> None:
        """Fetch another token."""
        headers = {"authorization": f"Basic {_CREDENTIALS}"}
        request = Request("POST", "/oauth/token", headers, b"grant_type=client_credentials")
        token = json.loads(self._sandbox.handle(request).body)["access_token"]
        self.headers = {"authorization": f"Bearer {token}"}

    def ask(self, method: str, target: str, body: object = None) -> Response:
        """One request; a body of None is no body."""
        sent = b"" if body is None else json.dumps(body).encode()
        return self._sandbox.handle(Request(method, target, self.headers, sent))

    def read(self, method: str, target: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """The JSON of an answer that is right.

        Raises:
            AssertionError: the answer is an error.
        """
        response = self.ask(method, target, body)
        if response.status not in {200, 202}:
            raise AssertionError(response.body.decode())
        return json.loads(response.body)

    def results(self, family: str, body: Mapping[str, object]) -> Any:  # noqa: ANN401 - JSON
        """The answer to a results query of a family."""
        return self.read("POST", families()[family].path, body)

    def tree_pages(self, body: Mapping[str, object]) -> list[Any]:
        """Every page of a group-tree query, by its links."""
        pages = [self.read("POST", TREE_PATH, body)]
        while link := pages[-1]["links"].get("next"):
            pages.append(self.read("POST", link[link.index("/api") :]))
        return pages
