"""The life of a bookmark: runs at any time, cut short anywhere, and what must hold in between."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tap_genesys_aggregates.core.bookmarks import Bookmark
from tap_genesys_aggregates.core.grid import Grid
from tap_genesys_aggregates.core.periods import Period
from tap_genesys_aggregates.core.windows import align, plan
from tests.core.making import at, examples

if TYPE_CHECKING:
    from datetime import datetime

START = at("2023-03-10T05:30Z")


class Life(RuleBasedStateMachine):
    """A query that is loaded again and again; ``read_at`` is when each bucket was read last."""

    @initialize(
        zone=st.sampled_from(["UTC", "Europe/Berlin", "America/Sao_Paulo"]).map(ZoneInfo),
        granularity=st.sampled_from(["PT8H", "P1D", "P1W"]).map(Period.parse),
        length=st.sampled_from(["P1D", "P3D", "P10D"]).map(Period.parse),
        lookback=st.sampled_from([0.0, 0.3, 2.0, 7.0, 20.5]).map(lambda days: timedelta(days=days)),
    )
    def begin(self, zone: ZoneInfo, granularity: Period, length: Period, lookback: timedelta) -> None:
        """Settle what stays the same for life."""
        self.grid = Grid(granularity, zone, date(2023, 3, 10))
        self.length = length
        self.lookback = lookback
        self.now = START
        self.state: dict[str, Any] = {}
        self.read_at: dict[datetime, datetime] = {}
        self.known = [(self.grid.floor(START), self.grid.following(self.grid.floor(START)))]

    @rule(
        pause=st.one_of(
            st.timedeltas(timedelta(), timedelta(hours=9)),
            st.timedeltas(timedelta(days=1), timedelta(days=14)),
        ),
        windows_until_the_crash=st.none() | st.integers(0, 9),
    )
    def run(self, pause: timedelta, windows_until_the_crash: int | None) -> None:
        """Some time later: read from where the bookmark says, commit each window, crash perhaps."""
        self.now += pause
        begin = align(self.grid, self.length, self.bookmark.next_start(START, self.now, self.lookback))
        for number, window in enumerate(plan(self.grid, max(START, begin), self.now, self.length)):
            if number == windows_until_the_crash:
                return
            for start, _ in self.buckets(window.end):
                if start >= window.start:
                    self.read_at[start] = self.now
            before = dict(self.state)
            self.state = self.bookmark.after(window, self.now, self.lookback).write()
            assert all(self.state[name] >= value for name, value in before.items())
        self.everything_settled_was_read_settled()

    @property
    def bookmark(self) -> Bookmark:
        """What the state says."""
        return Bookmark.read(self.state, "calls")

    def buckets(self, stop: datetime) -> list[tuple[datetime, datetime]]:
        """Every bucket from the start date that ends by an instant."""
        while self.known[-1][1] <= stop:
            end = self.known[-1][1]
            self.known.append((end, self.grid.following(end)))
        return [bucket for bucket in self.known if bucket[1] <= stop]

    def everything_settled_was_read_settled(self) -> None:
        """After a whole run every bucket older than the look-back was last read when it was that old."""
        for start, end in self.buckets(self.now - self.lookback):
            assert self.read_at[start] >= end + self.lookback

    @invariant()
    def final_is_final(self) -> None:
        """``final_before`` claims no bucket that was last read while it was younger than the look-back."""
        for start, end in self.buckets(self.bookmark.final_before or START):
            assert self.read_at[start] >= end + self.lookback

    @invariant()
    def no_gap(self) -> None:
        """Every bucket from the start date to the bookmark was read."""
        assert all(start in self.read_at for start, _ in self.buckets(self.bookmark.loaded_before or START))


TestLife = Life.TestCase
TestLife.settings = settings(examples(30), stateful_step_count=10)
