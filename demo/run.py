"""A run of the demo: load, verify, show."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from demo import tables
from demo.history import DemoHistory, LoadTotals
from demo.loads import COMPANION_TABLES, Load, loads
from demo.page import KpiPage
from demo.postgres import SCHEMA
from demo.verification import verify_table
from genesys_sandbox import ExpectedRows, Sandbox, serve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from demo.postgres import Postgres
    from demo.project import Project
    from demo.verification import TableCheck
    from genesys_sandbox import LogEntry

_LOOKBACK_DAYS = 7


class DemoRun:
    """One run of the demo, from the first load to the last table shown."""

    def __init__(self, console: Console, project: Project, server: Postgres, history: DemoHistory) -> None:
        """Set up.

        Args:
            console: Where to print.
            project: The Meltano project, with its plugins installed.
            server: The database to load into.
            history: What earlier demos loaded into that database.
        """
        self._console = console
        self._project = project
        self._server = server
        self._history = history
        self._sandbox = Sandbox()

    def run(self) -> int:
        """Load, verify and show.

        Returns:
            0 if Postgres holds exactly the expected rows, else 1.
        """
        loaded_before = self._history.started
        interrupted = loaded_before and self._history.first is None
        # End at the last full hour, so that the tap and the expected rows cover the same period.
        end = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)
        plan = loads(self._history.start(end), end)
        if not loaded_before:
            self._server.drop_tables([*COMPANION_TABLES, *(table for load in plan for table in load.tables)])
        totals = LoadTotals(0, 0, 0)
        with serve(self._sandbox) as url:
            self._introduce(url)
            if interrupted:
                self._console.print("An earlier demo was stopped. This one continues from there.")
            for number, load in enumerate(plan, 1):
                totals += self._load(number, load, url)
        self._compare_with_first(totals)
        self._history.finish(totals)
        return self._conclude(plan)

    def _introduce(self, url: str) -> None:
        self._console.print(f"[bold]From[/]  a simulated Genesys Cloud at {url}")
        self._console.print(f"[bold]To[/]    Postgres ({self._server.name}), schema {SCHEMA}", soft_wrap=True)

    def _load(self, number: int, load: Load, url: str) -> LoadTotals:
        """Run Meltano once."""
        console, began = self._console, datetime.now(timezone.utc)
        console.print(f"\n[bold]{number}. {load.title}[/]")
        console.print(f"   {load.start:%Y-%m-%d %H:%M} to {load.end:%Y-%m-%d %H:%M} UTC")
        console.print(f"   $ meltano {' '.join(load.arguments)}", style="dim", soft_wrap=True)
        seen, clock = len(self._sandbox.log), time.monotonic()
        access = {"BASE_URL": url, "CLIENT_ID": "demo", "CLIENT_SECRET": "demo"}
        settings = {f"GENESYS_{name}": value for name, value in access.items()}
        with console.status("Loading ..."):
            storage = {**self._server.settings, **self._history.settings}
            self._project.run(load.arguments, {**settings, **load.settings, **storage})
        totals = self._totals(self._sandbox.log[seen:], load, began)
        console.print(f"   {totals} in {time.monotonic() - clock:.0f} seconds")
        return totals

    def _totals(self, log: Sequence[LogEntry], load: Load, began: datetime) -> LoadTotals:
        """Count requests and windows in the sandbox's log, and rows in Postgres."""
        requests = [entry for entry in log if entry.path.startswith("/api/")]
        # Each window has a body of its own. A request for a further page has none.
        windows = {f"{entry.path} {entry.body}" for entry in requests if entry.body}
        with self._server.connect() as connection:
            rows = sum(tables.rows_since(connection, table, began) for table in load.tables)
        return LoadTotals(len(windows), len(requests), rows)

    def _compare_with_first(self, totals: LoadTotals) -> None:
        first = self._history.first
        if first is None:
            self._console.print(f"\nTotal: {totals}.\nRun the demo again, and it loads only what is due.")
            return
        self._console.print(
            f"\n[bold]Loaded only what was due:[/] {totals}.\nThe first run: {first}.\n"
            f"Genesys Cloud can still change recent data, so the last {_LOOKBACK_DAYS} days are read again\n"
            f"along with new data. Rows are replaced by key, so there are no duplicates.\n"
            f"To start over: ./run demo --fresh"
        )

    def _write_page(self, checks: Sequence[TableCheck]) -> None:
        """Let dbt build the marts, and make the page from them."""
        console, page = self._console, KpiPage(self._server, self._history.folder)
        console.print("\n[bold]KPIs, by dbt[/]")
        console.print("   $ dbt build --exclude-resource-types unit_test", style="dim")
        clock = time.monotonic()
        with console.status("Building ..."):
            summary = page.build()
        console.print(f"   {summary}, in {time.monotonic() - clock:.0f} seconds")
        with console.status("Drawing ..."):
            path = page.write(tables.conclusion(checks))
        console.print(f"[bold]The page:[/] {path}", soft_wrap=True)

    def _conclude(self, plan: Sequence[Load]) -> int:
        """Verify the tables and show what is in them."""
        console, expected_rows = self._console, ExpectedRows(self._sandbox)
        checks: list[TableCheck] = []
        with self._server.connect() as connection:
            for load in plan:
                for table, query in load.tables.items():
                    expected = expected_rows.rows(query, load.start, load.end)
                    checks.append(verify_table(connection, SCHEMA, table, expected))
            console.print("\n[bold]Rows in Postgres, compared with the sandbox's own records[/]")
            console.print(tables.checks(checks))
            console.print("[bold]Agents who handled the most voice conversations[/]")
            console.print(tables.busiest_agents(connection))
            console.print("[bold]One week of real data: voice, hours handled, share answered in time[/]")
            console.print(tables.sample_week(connection))
            hours = tables.weekday_hours(connection)
        console.print("[bold]Voice conversations on an average weekday, by queue and hour (UTC)[/]\n")
        console.print(tables.heat_map(hours), tables.legend(hours), sep="\n")
        failed = [check.table for check in checks if not check.passed]
        self._write_page(checks)
        if failed:
            console.print(
                f"\nPostgres does not hold the expected rows: {', '.join(failed)}", style="bold red"
            )
        return 1 if failed else 0
