"""Rechecks: whether settled months are still what was loaded, by a fingerprint of one coarse answer each.

Genesys changes history of any age (docs/api-notes.md, "History changes"), long after the lookback. So a run
asks for a few settled months in a single bucket each, and compares a fingerprint of the answer with the one
in the state. A month that differs, or has no fingerprint yet, is read again after the look: so whatever
changes later shows. Everything here is a pure function of the state.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tap_genesys_aggregates.core import instants, schema
from tap_genesys_aggregates.core.grid import Grid
from tap_genesys_aggregates.core.periods import Period
from tap_genesys_aggregates.core.query import INTERVAL
from tap_genesys_aggregates.core.windows import Window, halves

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.rows import Leaf

REREAD_WINDOWS = 31
"""Windows of settled months that a run of a query reads again at most; the next run reads the rest."""
MANY_CHANGES = 3
"""Months in a row that changed, from which on most of history counts as changed."""
_DEEPEST = 3
"""How often a month is halved if it cannot be asked for in one request: its parts have about four days."""
_FINGERPRINT = 5
"""Characters of a fingerprint, six bits each: of a billion changes, one goes unnoticed."""
_NOISE = 1e-12
"""Relative difference of two numbers that are the same, apart from how a platform added them up."""
_NOT_ANSWERED = "-"
"""In place of a fingerprint: the platform refuses to answer for this stretch."""
_MONTH = Period("P1M", months=1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A settled month, or a part of one that is too large for one request.

    Attributes:
        name: The month in the query's time zone, such as ``2026-03``; ``2026-03.12`` is the second half of
            its first half.
        window: Its buckets.
    """

    name: str
    window: Window


@dataclass(frozen=True, slots=True)
class Reread:
    """A stretch that changed, and what is left of it to read again.

    Attributes:
        name: The name of the stretch.
        left: What has not been read yet.
        entry: The fingerprint to remember once all of it has been read, and when it was taken; empty if
            it says nothing any more.
    """

    name: str
    left: Window
    entry: str


@dataclass(frozen=True, slots=True)
class Rechecks:
    """What is known about the settled months of a query.

    Attributes:
        since: The beginning of the first month that counts; that month may be incomplete.
        floor: Rows before it belong to an older definition of the query, and are left as they are.
        last: The stretch that was looked at last: the next look is for the one after it.
        changed: How many looks in a row, up to the last one, found a change.
        entries: Name of a stretch → its fingerprint and the day (UTC) of the last look, ``a1b2c 261126``.
            Parts of a month that have never been asked for have an empty one.
        rereads: What changed and is to be read again, the oldest first.
    """

    since: datetime | None = None
    floor: datetime | None = None
    last: str = ""
    changed: int = 0
    entries: Mapping[str, str] = field(default_factory=dict, hash=False)
    rereads: tuple[Reread, ...] = ()

    @classmethod
    def read(cls, state: object) -> Rechecks:
        """Read what ``write`` wrote.

        Raises:
            ValueError: It is something else.
        """
        if state is None:
            return cls()
        try:
            return cls._read(state)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"rechecks are unreadable: {error!r}") from None

    @classmethod
    def _read(cls, state: object) -> Rechecks:
        if not isinstance(state, dict):
            raise TypeError("not an object")
        since, floor = (instants.parse(state[key]) if key in state else None for key in ("since", "floor"))
        entries = {
            f"{year}-{month}": str(entry)
            for year, months in state.get("months", {}).items()
            for month, entry in months.items()
        }
        rereads = tuple(
            Reread(str(name), Window(instants.parse(start), instants.parse(end)), str(entry))
            for name, start, end, entry in state.get("rereads", ())
        )
        return cls(since, floor, str(state.get("last", "")), int(state.get("changed", 0)), entries, rereads)

    def write(self) -> dict[str, object]:
        """Itself as Singer state: by year and month, so that it is small and can still be read."""
        months: dict[str, dict[str, str]] = {}
        for name, entry in sorted(self.entries.items()):
            year, _, month = name.partition("-")
            months.setdefault(year, {})[month] = entry
        parts: dict[str, object] = {
            "since": instants.text(self.since) if self.since and months else None,
            "floor": instants.text(self.floor) if self.floor else None,
            "last": self.last,
            "changed": self.changed,
            "months": months,
            "rereads": [
                [each.name, instants.text(each.left.start), instants.text(each.left.end), each.entry]
                for each in self.rereads
            ],
        }
        return {name: value for name, value in parts.items() if value}

    def beginning(self, query: Query, first: datetime) -> Rechecks:
        """The rechecks of a run for which history begins at ``first``, on the grid.

        A month in which history began, or now begins, has another extent than before, so its fingerprint
        says nothing any more.
        """
        first = max(first, self.floor or first)
        if self.since is None or self.since == first:
            return replace(self, since=first)
        names = {_month_name(query, each) for each in (self.since, first)}
        kept = {name: entry for name, entry in self.entries.items() if name.partition(".")[0] not in names}
        return replace(self, since=first, entries=kept)

    def forgotten(self) -> Rechecks:
        """Without fingerprints: the query asks for something else now. What is to be read again stays so."""
        rereads = tuple(replace(each, entry="") for each in self.rereads)
        return replace(self, entries={}, last="", changed=0, rereads=rereads)

    def stretches(self, query: Query, settled: datetime) -> tuple[Stretch, ...]:
        """Every month that had settled when it was read, in order, in parts where it is too large.

        Args:
            query: The query.
            settled: Buckets that end by then had settled when they were last read.
        """
        if self.since is None:
            return ()
        return tuple(
            part for month in _months(query, self.since, settled) for part in self._parts(query, month)
        )

    def due(self, stretches: Iterable[Stretch]) -> list[Stretch]:
        """The stretches in the order in which to look at them.

        First those whose fingerprint is unknown, then in turns, from the one after the last.
        """
        known = [each for each in stretches if self.entries.get(each.name)]
        unknown = [each for each in stretches if not self.entries.get(each.name)]
        turn = [each for each in known if each.name > self.last]
        return [*unknown, *turn, *(each for each in known if each.name <= self.last)]

    def after_look(
        self, stretch: Stretch, fingerprint: str, now: datetime, *, fresh_since: datetime | None = None
    ) -> Rechecks:
        """The rechecks after a look: the stretch is unchanged, or it is to be read again.

        A fingerprint stands for rows that were read after it was taken, so it is remembered only once they
        are out. A stretch without one may have changed since it was loaded, so it is read again too.

        Args:
            stretch: What was asked for.
            fingerprint: The fingerprint of the answer.
            now: The instant of the run.
            fresh_since: Everything from there on was read in the same run, just before.
        """
        known, entry = self.fingerprint(stretch), f"{fingerprint} {now:%y%m%d}"
        is_fresh = fresh_since is not None and fresh_since <= stretch.window.start
        if known == fingerprint or (not known and is_fresh):
            entries = {**self.entries, stretch.name: entry}
            return replace(self, entries=entries, last=stretch.name, changed=0)
        changed = self.changed + 1 if known else self.changed
        return replace(self, rereads=self._with(stretch, entry), last=stretch.name, changed=changed)

    def after_refusal(self, query: Query, stretch: Stretch, now: datetime) -> Rechecks:
        """The rechecks after the platform could not answer for a stretch: it is asked for in halves."""
        entries = {name: entry for name, entry in self.entries.items() if name != stretch.name}
        if halves(query.grid, stretch.window) is None or _depth(stretch.name) >= _DEEPEST:
            entries[stretch.name] = f"{_NOT_ANSWERED} {now:%y%m%d}"
        else:
            dot = "" if "." in stretch.name else "."
            entries |= {f"{stretch.name}{dot}{number}": "" for number in (1, 2)}
        return replace(self, entries=entries, last=stretch.name)

    def fingerprint(self, stretch: Stretch) -> str:
        """The known fingerprint of a stretch; empty if there is none."""
        return self.entries.get(stretch.name, "").partition(" ")[0].strip(_NOT_ANSWERED)

    @property
    def has_unanswered(self) -> bool:
        """Whether there is a stretch for which the platform does not answer, however short."""
        return any(entry.startswith(_NOT_ANSWERED) for entry in self.entries.values())

    def after_window(self, window: Window) -> Rechecks:
        """The rechecks after a window of the first reread was written."""
        first, *others = self.rereads
        if window.end < first.left.end:
            left = Window(window.end, first.left.end)
            return replace(self, rereads=(replace(first, left=left), *others))
        entries = {**self.entries, first.name: first.entry} if first.entry else self.entries
        return replace(self, rereads=tuple(others), entries=entries)

    def _with(self, stretch: Stretch, entry: str) -> tuple[Reread, ...]:
        """What is to be read again, with one stretch more."""
        others = [each for each in self.rereads if each.name != stretch.name]
        new = Reread(stretch.name, stretch.window, entry)
        return tuple(sorted((*others, new), key=lambda each: each.left.start))

    def _parts(self, query: Query, month: Stretch) -> Iterator[Stretch]:
        """A month, or the parts of it that are asked for one by one."""
        names = sorted(name for name in self.entries if name.startswith(f"{month.name}."))
        for name in names or (month.name,):
            window: Window | None = month.window
            for digit in name[len(month.name) + 1 :]:
                found = halves(query.grid, window) if window else None
                window = found[int(digit) - 1] if found else None
            if window is not None:
                yield Stretch(name, window)


def can_recheck(query: Query) -> bool:
    """Whether settled months can be looked at: a ranking of a month is not the ranking of its windows."""
    return query.recheck_requests > 0 and not query.is_ranked


def coarse(query: Query) -> Query:
    """The query that returns one bucket for each window, with the same groups, metrics, filter and views."""
    return replace(query, is_coarse=True, group_by=tuple(each for each in query.group_by if each != INTERVAL))


def fingerprint(query: Query, leaves: Iterable[Leaf]) -> str:
    """A short text that differs if any key or number of an answer does.

    It depends neither on the order of groups, dimensions and metrics, nor on how a number is written.

    Args:
        query: The query, coarse or not.
        leaves: The leaves of the whole answer; no two have the same key.
    """
    names = schema.response_keys(query)[1:]
    order = sorted(range(len(names)), key=names.__getitem__)
    total = 0
    for leaf in leaves:
        key = [leaf.key[place] for place in order]
        cells = sorted(
            [metric, statistic, _canonical(value)]
            for metric, statistics in leaf.cells.items()
            for statistic, value in (statistics or {}).items()
            if value is not None
        )
        text = json.dumps([key, cells], sort_keys=True)
        total += int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
    digest = hashlib.blake2b(str(total).encode(), digest_size=_FINGERPRINT).digest()
    return base64.urlsafe_b64encode(digest).decode()[:_FINGERPRINT].replace(_NOT_ANSWERED, "~")


def _canonical(value: object) -> object:
    """A number as text: the same for ``3`` and ``3.0``, and without the noise of floating point."""
    if isinstance(value, float) and math.isfinite(value):
        whole = round(value)
        return str(whole) if abs(value - whole) <= _NOISE * abs(value) else f"{value:.12g}"
    return str(value) if isinstance(value, int | float) else value


def _months(query: Query, since: datetime, settled: datetime) -> Iterator[Stretch]:
    """The calendar months from ``since``, as far as they had settled, on the grid of the query."""
    grid, months = query.grid, Grid(_MONTH, query.zone, query.anchor)
    begin = months.floor(since)
    while (end := grid.ceil(months.following(begin))) <= settled:
        window = Window(max(grid.ceil(begin), since), end)
        if window.start < window.end:  # a month without the beginning of a bucket is part of the one before
            yield Stretch(_month_name(query, begin), window)
        begin = months.following(begin)


def _month_name(query: Query, instant: datetime) -> str:
    """The month of an instant in the query's time zone."""
    return f"{instant.astimezone(query.zone):%Y-%m}"


def _depth(name: str) -> int:
    """How often a month was halved to get a stretch."""
    return len(name.partition(".")[2])


def news(query: Query, stretch: Stretch, before: Rechecks, after: Rechecks) -> str:
    """A line for the log about a look; empty if it found nothing new."""
    name = f"query {query.name!r}"
    if len(after.rereads) > len(before.rereads) and before.fingerprint(stretch):
        return f"{name}: {stretch.name} is no longer what was loaded; it is read again"
    if after.has_unanswered and not before.has_unanswered:
        return (
            f"{name}: the platform does not answer for {stretch.window} in a single bucket. Changes there, "
            "and in others like it, are not noticed"
        )
    return ""


@dataclass(slots=True)
class RereadCount:
    """What one run of a query has read again."""

    windows: int = 0
    requests: int = 0
    seconds: float = 0.0

    def add(self, window: Window, requests: int) -> None:
        """Count a window."""
        self.windows += 1
        self.requests += requests
        self.seconds += (window.end - window.start).total_seconds()

    def outlook(self, query: Query, rechecks: Rechecks, settled: datetime | None) -> str:
        """A line for the log if most of history seems to have changed; empty if not."""
        if rechecks.changed < MANY_CHANGES or not self.windows or settled is None:
            return ""
        months = rechecks.stretches(query, settled)
        others = max(len(months) - rechecks.changed, 0)
        history = (months[-1].window.end - months[0].window.start).total_seconds() if months else 0.0
        unread = sum((each.left.end - each.left.start).total_seconds() for each in rechecks.rereads)
        unread += history * others / max(len(months), 1)
        requests = others + round(unread * self.requests / self.seconds)
        if not requests:
            return ""
        return (
            f"query {query.name!r}: the last {rechecks.changed} settled months that were looked at, of "
            f"{len(months)}, have all changed, as after a switched option. If the others did too, about "
            f"{requests} requests are left, at most {REREAD_WINDOWS} windows a run"
        )
