"""What a run costs, planned without a request: windows, requests, and minutes at the pace of the settings.

The windows follow from the query, its bookmark and the time. How many there are depends on how far they grow,
and so on rows that nobody has seen yet: there are two numbers. What cannot be known is said in words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_genesys_aggregates.core.query import USERS_PER_REQUEST
from tap_genesys_aggregates.core.rechecks import REREAD_WINDOWS, can_recheck
from tap_genesys_aggregates.core.window_growth import growth_at_start, run_windows
from tap_genesys_aggregates.core.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from tap_genesys_aggregates.core.bookmarks import Bookmark, RunPeriod
    from tap_genesys_aggregates.core.periods import Period
    from tap_genesys_aggregates.core.query import Query

_PER_JOB = 3
"""Requests of a job that is done at the first look: submit, poll, read its only page."""


@dataclass(frozen=True, slots=True)
class Range:
    """A whole number that is known within limits."""

    least: int
    most: int

    def plus(self, other: Range) -> Range:
        """The sum of two of them."""
        return Range(self.least + other.least, self.most + other.most)

    def of(self, noun: str) -> str:
        """Text such as ``12 to 365 requests``."""
        return f"{self} {noun}{'' if self == Range(1, 1) else 's'}"

    @override
    def __str__(self) -> str:
        return f"{self.least:,}" if self.least == self.most else f"{self.least:,} to {self.most:,}"


_NONE = Range(0, 0)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run of one query costs.

    Attributes:
        query: The query.
        periods: What the run reads; empty if there is nothing to read.
        windows: How many windows that takes: the fewest if they grow at once, the most if they never do.
        looks: At how many settled months it looks, in a single bucket each.
        rereads: How many windows of settled months it reads again.
    """

    query: Query
    periods: tuple[Window, ...]
    windows: Range
    looks: Range = _NONE
    rereads: Range = _NONE

    @classmethod
    def of(cls, query: Query, periods: Iterable[RunPeriod], max_window: Period) -> Estimate:
        """Plan a run.

        Args:
            query: The query.
            periods: What the run reads (``run_periods``).
            max_window: How far windows may grow.
        """
        plain = growth_at_start(query, max_window)
        grown = plain if query.rows_depend_on_window else plain.at_maximum()
        read, total = [], _NONE
        for period in periods:
            most = list(run_windows(query, period, lambda: plain))
            if most:
                read.append(Window(most[0].start, most[-1].end))
                least = sum(1 for _ in run_windows(query, period, lambda: grown))
                total = total.plus(Range(least, len(most)))
        return cls(query, tuple(read), total)

    def with_rechecks(self, bookmark: Bookmark, period: RunPeriod, first: datetime) -> Estimate:
        """The estimate with the rechecks that follow (``core/rechecks.py``).

        Args:
            bookmark: What earlier runs have loaded.
            period: What the run reads of the present.
            first: The first instant wanted, on the grid.
        """
        query = self.query
        loaded = min(period.stop, period.settled) if period.start < period.stop else None
        settled = max(filter(None, (bookmark.final_before, loaded)), default=None)
        if not can_recheck(query) or settled is None:
            return self
        rechecks, fresh_since = bookmark.rechecks.beginning(query, first), query.grid.floor(period.start)
        due = rechecks.due(rechecks.stretches(query, settled))[: query.recheck_requests]
        unknown = [each for each in due if not rechecks.fingerprint(each)]
        stale = [each for each in unknown if each.window.start < fresh_since]
        is_left = bool(rechecks.rereads)
        can_reread = is_left or stale or len(unknown) < len(due)
        return replace(
            self,
            looks=Range(0 if is_left else len(due), len(due)),
            rereads=Range(1 if is_left or stale else 0, REREAD_WINDOWS if can_reread else 0),
        )

    @property
    def requests(self) -> Range:
        """Requests for the periods, if all users fit into one of them and every answer has one page."""
        return self._requests(self.windows)

    @property
    def look_requests(self) -> Range:
        """Requests to look at settled months, counted the same way."""
        return self._requests(self.looks)

    @property
    def reread_requests(self) -> Range:
        """Requests to read settled months again, counted the same way."""
        return self._requests(self.rereads)

    def _requests(self, windows: Range) -> Range:
        each = _PER_JOB if self.query.mode == "async" else 1
        return Range(windows.least * each, windows.most * each)


def minutes(requests: Range, per_minute: int) -> Range:
    """How long the pace alone stretches some requests: full minutes from the first to the last."""
    return Range(*((max(number, 1) - 1) // per_minute for number in (requests.least, requests.most)))


def report(
    estimates: Sequence[Estimate], lists: int, *, max_window: Period, per_minute: int
) -> Iterator[str]:
    """What a run costs, in words.

    Args:
        estimates: One per query.
        lists: Requests for lookup lists, at the least.
        max_window: How far windows may grow.
        per_minute: The setting ``requests_per_minute``.

    Yields:
        A line per query, one for rechecks, one for lists, one for all, and what is not known.
    """
    total = Range(1 + lists, 1 + lists)
    for each in estimates:
        total = total.plus(each.requests)
        yield _line(each, per_minute)
    looks, rereads = (
        reduce(Range.plus, numbers, _NONE)
        for numbers in (
            [each.look_requests for each in estimates],
            [each.reread_requests for each in estimates],
        )
    )
    if looks.most or rereads.most:
        total = total.plus(looks).plus(rereads)
        again = f", {rereads.of('request')} to read them again" if rereads.most else ""
        yield f"rechecks: {looks.of('request')} to look at settled months{again}"
    if lists:
        yield f"lists (users, lookups): at least {Range(lists, lists).of('request')}"
    took = minutes(total, per_minute).of("minute")
    yield f"in all, with the token: {total.of('request')}, at {per_minute:,} a minute: {took} or more"
    yield from _unknown(estimates, max_window)


def _line(each: Estimate, per_minute: int) -> str:
    if not each.periods:
        return f"{each.query.name}: nothing to read"
    users = f" for each {USERS_PER_REQUEST} users" if each.query.names_users else ""
    took = minutes(each.requests, per_minute).of("minute")
    read = " and ".join(map(str, each.periods))
    return f"{each.query.name}: {each.requests.of('request')}{users}, {took}, for {read}"


def _unknown(estimates: Sequence[Estimate], max_window: Period) -> Iterator[str]:
    """What decides between the two numbers, and what can make them more."""

    def names(chosen: Iterable[Query]) -> str:
        return ", ".join(query.name for query in chosen)

    queries = [each.query for each in estimates if each.periods]
    if any(each.windows.least < each.windows.most for each in estimates):
        yield f"fewer if windows have few rows and grow to {max_window.text}, more if they do not grow"
    if users := names(query for query in queries if query.names_users):
        yield f"not known: the number of users; each {USERS_PER_REQUEST} take requests of their own ({users})"
    if trees := names(query for query in queries if query.api == "group_tree"):
        yield f"not known: the number of pages; one for each window is counted ({trees})"
    if jobs := names(query for query in queries if query.mode == "async"):
        yield f"not known: pages, and how long jobs take; one page and one look are counted ({jobs})"
    yield (
        "not known: rows, failures, the server's time; windows with too many rows are asked for again in "
        "halves, failed requests as they are"
    )
