"""What must be true of the lengths of windows and of their stamps, whatever the platform refuses.

Windows grow in order to save requests, so a mistake in their growth often costs nothing but requests, or what
the ledger proves. These checks read the ledger and the requests of a run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tests.simulation.habits import hours_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from genesys_sandbox.sandbox import LogEntry
    from tests.pipeline.running import Row
    from tests.simulation.scenario import Query

_HOUR = timedelta(hours=1)
_REMEMBERED = timedelta(days=29)
"""How long a length that was refused is not asked for again, a day less than documented."""
_PRECISION = timedelta(milliseconds=1)
_TOO_LONG = "interval limit"
_TOO_LARGE = "too large"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for rows: what it asks for, when it came, and why it was refused, if it was."""

    start: datetime
    end: datetime
    at: datetime
    refusal: str

    @property
    def length(self) -> timedelta:
        """The length of the interval."""
        return self.end - self.start


def asked(log: Iterable[LogEntry], too_large_status: int) -> Iterator[Asked]:
    """The requests that ask for the rows of a window, and not for a month in one bucket."""
    for entry in log:
        body: Any = entry.body
        if not isinstance(body, dict):
            continue
        if "interval" in body and "granularity" in body:
            start, _, end = body["interval"].partition("/")
        elif "dateFrom" in body and "interval" in body["groupBy"]:
            start, end = body["dateFrom"], body["dateTo"]
        else:
            continue
        is_too_large = entry.status == too_large_status and not entry.fault
        refusal = _TOO_LARGE if is_too_large else entry.fault
        yield Asked(datetime.fromisoformat(start), datetime.fromisoformat(end), entry.at, refusal)


def plain_length(query: Query) -> timedelta:
    """The length of a window that has not grown; in a day with 25 hours it is an hour longer."""
    return timedelta(hours=max(hours_of(query["window"]), hours_of(query["granularity"])))


def wrong_lengths(entries: Iterable[Row], query: Query, settings: Mapping[str, Any]) -> Iterator[str]:
    """Windows in the ledger that are too long, grew where history can change, or end within a day.

    Args:
        entries: The ledger rows of one run of a query.
        query: The query, with its ``window``.
        settings: The config.
    """
    rows = list(entries)
    plain = plain_length(query)
    longest = max(plain, timedelta(hours=hours_of(settings["max_window"])))
    lookback = timedelta(days=settings["lookback_days"])
    zone = ZoneInfo(query.get("time_zone") or "UTC")
    ends = {rows[-1]["window_end"]} if rows else set()
    ends |= {one["window_end"] for one, other in pairwise(rows) if one["reason"] != other["reason"]}
    for row in rows:
        start, end, read_at = (
            datetime.fromisoformat(row[name]) for name in ("window_start", "window_end", "extracted_at")
        )
        place = f"{query['name']}, window {row['window_start']}/{row['window_end']}"
        if end - start > longest + _HOUR:  # a day may have 25 hours
            yield f"{place}: it is longer than max_window, {settings['max_window']}"
        if end - start > plain + _HOUR and end > read_at - lookback:
            yield f"{place}: it has grown, although its rows could still change when it was read"
        is_whole = query["window"].endswith("D") and end - start >= plain and not row["was_split"]
        if is_whole and row["window_end"] not in ends and end.astimezone(zone).time() != datetime.min.time():
            yield f"{place}: it ends within a day"


def wrong_stamps(entries: Iterable[Row], requests: Iterable[Asked], behind: timedelta) -> Iterator[str]:
    """Windows whose stamp is not that of the moment before their first request.

    Args:
        entries: The ledger rows of one run of a query, whose requests came one at a time.
        requests: The requests of that run.
        behind: How far the machine's clock is behind the one of the requests.
    """
    first: dict[tuple[datetime, datetime], datetime] = {}
    for each in requests:
        first.setdefault((each.start, each.end), each.at - behind)
    before: datetime | None = None
    for row in entries:
        start, end, read_at = (
            datetime.fromisoformat(row[name]) for name in ("window_start", "window_end", "extracted_at")
        )
        requested_at = first.get((start, end))
        place = f"window {row['window_start']}/{row['window_end']}"
        if requested_at is None or row["was_split"] or row["reason"] == "recheck":
            before = None
            continue
        if read_at > requested_at + _PRECISION:
            yield f"{place}: extracted_at is {read_at}, but its request came at {requested_at}"
        if before is not None and read_at < before - _PRECISION:
            yield f"{place}: extracted_at is {read_at}, before the request for the window before it, {before}"
        before = requested_at


@dataclass(slots=True)
class RefusedLengths:
    """The lengths that a platform refused to one query, which must not be asked for again for weeks.

    It is replaced by a new one where no state is kept.

    Attributes:
        too_long: The shortest interval that was refused for its length.
        too_large: The shortest interval that had more rows than the platform returns.
        since: When either was learnt.
    """

    too_long: timedelta | None = None
    too_large: timedelta | None = None
    since: datetime | None = None

    def asked_again(self, requests: Iterable[Asked], plain: timedelta) -> Iterator[str]:
        """The requests of a run for a length that was refused; they came one at a time.

        Args:
            requests: The requests.
            plain: The length of a window that has not grown, which is always asked for.
        """
        last: Asked | None = None
        for each in requests:
            is_retry = last is not None and (last.start, last.end) == (each.start, each.end)
            if self.since is not None and each.at > self.since + _REMEMBERED:
                self.too_long = self.too_large = self.since = None
            for limit, why in ((self.too_long, _TOO_LONG), (self.too_large, _TOO_LARGE)):
                if (
                    limit is not None
                    and each.length >= limit
                    and each.length > plain + _HOUR
                    and not is_retry
                ):
                    yield f"{each.start}/{each.end} was asked for, although {limit} were refused: {why}"
            if each.refusal == _TOO_LONG:
                self.too_long, self.since = min(each.length, self.too_long or each.length), each.at
            elif each.refusal == _TOO_LARGE:
                self.too_large, self.since = min(each.length, self.too_large or each.length), each.at
            last = each
