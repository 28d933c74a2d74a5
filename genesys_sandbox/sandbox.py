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
from genesys_sandbox.faults import http_date
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
ORGANIZATION_PATH = "/api/v2/organizations/me"
_ENTRIES_KEPT = 50_000
_TREE_PERMISSION = "analytics:conversation:view"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One handled request.

    Attributes:
        number: From 1, in order of arrival.
        body: The JSON that was sent; None if there was none.
        status: The status of the response, whether or not it arrived.
        at: When, by the sandbox's clock.
        fault: The name of the injected fault, or empty.
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
    """A small Genesys Cloud: tokens, both query formats, jobs and lookup lists, from one seed.

    Thread-safe. `handle` never sleeps and opens nothing; whoever sends the response applies its `delay`
    and its `delivery`.

    Attributes:
        faults: The plan of faults; may be changed at any time.
        log: The last 50,000 handled requests, in the order in which they finished.
        tokens: `tokens.revoke()` invalidates every token.
        history: The events, for `ExpectedRows`.
    """

    def __init__(
        self,
        options: Options | None = None,
        *,
        now: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], None] = time.sleep,
        faults: Plan | None = None,
    ) -> None:
        """Create a sandbox.

        Args:
            options: Its options; None for a well-behaved platform.
            now: The clock by which events become known and tokens expire.
            sleep: How delays are waited for, in seconds.
            faults: The plan of faults; None for none.
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
        self._by_path = {family.path: family for family in families().values() if family.path}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def handle(self, request: Request) -> Response:
        """Respond to one request and add it to the log."""
        number, now = next(self._numbers), self.now()
        fault = self.faults(number, request) if self.faults else None
        headers = {
            "Date": http_date(now),
            "ININ-Correlation-Id": stable_id("context", self.options.seed, number),
        }
        response = self._answer(request, now, fault, headers)
        response = replace(response, headers={**headers, **response.headers}, delay=self.options.latency)
        if fault is not None:
            response = fault.apply(request, response)
        self._record(number, request, now, response.status, fault)
        return response

    def _record(self, number: int, request: Request, now: datetime, status: int, fault: Fault | None) -> None:
        entry = LogEntry(
            number=number,
            method=request.method,
            path=request.path,
            query=request.query,
            headers=request.headers,
            body=request.payload,
            status=status,
            at=now,
            fault=fault.name if fault else "",
        )
        with self._lock:
            self.log.append(entry)
            del self.log[:-_ENTRIES_KEPT]

    def _answer(
        self, request: Request, now: datetime, fault: Fault | None, headers: dict[str, str]
    ) -> Response:
        """Return the response, or the fault's instead; adds the common headers to `headers`."""
        context = headers["ININ-Correlation-Id"]
        if fault is not None and fault.instead is not None:
            return fault.instead(context)
        try:
            if (request.method, request.path) == ("POST", TOKEN_PATH):
                return self.tokens.issue(request, now)
            token = self.tokens.check(request, now)
            headers.update(self._rate_limiter.count(token, to_ms(now)))
            self._rate_limiter.check(headers)
            return self._route(request, now)
        except ApiError as error:
            return error.response(context)

    def _route(self, request: Request, now: datetime) -> Response:
        """Route by the whole path, or by the jobs path that it starts with."""
        path, as_of = request.path, to_ms(now)
        family, lookup = self._by_path.get(path), self._lookups.get(path)
        if family is not None and request.method == "POST":
            self._check_permission(path, *family.permissions)
            return json_response(self._results.query(family, request.payload, as_of))
        if path == TREE_PATH and request.method == "POST":
            self._check_permission(path, _TREE_PERMISSION)
            return json_response(self._tree.query(request, as_of))
        if lookup is not None and request.method == "GET":
            self._check_permission(path, lookup.permission)
            return json_response(lookup.page(request))
        if (request.method, path) == ("GET", ORGANIZATION_PATH) and self.options.organization is not None:
            self._check_permission(path)
            identity = stable_id("organization", self.options.seed)
            return json_response({"id": identity, "name": self.options.organization, "state": "active"})
        return self._route_job(request, now)

    def _route_job(self, request: Request, now: datetime) -> Response:
        for family in families().values():
            if family.jobs_path and f"{request.path}/".startswith(f"{family.jobs_path}/"):
                self._check_permission(request.path, *family.permissions)
                rest = request.path[len(family.jobs_path) :].strip("/").split("/")
                return self._jobs.handle(family, list(filter(None, rest)), request, now)
        return reject("{path} is not found", "not.found", status=404, path=request.path)

    def _check_permission(self, path: str, *permissions: str) -> None:
        check_permission(path, permissions, self.options.forbidden)


_CREDENTIALS = base64.b64encode(b"sandbox:sandbox").decode()


class SandboxClient:
    """Calls a sandbox directly, for tests and examples: no session, no socket, no adapter.

    It fetches a token at once, as `sandbox`/`sandbox`.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.headers: dict[str, str] = {}
        self.renew()

    def renew(self) -> None:
        """Fetch a new token."""
        headers = {"authorization": f"Basic {_CREDENTIALS}"}
        grant = Request("POST", TOKEN_PATH, headers, b"grant_type=client_credentials")
        token = json.loads(self._sandbox.handle(grant).body)["access_token"]
        self.headers = {"authorization": f"Bearer {token}"}

    def request(self, method: str, target: str, body: object = None) -> Response:
        """Send one request; a body of None is no body."""
        sent = b"" if body is None else json.dumps(body).encode()
        return self._sandbox.handle(Request(method, target, self.headers, sent))

    def request_json(self, method: str, target: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Send one request and return the JSON of its response.

        Raises:
            AssertionError: The response is an error.
        """
        response = self.request(method, target, body)
        if response.status not in {200, 202}:
            raise AssertionError(response.body.decode())
        return json.loads(response.body)

    def results(self, family: str, body: Mapping[str, object]) -> Any:  # noqa: ANN401 - JSON
        """Send a results query of a family and return the JSON, from a job if it has jobs only."""
        known = families()[family]
        if known.path is not None:
            return self.request_json("POST", known.path, body)
        job = f"{known.jobs_path}/{self.request_json('POST', f'{known.jobs_path}', body)['jobId']}"
        while self.request_json("GET", job)["state"] != "FULFILLED":
            pass
        return self.request_json("GET", f"{job}/results")

    def tree_pages(self, body: Mapping[str, object]) -> list[Any]:
        """Send a group-tree query and return all its pages."""
        pages = [self.request_json("POST", TREE_PATH, body)]
        while link := pages[-1]["links"].get("next"):
            pages.append(self.request_json("POST", link[link.index("/api") :]))
        return pages
