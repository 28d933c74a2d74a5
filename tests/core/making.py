"""Queries, grids and instants for the tests of the core."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tap_genesys_aggregates.core.grid import Grid
from tap_genesys_aggregates.core.periods import Period
from tap_genesys_aggregates.core.query import Query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

UTC = timezone.utc
_HOURS = timedelta(hours=3)
FEWER = "FEWER_EXAMPLES"
"""The environment variable that ``./run test fast`` sets."""


def examples(count: int = 50, *, always_the_same: bool = True) -> settings:
    """Settings of a property: the same examples in every run, so a failure means that the code changed.

    Examples have no deadline, because machines may be slow. The fast loop (``./run test fast``) takes a fifth
    of them.
    """
    if os.environ.get(FEWER):
        count = max(10, count // 5)
    slow = (HealthCheck.too_slow,)
    return settings(
        max_examples=count,
        derandomize=always_the_same,
        deadline=None,
        database=None,
        suppress_health_check=slow,
    )


_PLAIN = Query(
    name="calls",
    api="results",
    path="/api/v2/analytics/conversations/aggregates/query",
    group_by=("queueId",),
    metrics=("nOffered", "tHandle"),
    granularity=Period("PT1H", seconds=3600),
    window=Period("P1D", days=1),
    lookback=timedelta(days=7),
    zone=ZoneInfo("UTC"),
    anchor=date(2023, 11, 1),
)


def query(**changes: object) -> Query:
    """A query of the results API, by queue and hour unless changed."""
    return replace(_PLAIN, **changes)  # type: ignore[arg-type]


def at(text: str) -> datetime:
    """An instant, parsed independently of the package."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


def moments(
    first: str, last: str, zones: st.SearchStrategy[tzinfo] | None = None
) -> st.SearchStrategy[datetime]:
    """Any instants between two dates, in UTC unless other zones are given."""
    earliest, latest = (datetime.fromisoformat(each) for each in (first, last))
    return st.datetimes(earliest, latest, timezones=st.just(UTC) if zones is None else zones)


def grid(granularity: str, zone: str = "UTC", anchor: str = "2023-11-01") -> Grid:
    """The grid of a granularity in a zone."""
    return Grid(Period.parse(granularity), ZoneInfo(zone), date.fromisoformat(anchor))


def edges(on: Grid, start: str, stop: str) -> list[str]:
    """The boundaries of the buckets from one instant to another, as short UTC texts."""
    edge, last = on.floor(at(start)), at(stop)
    found = [edge]
    while edge < last:
        edge = on.following(edge)
        found.append(edge)
    return [f"{each:%Y-%m-%dT%H:%M}" for each in found]


def buckets(on: Grid, start: datetime, stop: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Start and end of every bucket between two points of the grid."""
    while start < stop:
        end = on.following(start)
        yield start, end
        start = end


@cache
def zone_names() -> tuple[str, ...]:
    """Every IANA time zone."""
    return tuple(resources.files("tzdata").joinpath("zones").read_text("utf-8").split())


@cache
def first_instant(day: date, zone: ZoneInfo) -> datetime:
    """The first minute at which the local calendar shows a day or a later one, found by searching.

    If no clock changes within three hours, this is 00:00. Otherwise the search goes by the hour, then by
    the quarter of an hour from three hours before, since dates can run backwards, then by the minute.
    """
    naive = datetime(day.year, day.month, day.day, tzinfo=UTC)
    usual = naive - _offset(naive, zone)
    around = {_offset(each, zone) for each in (naive, usual - _HOURS, usual, usual + _HOURS)}
    if len(around) == 1:
        return usual
    begin = naive - timedelta(hours=16)
    for step, back in ((60, 180), (15, 15), (1, 0)):
        while begin.astimezone(zone).date() < day:
            begin += timedelta(minutes=step)
        begin -= timedelta(minutes=back)
    return begin


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    """How far a zone is ahead of UTC."""
    return instant.astimezone(zone).utcoffset() or timedelta()
