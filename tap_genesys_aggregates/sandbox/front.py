"""The sandbox as a whole: a request goes in, an answer comes out, and nothing touches a network."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tap_genesys_aggregates.sandbox.centre import Centre
from tap_genesys_aggregates.sandbox.contract import Family, families
from tap_genesys_aggregates.sandbox.facts import stable_id
from tap_genesys_aggregates.sandbox.group_tree import GroupTree
from tap_genesys_aggregates.sandbox.history import History
from tap_genesys_aggregates.sandbox.instants import to_ms, utc_now
from tap_genesys_aggregates.sandbox.messages import Answer, RefusedError, json_answer, refuse
from tap_genesys_aggregates.sandbox.options import Options
from tap_genesys_aggregates.sandbox.results import Results
from tap_genesys_aggregates.sandbox.tokens import Tokens
from tap_genesys_aggregates.sandbox.tree_query import PATH as TREE_PATH

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tap_genesys_aggregates.sandbox.messages import Request

TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One handled request, for tests to look back at."""

    number: int
    method: str
    path: str
    query: dict[str, str]
    body: object
    status: int
    at: datetime


class Sandbox:
    """A small Genesys: the token, both contracts, from one seed.

    Thread-safe. `handle` sleeps never and opens nothing; whoever carries the answer heeds its `delay`
    and its `transport`.
    """

    def __init__(
        self,
        options: Options | None = None,
        *,
        now: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Open a sandbox.

        Args:
            options: What it is like; None for a well-behaved platform.
            now: The clock by which facts become known and tokens die.
            sleep: How carriers wait, in seconds.
        """
        self.options = options or Options()
        self.now = now
        self.sleep = sleep
        centre = Centre(self.options.seed, self.options.agents, self.options.volume, self.options.zone)
        self.history = History(centre, self.options.settle_days, rewrites=self.options.rewrites)
        self.tokens = Tokens(self.options)
        self.log: list[LogEntry] = []
        self._results = Results(self.history, self.options)
        self._tree = GroupTree(self.history, self.options)
        self._by_path = {family.path: family for family in families().values()}
        self._numbers = 0
        self._lock = threading.Lock()

    def handle(self, request: Request) -> Answer:
        """Answer one request, and write it into the log."""
        with self._lock:
            self._numbers += 1
            number = self._numbers
        context = stable_id("context", self.options.seed, number)
        moment = self.now()
        try:
            answer = self._route(request, moment)
        except RefusedError as refused:
            answer = refused.answer(context)
        headers = {"ININ-Correlation-Id": context, **answer.headers}
        answer = replace(answer, headers=headers, delay=answer.delay + self.options.latency)
        entry = LogEntry(
            number, request.method, request.path, request.query, request.payload, answer.status, moment
        )
        with self._lock:
            self.log.append(entry)
        return answer

    def _route(self, request: Request, moment: datetime) -> Answer:
        if (request.method, request.path) == ("POST", TOKEN_PATH):
            return self.tokens.issue(request, moment)
        self.tokens.check(request, moment)
        as_of = to_ms(moment)
        if (request.method, request.path) == ("POST", TREE_PATH):
            return json_answer(self._tree.query(request, as_of))
        family = self._by_path.get(request.path)
        if family is not None and request.method == "POST":
            return self._query(family, request, as_of)
        refuse("{path} is not found", "not.found", status=404, path=request.path)

    def _query(self, family: Family, request: Request, as_of: int) -> Answer:
        return json_answer(self._results.query(family, request.payload, as_of))
