"""A load from a sandbox into PostgreSQL, the kills that interrupt it, and the check of its result."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Literal

from psycopg import sql
from typing_extensions import override

from demo.verification import verify_table
from genesys_sandbox import ExpectedRows, LateRewrite, Options, Sandbox, SettableClock, serve
from tap_genesys_aggregates.config.queries import presets
from tap_genesys_aggregates.config.settings import Settings
from tap_genesys_aggregates.warehouse.views import views
from tests.kills.pipelines import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random

    from demo.postgres import Postgres
    from tests.kills.pipelines import Pipeline, Running, Victim

DAYS = 12
REWRITE_PERIOD = timedelta(hours=30)
"""How far the sandbox's clock moves between the first and the last run, if history is rewritten.

The tap itself uses the machine's clock, so its lookback must be long enough to cover this. If history is not
rewritten, the lookback is 0: otherwise it would hide a state that is ahead of its rows.
"""
_LOOKBACK_DAYS = 9
_LATENCY_SECONDS = 0.1
_TAP_COLUMNS = ("_sdc_", "extracted_at", "is_final")
_TREE = {
    "name": "abandoned",
    "api": "group_tree",
    "group_by": ["interval", "routing.queue.id", "mediaType"],
    "metrics": ["conversationCount", "abandonCount"],
    "granularity": "PT1H",
}
QUERIES: dict[str, list[dict[str, Any]]] = {
    "results": [{"name": name, **presets()[name]} for name in ("queue_performance", "agent_performance")],
    "group_tree": [
        {"name": "conversation_aggregates", **presets()["conversation_aggregates"]},
        _TREE,
    ],
}
_MONTHS = 3
"""Of old history: the first two of them have settled, whatever the day."""
OLD = {"name": "old_calls", **presets()["queue_performance"], "granularity": "P1D"}
_NOT_SETTINGS = {"api", "description"}
_START_UP_SHARE = 0.15
_SIGNALS = (signal.SIGKILL, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Setup:
    """The sandbox that a load reads, and the schema that it writes.

    Attributes:
        api: The API that the sandbox speaks.
        sandbox: The sandbox.
        clock: Its clock, which ticks, as the tap goes by it.
        now: The sandbox's time at the last run.
        url: The sandbox's URL.
        server: The PostgreSQL server.
        schema: The schema on it.
        is_old: Whether the load covers months of one query, which are looked at again.
        max_window: The setting ``max_window``.
    """

    api: str
    sandbox: Sandbox
    clock: SettableClock
    now: datetime
    url: str
    server: Postgres
    schema: str
    is_old: bool = False
    max_window: str = "P1D"

    @property
    def start(self) -> datetime:
        """The first instant to load."""
        return self.old_month[0] if self.is_old else (self.now - timedelta(days=DAYS)).replace(hour=0)

    @property
    def old_month(self) -> tuple[datetime, datetime]:
        """The first settled month: its beginning and its end."""
        months = self.now.year * 12 + self.now.month - 1 - _MONTHS
        first, following = (
            datetime(each // 12, each % 12 + 1, 1, tzinfo=timezone.utc) for each in (months, months + 1)
        )
        return first, following

    @property
    def queries(self) -> list[dict[str, Any]]:
        """The queries, each with its API."""
        return [OLD] if self.is_old else QUERIES[self.api]

    @property
    def end(self) -> datetime:
        """The exclusive end of what to load: old history has buckets of a day."""
        end = self.now - REWRITE_PERIOD
        return end.replace(hour=0) if self.is_old else end

    @property
    def config(self) -> dict[str, Any]:
        """The tap's config: many windows of one day each, two parallel requests."""
        return {
            "base_url": self.url,
            "client_id": "sandbox",
            "client_secret": "sandbox",
            "api": self.api,
            "start_date": self.start.isoformat(),
            "end_date": self.end.isoformat(),
            "max_window": self.max_window,
            **({"recheck_requests": _MONTHS} if self.is_old else {}),
            "concurrency": 2,
            "lookback_days": _LOOKBACK_DAYS if self.sandbox.options.rewrites else 0,
            "queries": [
                {name: value for name, value in query.items() if name not in _NOT_SETTINGS}
                for query in self.queries
            ],
        }

    @property
    def target_settings(self) -> dict[str, str]:
        """Environment variables for the target; its batches are small, so rows arrive while the tap runs."""
        return {
            **self.server.settings,
            "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": self.schema,
            "TARGET_POSTGRES_USE_COPY": "true",
            "TARGET_POSTGRES_VALIDATE_RECORDS": "false",
            "TARGET_POSTGRES_BATCH_SIZE_ROWS": "200",
        }

    def requests(self) -> int:
        """How many requests for data the sandbox has answered."""
        return sum(entry.path != "/oauth/token" for entry in list(self.sandbox.log))

    def expected(self) -> dict[str, list[dict[str, Any]]]:
        """The expected rows of each table, at the sandbox's current time."""
        expected = ExpectedRows(self.sandbox)
        return {query["name"]: expected.rows(query, self.start, self.end) for query in self.queries}

    def rows(self) -> int:
        """How many rows of the queries are in PostgreSQL."""
        return sum(self._count(query["name"]) for query in self.queries)

    def failures(self) -> list[str]:
        """Recreate the views, and check the tables, the views and the ledger."""
        with self.server.connect() as connection:
            connection.execute(views(Settings.read(self.config).queries, self.schema).encode())
        found = []
        for name, rows in self.expected().items():
            found += self._table_failures(name, rows)
        gaps = self._count("extractions_gaps")
        return [*found, *([f"{gaps} gaps in the ledger"] if gaps else [])]

    def _table_failures(self, name: str, rows: list[dict[str, Any]]) -> list[str]:
        """Check the current rows of one table, value by value; without rewrites, the table itself too."""
        found = []
        is_rewritten = self.sandbox.options.rewrites or self.sandbox.history.late_rewrites
        tables = [f"{name}_current", *([] if is_rewritten else [name])]
        with self.server.connect() as connection:
            for table in tables:
                check = verify_table(connection, self.schema, table, rows)
                if not check.passed:
                    found.append(str(check))
            columns = connection.execute(
                "select column_name from information_schema.columns"
                " where table_schema = %s and table_name = %s",
                [self.schema, name],
            ).fetchall()
        names = {str(column) for (column,) in columns if not str(column).startswith(_TAP_COLUMNS)}
        if names != set(rows[0]):
            found.append(f"{name}: not compared: {sorted(names ^ set(rows[0]))}")
        missing = self._count(f"{name}_missing")
        return [*found, *([f"{name}: {missing} windows lack rows"] if missing else [])]

    def rewrite_old_month(self) -> None:
        """Delete what one queue did in ten days of the first month, and correct the rest of these days."""
        first, _ = self.old_month
        start, end = first + timedelta(days=10), first + timedelta(days=20)
        queue = self.expected()[OLD["name"]][0]["queue_id"]
        at = self.sandbox.now()
        self.sandbox.history.late_rewrites += [
            LateRewrite(at, start, end, dimension="queueId", value=queue, removes=True),
            LateRewrite(at, start, end),
        ]

    def rechecked(self) -> int:
        """How many windows of settled months were read again, according to the ledger."""
        with self.server.connect() as connection:
            query = sql.SQL("select count(*) from {} where reason = 'recheck'").format(
                sql.Identifier(self.schema, "extractions")
            )
            found = connection.execute(query).fetchone()
        return int(str(found[0])) if found else 0

    def _count(self, table: str) -> int:
        """The number of rows of a table; 0 if it does not exist."""
        with self.server.connect() as connection:
            known = connection.execute("select to_regclass(%s)", [f"{self.schema}.{table}"]).fetchone()
            if known is None or known[0] is None:
                return 0
            query = sql.SQL("select count(*) from {}").format(sql.Identifier(self.schema, table))
            found = connection.execute(query).fetchone()
        return int(str(found[0])) if found else 0


@contextlib.contextmanager
def set_up(
    api: str, server: Postgres, schema: str, *, rewrites: bool = False, seed: int = 7
) -> Iterator[Setup]:
    """Serve a sandbox for as long as the block lasts; the schema is dropped at the end.

    Args:
        api: The API that the sandbox speaks.
        server: The PostgreSQL server.
        schema: The schema on it.
        rewrites: Whether history is rewritten; then the clock starts ``REWRITE_PERIOD`` early.
        seed: The sandbox's seed.

    Yields:
        The setup.
    """
    now = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)
    clock = SettableClock(now - REWRITE_PERIOD if rewrites else now, ticks=True)
    options = Options(volume=0.3, rewrites=rewrites, latency=_LATENCY_SECONDS, seed=seed)
    sandbox = Sandbox(options, now=clock)
    with serve(sandbox) as url:
        try:
            yield Setup(api, sandbox, clock, now, url, server, schema)
        finally:
            with server.connect() as connection:
                connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema)))


@dataclass(frozen=True, slots=True)
class Timing:
    """How long an undisturbed run takes.

    Attributes:
        start_up: Seconds until its first request for data.
        load: Seconds from its first to its last request.
        tail: Seconds from its last request to its end.
        requests: How many requests for data it sends.
    """

    start_up: float
    load: float
    tail: float
    requests: int


@dataclass(frozen=True, slots=True)
class Kill:
    """A signal to a victim, some seconds after a number of requests for data.

    Counting requests makes the moment mean the same on a busy machine, where time alone would not.
    """

    signal: signal.Signals
    victim: Victim
    requests: int
    seconds: float
    phase: Literal["start-up", "load", "end"] = "load"


@dataclass(frozen=True, slots=True)
class KillResult:
    """What one kill did.

    Attributes:
        kill: The planned kill.
        hit: How many processes it hit; 0 if the run had ended before.
        status: The exit status of the run.
        rows: Rows in PostgreSQL after the run.
    """

    kill: Kill
    hit: int
    status: int
    rows: int

    @override
    def __str__(self) -> str:
        kill = self.kill
        moment = f"{kill.seconds:.2f} s after {kill.requests:2d} requests"
        return (
            f"{kill.signal.name} to {kill.victim:7} {moment}: {self.hit} hit, {self.status}, {self.rows} rows"
        )


@dataclass(frozen=True, slots=True)
class LoadResult:
    """The result of a load that was killed and then completed.

    Attributes:
        kills: What each kill did, in order.
        expected: The number of expected rows at the end.
        rows: Rows in PostgreSQL at the end, including those that a rewrite has removed from the source.
        failures: Every check that failed.
    """

    kills: tuple[KillResult, ...]
    expected: int
    rows: int
    failures: tuple[str, ...]


def draw_kill(rng: Random, victims: tuple[Victim, ...], timing: Timing) -> Kill:
    """Draw a kill: one in seven while the run starts, the others while it loads or ends."""
    number, victim = rng.choice(_SIGNALS), rng.choice(victims)
    if rng.random() < _START_UP_SHARE:
        return Kill(number, victim, 0, rng.uniform(0, timing.start_up), "start-up")
    moment = rng.uniform(0, timing.load + timing.tail)
    if moment > timing.load:
        return Kill(number, victim, timing.requests, moment - timing.load, "end")
    pause = timing.load / timing.requests
    whole, rest = divmod(moment, pause)
    return Kill(number, victim, int(whole) + 1, rest)


def measure(setup: Setup, pipeline: Pipeline) -> Timing:
    """Measure one undisturbed run.

    Raises:
        RuntimeError: The run failed.
    """
    before, began = setup.requests(), time.monotonic()
    marks = [began]
    seen = before
    with pipeline.run() as running:

        def ended() -> bool:
            nonlocal seen
            if (now := setup.requests()) > seen:
                seen = now
                marks.append(time.monotonic())
            return running.ended()

        if not wait_until(ended) or running.status():
            log = pipeline.log.read_text(encoding="utf-8")[-3000:]
            raise RuntimeError(f"an undisturbed run failed:\n{log}")
    return Timing(marks[1] - began, marks[-1] - marks[1], time.monotonic() - marks[-1], seen - before)


def load_with_kills(setup: Setup, pipeline: Pipeline, kills: Sequence[Kill]) -> LoadResult:
    """Run once for each kill, then once to the end; between runs history is rewritten, if it can be."""
    failures: list[str] = []
    results = []
    for number, kill in enumerate(kills):
        results.append(_killed_run(setup, pipeline, kill, failures))
        if setup.sandbox.options.rewrites:
            share = (number + 1) / len(kills)
            elapsed = timedelta(seconds=REWRITE_PERIOD.total_seconds() * share)
            setup.clock.set(setup.now - REWRITE_PERIOD + elapsed)
    with pipeline.run() as running:
        if not wait_until(running.ended):
            failures.append("the last run does not end")
        elif status := running.status():
            failures.append(f"the last run ended with {status}")
    failures += setup.failures()
    expected = sum(map(len, setup.expected().values()))
    return LoadResult(tuple(results), expected, setup.rows(), tuple(failures))


def _killed_run(setup: Setup, pipeline: Pipeline, kill: Kill, failures: list[str]) -> KillResult:
    """Make a run and kill it; the processes that were not hit must end by themselves."""
    before = setup.requests()
    with pipeline.run() as running:
        wait_until(lambda: running.ended() or setup.requests() - before >= kill.requests)
        wait_until(running.ended, kill.seconds)
        hit = _send(running, kill)
        if not wait_until(running.ended):
            failures.append(f"processes are still running after {kill}")
            return KillResult(kill, hit, -1, setup.rows())
        status = running.status()
    if hit == 0 and status:
        failures.append(f"a run that no kill hit ended with {status}")
    return KillResult(kill, hit, status, setup.rows())


def _send(running: Running, kill: Kill) -> int:
    """Send the signal as soon as the victim exists, and return how many processes it hit."""
    wait_until(lambda: running.ended() or bool(running.pids(kill.victim)))
    hit = 0
    for pid in running.pids(kill.victim):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, kill.signal)
            hit += 1
    return hit
