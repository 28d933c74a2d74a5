"""What is known when: facts come late, are corrected and are rewritten away, then settle."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from genesys_sandbox.contract import Kind, kind
from genesys_sandbox.instants import DAY, HOUR

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from genesys_sandbox.centre import Centre, Facts
    from genesys_sandbox.facts import Event

# Of a hundred facts: so many come late, the next ones are corrected, the next removed.
_LATE, _CORRECTED, _REMOVED = 8, 13, 16
_LATEST = 2 * DAY
_FIRST_REWRITE = 2 * DAY
_RESOLUTIONS_TAKE_LONGER = 3
_HOURS_KEPT = 1_000


class History:
    """The facts of a centre as they are known at an instant, a pure function of that instant.

    Without `rewrites`, a fact is known from the millisecond after it is posted and never changes.
    With them, some come up to two days late, and some are corrected or removed between two days and
    one day before they settle. Nothing changes once a fact is `settle_days` old (three more for
    resolutions).
    """

    def __init__(self, centre: Centre, settle_days: int, *, rewrites: bool) -> None:
        """Write down a centre's facts; `settle_days` is at least 4."""
        self.centre = centre
        self._settle_days = settle_days
        self._rewrites = rewrites
        self._settled = lru_cache(maxsize=_HOURS_KEPT)(self._settle)

    def settles_after(self, family: str) -> int:
        """Age in milliseconds from which on the facts of a family do not change."""
        if not self._rewrites:
            return 0
        more = _RESOLUTIONS_TAKE_LONGER if family == "resolutions" else 0
        return (self._settle_days + more) * DAY

    def hour(self, family: str, hour: int, as_of: int) -> Facts:
        """What is known at `as_of` (UTC milliseconds) of one UTC hour, by metric."""
        begin, end = hour * HOUR, (hour + 1) * HOUR
        if as_of <= begin:
            return {}
        if as_of >= end + self.settles_after(family):
            return self._settled(family, hour)
        return self._seen(family, hour, as_of)

    def between(
        self, family: str, start: int, end: int, as_of: int, metrics: Iterable[str]
    ) -> Iterator[Event]:
        """What is known at `as_of` of the half-open interval, metric by metric within each hour."""
        wanted = tuple(dict.fromkeys(metrics))
        for hour in range(start // HOUR, -(-min(end, as_of) // HOUR)):
            facts = self.hour(family, hour, as_of)
            for metric in wanted:
                for event in facts.get(metric, ()):
                    if start <= event.at < end:
                        yield event

    def _settle(self, family: str, hour: int) -> Facts:
        if not self._rewrites:
            return self.centre.hour(family, hour)
        return self._seen(family, hour, (hour + 1) * HOUR + self.settles_after(family))

    def _seen(self, family: str, hour: int, as_of: int) -> Facts:
        seen: dict[str, list[Event]] = {}
        for metric, events in self.centre.hour(family, hour).items():
            known = [now for event in events if (now := self._known(family, event, as_of)) is not None]
            if known:
                seen[metric] = known
        return seen

    def _known(self, family: str, event: Event, as_of: int) -> Event | None:
        if event.at >= as_of:
            return None
        if not self._rewrites:
            return event
        fate, share = event.dice % 100, (event.dice >> 8) / 2**24
        age = as_of - event.at
        if fate < _LATE:
            return event if age > share * _LATEST else None
        span = self.settles_after(family) - DAY - _FIRST_REWRITE
        if fate >= _REMOVED or age <= _FIRST_REWRITE + share * span:
            return event
        return event._replace(value=_corrected(event)) if fate < _CORRECTED else None


def _corrected(event: Event) -> float:
    what = kind(event.metric)
    if what is Kind.RATIO:
        return 1 - event.value
    return event.value + (1 if what is Kind.COUNT else 1_500)
