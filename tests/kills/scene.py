"""A served sandbox, a schema of PostgreSQL for what comes from it, and the check that both agree."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from psycopg import sql

from demo.verification import verify_table
from genesys_sandbox import ExpectedRows, Options, Sandbox, SettableClock, serve
from tap_genesys_aggregates.config.queries import presets
from tap_genesys_aggregates.config.settings import Settings
from tap_genesys_aggregates.warehouse.views import views

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.postgres import Postgres

DAYS = 12
# The first run reads this long before the present of the last, so that history changes between them. The
# tap's own clock is the machine's, so its look-back makes up for that. Where history does not change there is
# no look-back, which would read again, and so mend, what a wrong state had passed.
BEHIND = timedelta(hours=30)
_LOOKBACK_DAYS = 9
_LATENCY = 0.1
"""Seconds before each answer, so that the load is long."""
_OWN = ("_sdc_", "extracted_at", "is_final")
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
_NOT_SETTINGS = {"api", "description"}


@dataclass(frozen=True, slots=True)
class Scene:
    """One sandbox and one schema.

    Attributes:
        api: The contract spoken.
        sandbox: Who answers; its clock stands still until it is set.
        clock: That clock.
        now: The present at which the sandbox is asked last.
        url: Where it is served.
        server: Where rows go.
        schema: The schema there.
    """

    api: str
    sandbox: Sandbox
    clock: SettableClock
    now: datetime
    url: str
    server: Postgres
    schema: str

    @property
    def start(self) -> datetime:
        """First instant wanted."""
        return (self.now - timedelta(days=DAYS)).replace(hour=0)

    @property
    def end(self) -> datetime:
        """Exclusive end."""
        return self.now - BEHIND

    @property
    def config(self) -> dict[str, Any]:
        """The tap's config: many windows of a day each, two requests in flight."""
        return {
            "base_url": self.url,
            "client_id": "sandbox",
            "client_secret": "sandbox",
            "api": self.api,
            "start_date": self.start.isoformat(),
            "end_date": self.end.isoformat(),
            "max_window": "P1D",
            "concurrency": 2,
            "lookback_days": _LOOKBACK_DAYS if self.sandbox.options.rewrites else 0,
            "queries": [
                {name: value for name, value in query.items() if name not in _NOT_SETTINGS}
                for query in QUERIES[self.api]
            ],
        }

    @property
    def target(self) -> dict[str, str]:
        """The target's settings, as variables: small batches, so that rows arrive while the tap runs."""
        return {
            **self.server.settings,
            "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": self.schema,
            "TARGET_POSTGRES_USE_COPY": "true",
            "TARGET_POSTGRES_VALIDATE_RECORDS": "false",
            "TARGET_POSTGRES_BATCH_SIZE_ROWS": "200",
        }

    def asked(self) -> int:
        """How many requests for data were answered so far."""
        return sum(entry.path != "/oauth/token" for entry in list(self.sandbox.log))

    def expected(self) -> dict[str, list[dict[str, Any]]]:
        """The witness's rows of each table, at the sandbox's present."""
        expected = ExpectedRows(self.sandbox)
        return {query["name"]: expected.rows(query, self.start, self.end) for query in QUERIES[self.api]}

    def rows(self) -> int:
        """How many rows of the queries are in PostgreSQL."""
        return sum(self._count(query["name"]) for query in QUERIES[self.api])

    def wrong(self) -> list[str]:
        """What is not as it must be; the views are made anew first."""
        with self.server.connect() as connection:
            connection.execute(views(Settings.read(self.config).queries, self.schema).encode())
        found = []
        for name, rows in self.expected().items():
            found += self._wrong(name, rows)
        gaps = self._count("extractions_gaps")
        return [*found, *([f"{gaps} gaps in the ledger"] if gaps else [])]

    def _wrong(self, name: str, rows: list[dict[str, Any]]) -> list[str]:
        """The same of one table: what is current, number by number; without rewrites the table itself too."""
        found = []
        tables = [f"{name}_current", *([] if self.sandbox.options.rewrites else [name])]
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
        names = {str(column) for (column,) in columns if not str(column).startswith(_OWN)}
        if names != set(rows[0]):
            found.append(f"{name}: not compared: {sorted(names ^ set(rows[0]))}")
        missing = self._count(f"{name}_missing")
        return [*found, *([f"{name}: {missing} windows miss rows"] if missing else [])]

    def _count(self, table: str) -> int:
        """Rows of a table; 0 where there is none."""
        with self.server.connect() as connection:
            known = connection.execute("select to_regclass(%s)", [f"{self.schema}.{table}"]).fetchone()
            if known is None or known[0] is None:
                return 0
            question = sql.SQL("select count(*) from {}").format(sql.Identifier(self.schema, table))
            found = connection.execute(question).fetchone()
        return int(str(found[0])) if found else 0


@contextlib.contextmanager
def opened(
    api: str, server: Postgres, schema: str, *, rewrites: bool = False, seed: int = 7
) -> Iterator[Scene]:
    """A scene, for as long as the block lasts; its schema is dropped at the end.

    Args:
        api: The contract spoken.
        server: Where rows go.
        schema: The schema there.
        rewrites: Whether history changes; then the clock begins ``BEHIND`` the scene's present.
        seed: Of the sandbox.

    Yields:
        The scene.
    """
    now = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)
    clock = SettableClock(now - BEHIND if rewrites else now)
    sandbox = Sandbox(Options(volume=0.3, rewrites=rewrites, latency=_LATENCY, seed=seed), now=clock)
    with serve(sandbox) as url:
        scene = Scene(api, sandbox, clock, now, url, server, schema)
        try:
            yield scene
        finally:
            with server.connect() as connection:
                connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema)))
