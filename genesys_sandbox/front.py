"""The sandbox as a whole: a request goes in, an answer comes out, and nothing touches a network."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from genesys_sandbox.centre import open_centre
from genesys_sandbox.contract import families
from genesys_sandbox.facts import stable_id
from genesys_sandbox.group_tree import GroupTree
from genesys_sandbox.history import History
from genesys_sandbox.instants import to_ms, utc_now
from genesys_sandbox.jobs import Jobs
from genesys_sandbox.limits import Pace, check_permission
from genesys_sandbox.lookups import lookups
from genesys_sandbox.messages import Answer, RefusedError, json_answer, refuse
from genesys_sandbox.options import Options
from genesys_sandbox.results import Results
from genesys_sandbox.tokens import Tokens
from genesys_sandbox.tree_query import PATH as TREE_PATH

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from genesys_sandbox.faults import Fault, Plan
    from genesys_sandbox.messages import Request

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
        centre = open_centre(self.options.seed, self.options.agents, self.options.volume, self.options.zone)
        self.history = History(centre, self.options.settle_days, rewrites=self.options.rewrites)
        self.tokens = Tokens(self.options)
        self.log: list[LogEntry] = []
        self._pace = Pace(self.options)
        self._results = Results(self.history, self.options)
        self._jobs = Jobs(self.options, self._results.query)
        self._tree = GroupTree(self.history, self.options)
        self._lookups = lookups(centre.vocabulary)
        self._by_path = {family.path: family for family in families().values()}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def handle(self, request: Request) -> Answer:
        """Answer one request, and write it into the log."""
        number, moment = next(self._numbers), self.now()
        fault = self.faults(number, request) if self.faults else None
        headers = {"ININ-Correlation-Id": stable_id("context", self.options.seed, number)}
        answer = self._answer(request, moment, fault, headers)
        answer = replace(answer, headers={**headers, **answer.headers}, delay=self.options.latency)
        if fault is not None:
            answer = fault.spoil(request, answer)
        self._write(number, request, moment, answer.status, fault)
        return answer

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
    ) -> Answer:
        """The answer, or the fault's in its place; `headers` takes in what every answer carries."""
        context = headers["ININ-Correlation-Id"]
        if fault is not None and fault.instead is not None:
            return fault.instead(context)
        try:
            if (request.method, request.path) == ("POST", TOKEN_PATH):
                return self.tokens.issue(request, moment)
            token = self.tokens.check(request, moment)
            headers.update(self._pace.count(token, to_ms(moment)))
            self._pace.check(headers)
            return self._route(request, moment)
        except RefusedError as refused:
            return refused.answer(context)

    def _route(self, request: Request, moment: datetime) -> Answer:
        """Find who answers: by the whole path, or by the jobs path that it begins with."""
        path, as_of = request.path, to_ms(moment)
        family, lookup = self._by_path.get(path), self._lookups.get(path)
        if family is not None and request.method == "POST":
            self._permit(path, *family.permissions)
            return json_answer(self._results.query(family, request.payload, as_of))
        if path == TREE_PATH and request.method == "POST":
            self._permit(path, _TREE_PERMISSION)
            return json_answer(self._tree.query(request, as_of))
        if lookup is not None and request.method == "GET":
            self._permit(path, lookup.permission)
            return json_answer(lookup.page(request))
        return self._job(request, moment)

    def _job(self, request: Request, moment: datetime) -> Answer:
        for family in families().values():
            if family.jobs_path and f"{request.path}/".startswith(f"{family.jobs_path}/"):
                self._permit(request.path, *family.permissions)
                rest = request.path[len(family.jobs_path) :].strip("/").split("/")
                return self._jobs.handle(family, list(filter(None, rest)), request, moment)
        return refuse("{path} is not found", "not.found", status=404, path=request.path)

    def _permit(self, path: str, *permissions: str) -> None:
        check_permission(path, permissions, self.options.forbidden)
