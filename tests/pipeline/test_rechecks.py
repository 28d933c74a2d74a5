"""History of any age that changes is found by one coarse request a run, and read again."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from genesys_sandbox import ExpectedRows, LateRewrite, Options, Sandbox, SettableClock
from tap_genesys_aggregates.core.rechecks import REREAD_WINDOWS
from tests.pipeline.running import ManualClock, Warehouse, config, multiset, run

if TYPE_CHECKING:
    from tests.pipeline.running import Message, Outcome, Row

DAY = timedelta(days=1)
NOW = datetime(2026, 6, 10, 6, tzinfo=timezone.utc)
START = datetime(2026, 1, 20, tzinfo=timezone.utc)
SETTLED = 4
"""Whole months since the start that have settled, and the part of January: February to May, or 4 and a part."""
CALLS: dict[str, Any] = {
    "name": "calls",
    "metrics": ["nOffered", "tHandle"],
    "group_by": ["queueId"],
    "granularity": "P1D",
}
QUEUE = "027396f4-553b-43ed-8ec0-09303971bd1c"


@dataclass
class Organization:
    """A contact center that goes on day by day, and what daily runs of the tap load."""

    query: dict[str, Any] = field(default_factory=lambda: CALLS)
    settings: dict[str, Any] = field(default_factory=dict)
    options: Options = field(default_factory=lambda: Options(volume=0.02, agents=4, replay=False))

    def __post_init__(self) -> None:
        self.clock = SettableClock(NOW)
        self.sandbox = Sandbox(self.options, now=self.clock)
        self.warehouse = Warehouse()
        self.requests: list[int] = []

    def load(self, *, after: timedelta = DAY, state: Message | None = None, **settings: Any) -> Outcome:
        """Run the tap, some time after the run before."""
        if self.requests:
            self.clock.set(self.clock() + after)
        self.sandbox.log.clear()
        given = {"queries": [self.query], "start_date": START.isoformat(), "max_window": "P31D", "recheck_requests": 1}
        outcome = run(
            self.sandbox,
            config(**{**given, **self.settings, **settings}),
            state=self.warehouse.state if state is None else state,
            time=ManualClock(self.clock()),
        )
        if outcome.error:
            raise outcome.error
        self.warehouse.load(outcome.messages)
        self.requests.append(sum("aggregates" in entry.path for entry in self.sandbox.log))
        return outcome

    def rewrite(self, start: datetime, days: float = 1, **changes: Any) -> None:
        """Change history now."""
        end = start + timedelta(days=days)
        self.sandbox.history.late_rewrites.append(LateRewrite(self.clock(), start, end, **changes))

    def current(self) -> list[Row]:
        """The rows of the buckets' last pulls, as the view shows them."""
        ledger = [row for row in self.warehouse.rows("extractions") if row["query"] == self.query["name"]]

        def is_current(row: Row) -> bool:
            start = row["interval_start"]
            pulls = [
                each["extracted_at"] for each in ledger if each["window_start"] <= start < each["window_end"]
            ]
            return bool(row["extracted_at"] >= max(pulls))

        return [row for row in self.warehouse.rows(self.query["name"]) if is_current(row)]

    def expected(self) -> list[Row]:
        """What the table must hold."""
        stop = self.clock().replace(hour=0)
        query = {**self.query, "api": self.settings.get("api", "results")}
        return ExpectedRows(self.sandbox).rows(query, START, stop, self.clock())

    @property
    def rechecks(self) -> dict[str, Any]:
        """The state of the rechecks."""
        found: dict[str, Any] = self.warehouse.state["bookmarks"][self.query["name"]].get("rechecks", {})
        return found

    def fingerprints(self) -> int:
        """How many stretches have a fingerprint."""
        return sum(len(months) for months in self.rechecks.get("months", {}).values())


def reread(outcome: Outcome) -> list[tuple[str, str]]:
    """The windows that a run read because history had changed."""
    return [
        (row["window_start"][:10], row["window_end"][:10])
        for row in outcome.rows("extractions")
        if row["reason"] == "recheck"
    ]


def at(day: str) -> datetime:
    """The beginning of a day."""
    return datetime.fromisoformat(f"{day}T00:00:00+00:00")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="every number of a day"),
        pytest.param({"metric": "tHandle"}, id="one metric"),
        pytest.param(
            {"removes": True, "dimension": "queueId", "value": QUEUE, "days": 20}, id="a deleted group"
        ),
    ],
)
def test_a_change_of_any_age_is_found_within_as_many_runs_as_there_are_months(
    changes: dict[str, Any],
) -> None:
    organization = Organization()
    for _ in range(6):
        organization.load()
    months = organization.fingerprints()
    assert months == 5
    organization.rewrite(at("2026-03-05"), **changes)
    before = multiset(organization.current())
    read = [reread(organization.load()) for _ in range(months)]

    windows = [window for run in read for window in run]
    assert multiset(organization.current()) == multiset(organization.expected()) != before
    assert windows[0][0] == "2026-03-01"
    assert windows[-1][1] == "2026-04-01"
    assert organization.load().rows("extractions")[-1]["reason"] == "new"
