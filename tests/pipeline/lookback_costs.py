"""``python -m tests.pipeline.lookback_costs`` measures what a shorter lookback costs, for docs/operations.md.

Sixty days of a sandbox that rewrites its history, with a run on every day; at the end, the rows are compared
with the settled ones.
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

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
DAYS = 60
SETTLED_DAYS = DAYS - 7
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


def rows_after(days: list[float], failing: frozenset[float] = frozenset(), **changes: Any) -> list[Row]:
    """The current rows after runs on these days, counted from ``START``, some of which fail."""
    clock = SettableClock(START)
    sandbox = Sandbox(Options(volume=0.05, rewrites=True), now=clock)
    warehouse = Warehouse()
    settings = config(start_date="2026-01-01T00:00:00Z", queries=[QUERY], **changes)
    for day in days:
        clock.set(START + timedelta(days=day, hours=5))
        sandbox.faults = Rules(Rule(status(403), match="query", after=3)) if day in failing else None
        outcome = run(sandbox, settings, state=warehouse.state, time=ManualClock(clock()))
        assert (outcome.error is not None) == (day in failing)
        warehouse.load(outcome.messages)
    return current(warehouse)


def current(warehouse: Warehouse) -> list[Row]:
    """The rows from the last pull of their bucket, according to the ledger."""
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


def expected_rows() -> list[Row]:
    """The rows of the settled days, as they are long after."""
    expected = ExpectedRows(Sandbox(Options(volume=0.05, rewrites=True), now=SettableClock(START)))
    stop = START + timedelta(days=SETTLED_DAYS)
    return expected.rows(QUERY, START, stop, START + timedelta(days=DAYS * 10))


def settled(rows: list[Row]) -> list[Row]:
    """The rows of the settled days."""
    stop = (START + timedelta(days=SETTLED_DAYS)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return [row for row in rows if row["interval_start"] < stop]


@dataclass(frozen=True, slots=True)
class Deviation:
    """How far rows are from the expected ones.

    Attributes:
        rows: Number of expected rows.
        wrong: Rows with another number.
        extra: Rows that should not be there.
        missing: Rows that should be there.
        offered: The sum of the errors of ``n_offered_count``, and the expected sum of the column.
        handled: The same for ``t_handle_sum``, in milliseconds.
    """

    rows: int
    wrong: int
    extra: int
    missing: int
    offered: tuple[int, int]
    handled: tuple[int, int]

    @classmethod
    def of(cls, rows: list[Row], expected: list[Row]) -> Deviation:
        """Compare rows with the expected ones by key."""
        keys = ("interval_start", "queue_id", "media_type")
        found, wanted = (
            {tuple(row[name] for name in keys): without_extraction_columns(row) for row in each}
            for each in (rows, expected)
        )
        both = found.keys() & wanted.keys()
        wrong = sum(found[key] != wanted[key] for key in both)
        sums = [_error(found, wanted, name) for name in ("n_offered_count", "t_handle_sum")]
        return cls(len(wanted), wrong, len(found) - len(both), len(wanted) - len(both), *sums)

    def line(self, lookback: int) -> str:
        """The line of a lookback in the table of the docs."""
        counts = f"{self.rows} | {self.wrong} | {self.extra} | {self.missing}"
        sums = [f"{off:,} ({off / total:.1%})" for off, total in (self.offered, self.handled)]
        return f"| {lookback} | {counts} | {' | '.join(sums)} |\n"


def _error(
    found: dict[tuple[str, ...], Row], wanted: dict[tuple[str, ...], Row], name: str
) -> tuple[int, int]:
    """The sum of the absolute errors of a column, and the expected sum of the column."""
    off = sum(
        abs((found.get(key, {}).get(name) or 0) - (wanted.get(key, {}).get(name) or 0))
        for key in found.keys() | wanted.keys()
    )
    return off, sum(row[name] or 0 for row in wanted.values())


def measure(lookback: int) -> Deviation:
    """The deviation after sixty daily runs with a lookback of this many days."""
    return Deviation.of(settled(rows_after(DAILY, lookback_days=lookback)), expected_rows())


def documented() -> dict[int, str]:
    """The lines of the table in the docs, by lookback."""
    found = _TABLE.search(PAGE.read_text("utf-8"))
    lines = found.group().splitlines(keepends=True)[2:] if found else []
    return {int(line.split()[1]): line for line in lines}


def main() -> None:
    """Measure, print the lines, and write them to the docs."""
    lines = []
    for lookback in LOOKBACKS:
        lines.append(measure(lookback).line(lookback))
        sys.stdout.write(lines[-1])
        sys.stdout.flush()
    table = _HEAD + "".join(lines)
    PAGE.write_text(_TABLE.sub(table, PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
