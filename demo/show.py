"""The demo itself: load, prove, show."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from demo import picture, questions
from demo.ledger import NOTHING, Effort, Ledger
from demo.loads import BESIDES, Load, loads
from demo.postgres import SCHEMA
from demo.proof import Proof, prove
from genesys_sandbox import Sandbox, Witness, serve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from demo.postgres import Postgres
    from demo.project import Project
    from genesys_sandbox import LogEntry

_LOOKBACK_DAYS = 7


class Show:
    """One demo, from the first load to the last picture."""

    def __init__(self, console: Console, project: Project, server: Postgres, ledger: Ledger) -> None:
        """Prepare.

        Args:
            console: Where to show it.
            project: Meltano, with its plugins.
            server: Where rows go.
            ledger: What earlier demos did.
        """
        self._console = console
        self._project = project
        self._server = server
        self._ledger = ledger
        self._sandbox = Sandbox()

    def all(self) -> int:
        """Load, prove and show.

        Returns:
            0 if Postgres holds what the witness says, else 1.
        """
        again, stopped = self._ledger.begun, self._ledger.begun and self._ledger.first is None
        # Up to the last hour that is over, so that both sides mean the same stretch.
        end = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)
        plan = loads(self._ledger.start(end), end)
        if not again:
            self._server.forget([*BESIDES, *(table for load in plan for table in load.tables)])
        effort = NOTHING
        with serve(self._sandbox) as url:
            self._introduce(url)
            if stopped:
                self._console.print("An earlier demo was stopped; this one goes on from there.")
            for number, load in enumerate(plan, 1):
                effort += self._load(number, load, url)
        self._compare(effort)
        self._ledger.finish(effort)
        return self._conclude(plan)

    def _introduce(self, url: str) -> None:
        self._console.print(f"[bold]From[/]  a make-believe Genesys Cloud at {url}")
        self._console.print(f"[bold]To[/]    Postgres ({self._server.name}), schema {SCHEMA}", soft_wrap=True)

    def _load(self, number: int, load: Load, url: str) -> Effort:
        """One run of Meltano."""
        console, began = self._console, datetime.now(timezone.utc)
        console.print(f"\n[bold]{number}. {load.says}[/]")
        console.print(f"   from {load.start:%Y-%m-%d %H:%M} to {load.end:%Y-%m-%d %H:%M} UTC")
        console.print(f"   $ meltano {' '.join(load.arguments)}", style="dim", soft_wrap=True)
        seen, clock = len(self._sandbox.log), time.monotonic()
        access = {"BASE_URL": url, "CLIENT_ID": "demo", "CLIENT_SECRET": "demo"}
        settings = {f"GENESYS_{name}": value for name, value in access.items()}
        with console.status("Loading ..."):
            places = {**self._server.settings, **self._ledger.settings}
            self._project.run(load.arguments, {**settings, **load.settings, **places})
        effort = self._effort(self._sandbox.log[seen:], load, began)
        console.print(f"   {effort.words} in {time.monotonic() - clock:.0f} seconds")
        return effort

    def _effort(self, log: Sequence[LogEntry], load: Load, began: datetime) -> Effort:
        """What a load did, seen from the sandbox and from Postgres."""
        asked = [entry for entry in log if entry.path.startswith("/api/")]
        # A further page repeats its window in no body, so bodies tell the windows.
        windows = {f"{entry.path} {entry.body}" for entry in asked if entry.body}
        with self._server.connect() as connection:
            rows = sum(questions.rows_since(connection, table, began) for table in load.tables)
        return Effort(len(windows), len(asked), rows)

    def _compare(self, effort: Effort) -> None:
        """This demo beside the first."""
        first = self._ledger.first
        if first is None:
            self._console.print(f"\nIn all: {effort.words}. Run it again: only what is due will be loaded.")
            return
        self._console.print(
            f"\n[bold]Only what was due:[/] {effort.words}.\nThe first time: {first.words}.\n"
            f"History changes, so the last {_LOOKBACK_DAYS} days are read again, and with them what is new;\n"
            f"rows are replaced by their key, so nothing is there twice. ./run demo --fresh starts over."
        )

    def _conclude(self, plan: Sequence[Load]) -> int:
        """Prove what is there, and show it."""
        console, witness = self._console, Witness(self._sandbox)
        proofs: list[Proof] = []
        with self._server.connect() as connection:
            for load in plan:
                for table, query in load.tables.items():
                    expected = witness.rows(query, load.start, load.end)
                    proofs.append(prove(connection, SCHEMA, table, expected))
            console.print("\n[bold]What arrived, beside what the sandbox's own books say must be there[/]")
            console.print(picture.proofs(proofs))
            console.print("[bold]Agents who handled most voice conversations[/]")
            console.print(picture.rows(*questions.best_agents(connection)))
            console.print("[bold]The real week: six queues, voice; hours handled, and answered in time[/]")
            console.print(picture.rows(*questions.real_week(connection)))
            hours = questions.by_hour(connection)
        console.print("[bold]Voice conversations of a weekday by hour (UTC), queue by queue[/]\n")
        console.print(picture.heat(hours), picture.legend(hours), sep="\n")
        wrong = [proof.table for proof in proofs if not proof.holds]
        if wrong:
            console.print(f"\nPostgres does not hold what it must: {', '.join(wrong)}", style="bold red")
        return 1 if wrong else 0
