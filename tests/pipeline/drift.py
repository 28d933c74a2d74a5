"""``python -m tests.pipeline.drift``: what a shorter look-back costs, in figures, written into the docs.

Sixty days of a platform that rewrites its history, a run on every day, and at the end the comparison with the
settled truth.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genesys_sandbox import ExpectedRows, Options, Rule, Rules, Sandbox, SettableClock
from genesys_sandbox.faults import status
from tests.pipeline.running import ManualClock, Warehouse, config, run, without_extraction_columns

if TYPE_CHECKING:
    from tests.pipeline.running import Row

UTC = timezone.utc
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 60
SETTLED = DAYS - 7
DAILY = [float(day) for day in range(1, DAYS + 1)]
LOOKBACKS = (0, 1, 3, 4, 7)
QUERY = {
    "name": "calls",
    "metrics": ["nOffered", "tHandle"],
    "group_by": ["queueId", "mediaType"],
    "granularity": "PT1H",
}
PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
_HEAD = (
    "| lookback, days | rows | wrong | too many | missing | offered, off by | handle time (ms), off by |\n"
    "|---|---:|---:|---:|---:|---:|---:|\n"
)
_TABLE = re.compile(re.escape(_HEAD) + r"(?:\|.*\n)*")


def live(days: list[float], killed: frozenset[float] = frozenset(), **changes: Any) -> list[Row]:
    """Run the tap at these days of its life; give the rows that are current at the end."""
    clock = SettableClock(BEGIN)
    sandbox = Sandbox(Options(volume=0.05, rewrites=True), now=clock)
    warehouse = Warehouse()
    settings = config(start_date="2026-01-01T00:00:00Z", queries=[QUERY], **changes)
    for day in days:
        clock.set(BEGIN + timedelta(days=day, hours=5))
        sandbox.faults = Rules(Rule(status(403), match="query", after=3)) if day in killed else None
        outcome = run(sandbox, settings, state=warehouse.state, time=ManualClock(clock()))
        assert (outcome.error is not None) == (day in killed)
        warehouse.load(outcome.messages)
    return current(warehouse)


def current(warehouse: Warehouse) -> list[Row]:
    """Rows that the last pull of their bucket brought, by the ledger."""
    ledger = warehouse.rows("extractions")
    return [
        row
        for row in warehouse.rows("calls")
        if not any(
            line["window_start"] <= row["interval_start"] < line["window_end"]
            and line["extracted_at"] > row["extracted_at"]
            for line in ledger
        )
    ]


def truth(until: int = SETTLED) -> list[Row]:
    """What settled history says of the days before."""
    expected = ExpectedRows(Sandbox(Options(volume=0.05, rewrites=True), now=SettableClock(BEGIN)))
    end = BEGIN + timedelta(days=until)
    return expected.rows(QUERY, BEGIN, end, BEGIN + timedelta(days=DAYS * 10))


def settled(rows: list[Row], until: int = SETTLED) -> list[Row]:
    """Rows of the days before."""
    end = (BEGIN + timedelta(days=until)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return [row for row in rows if row["interval_start"] < end]


@dataclass(frozen=True, slots=True)
class Drift:
    """How far settled rows are from the truth.

    Attributes:
        rows: Rows that there should be.
        wrong: Rows with another number.
        extra: Rows that there should not be.
        missing: Rows that are not there.
        offered: By how much ``n_offered_count`` is off, row by row, in all; and how much it should be.
        handled: The same of ``t_handle_sum``, in milliseconds.
    """

    rows: int
    wrong: int
    extra: int
    missing: int
    offered: tuple[int, int]
    handled: tuple[int, int]

    @classmethod
    def of(cls, held: list[Row], truth: list[Row]) -> Drift:
        """Compare rows with the truth, key by key and in sum."""
        keys = ("interval_start", "queue_id", "media_type")
        here, there = (
            {tuple(row[name] for name in keys): without_extraction_columns(row) for row in rows}
            for rows in (held, truth)
        )
        both = here.keys() & there.keys()
        wrong = sum(here[key] != there[key] for key in both)
        sums = [_off(here, there, name) for name in ("n_offered_count", "t_handle_sum")]
        return cls(len(there), wrong, len(here) - len(both), len(there) - len(both), *sums)

    def line(self, lookback: int) -> str:
        """A line of the table in the docs."""
        counts = f"{self.rows} | {self.wrong} | {self.extra} | {self.missing}"
        sums = [f"{off:,} ({off / whole:.1%})" for off, whole in (self.offered, self.handled)]
        return f"| {lookback} | {counts} | {' | '.join(sums)} |\n"


def _off(here: dict[tuple[str, ...], Row], there: dict[tuple[str, ...], Row], name: str) -> tuple[int, int]:
    """By how much a column is off, row by row and all added up; and what it adds up to in truth."""
    off = sum(
        abs((here.get(key, {}).get(name) or 0) - (there.get(key, {}).get(name) or 0))
        for key in here.keys() | there.keys()
    )
    return off, sum(row[name] or 0 for row in there.values())


def measure(lookback: int) -> Drift:
    """Sixty days with a look-back of so many days."""
    return Drift.of(settled(live(DAILY, lookback_days=lookback)), truth())


def written() -> dict[int, str]:
    """The lines of the table in the docs, by look-back."""
    found = _TABLE.search(PAGE.read_text("utf-8"))
    lines = found.group().splitlines(keepends=True)[2:] if found else []
    return {int(line.split()[1]): line for line in lines}


def main() -> None:
    """Measure, print, and write the docs anew."""
    lines = []
    for lookback in LOOKBACKS:
        lines.append(measure(lookback).line(lookback))
        sys.stdout.write(lines[-1])
        sys.stdout.flush()
    table = _HEAD + "".join(lines)
    PAGE.write_text(_TABLE.sub(table, PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
