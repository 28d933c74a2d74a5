"""Queries, grids and instants for the tests of the core."""

from __future__ import annotations

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


def examples(count: int = 50, *, always_the_same: bool = True) -> settings:
    """How many examples a property is tried with; the same ones each time, so that red means a change.

    Machines may be slow: no example has a deadline.
    """
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
    """A checked query; by default calls by queue and hour, of the results contract."""
    return replace(_PLAIN, **changes)  # type: ignore[arg-type]


def at(text: str) -> datetime:
    """An instant, read without the project's own reader."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


def moments(
    first: str, last: str, zones: st.SearchStrategy[tzinfo] | None = None
) -> st.SearchStrategy[datetime]:
    """Any instants between two, of UTC unless other zones are given."""
    least, most = (datetime.fromisoformat(each) for each in (first, last))
    return st.datetimes(least, most, timezones=st.just(UTC) if zones is None else zones)


def grid(granularity: str, zone: str = "UTC", anchor: str = "2023-11-01") -> Grid:
    """The grid of a granularity in a zone."""
    return Grid(Period.parse(granularity), ZoneInfo(zone), date.fromisoformat(anchor))


def edges(on: Grid, start: str, stop: str) -> list[str]:
    """The edges of the buckets from one instant to another, as short UTC texts."""
    edge, last = on.floor(at(start)), at(stop)
    found = [edge]
    while edge < last:
        edge = on.following(edge)
        found.append(edge)
    return [f"{each:%Y-%m-%dT%H:%M}" for each in found]


def buckets(on: Grid, start: datetime, stop: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Start and end of every bucket in a stretch on the grid."""
    while start < stop:
        end = on.following(start)
        yield start, end
        start = end


@cache
def zone_names() -> tuple[str, ...]:
    """Every IANA zone that there is."""
    return tuple(resources.files("tzdata").joinpath("zones").read_text("utf-8").split())


@cache
def first_instant(day: date, zone: ZoneInfo) -> datetime:
    """The first minute at which a zone's calendar shows a day or a later one, found by looking.

    Where no clock changes within three hours it is 00:00. Elsewhere by the hour at first, then by the
    quarter from some hours before, since dates can run back for an hour, then by the minute.
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
