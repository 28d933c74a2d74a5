"""What a run costs, planned without a request: windows, requests, and minutes at the pace of the settings.

The windows follow from the query, its bookmark and the time. How many there are depends on how far they grow,
and so on rows that nobody has seen yet: there are two numbers. What cannot be known is said in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_genesys_aggregates.core.query import USERS_PER_REQUEST
from tap_genesys_aggregates.core.rechecks import REREAD_WINDOWS
from tap_genesys_aggregates.core.window_growth import growth_at_start, run_windows
from tap_genesys_aggregates.core.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tap_genesys_aggregates.core.bookmarks import RunPeriod
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


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run of one query costs.

    Attributes:
        query: The query.
        periods: What the run reads; empty if there is nothing to read.
        windows: How many windows that takes: the fewest if they grow at once, the most if they never do.
        looks: How many settled months it looks at.
    """

    query: Query
    periods: tuple[Window, ...]
    windows: Range
    looks: Range = Range(0, 0)

    @classmethod
    def of(
        cls, query: Query, periods: Iterable[RunPeriod], max_window: Period, looks: Range = Range(0, 0)
    ) -> Estimate:
        """Plan a run.

        Args:
            query: The query.
            periods: What the run reads (``run_periods``).
            max_window: How far windows may grow.
            looks: How many settled months it looks at.
        """
        plain = growth_at_start(query, max_window)
        grown = plain if query.rows_depend_on_window else plain.at_maximum()
        read, total = [], Range(0, 0)
        for period in periods:
            most = list(run_windows(query, period, lambda: plain))
            if most:
                read.append(Window(most[0].start, most[-1].end))
                least = sum(1 for _ in run_windows(query, period, lambda: grown))
                total = total.plus(Range(least, len(most)))
        return cls(query, tuple(read), total, looks)

    @property
    def requests(self) -> Range:
        """Requests, if all users fit into one of them and every answer has one page."""
        return self._requests(self.windows)

    @property
    def requests_to_look(self) -> Range:
        """Requests that ask for settled months, counted like the others."""
        return self._requests(self.looks)

    def _requests(self, answers: Range) -> Range:
        each = _PER_JOB if self.query.mode == "async" else 1
        return Range(answers.least * each, answers.most * each)


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
        A line per query, a line for all, and what is not known.
    """
    total = Range(1 + lists, 1 + lists)
    looks = Range(0, 0)
    for each in estimates:
        total, looks = total.plus(each.requests), looks.plus(each.requests_to_look)
        yield _line(each, per_minute)
    if looks.most:
        names = ", ".join(each.query.name for each in estimates if each.looks.most)
        yield f"rechecks: {looks.of('request')} to look at settled months ({names})"
        total = total.plus(looks)
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
    if any(each.looks.most for each in estimates):
        yield f"not known: what changed and is read again; at most {REREAD_WINDOWS} windows of each query"
    yield (
        "not known: rows, failures, the server's time; windows with too many rows are asked for again in "
        "halves, failed requests as they are"
    )
