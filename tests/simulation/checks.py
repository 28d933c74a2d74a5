"""What must hold at every message of every run, whatever goes wrong."""

from __future__ import annotations

import base64
from collections import Counter
from typing import TYPE_CHECKING, Any

from tap_genesys_aggregates.core.errors import TapError
from tests.pipeline.running import bag
from tests.simulation.world import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from genesys_sandbox import Sandbox
    from tests.pipeline.running import Message, Outcome, Row
    from tests.simulation.visits import Kill

_KEYS = ("replication_key_value", "final_before")


class Watch:
    """Reads a run's messages one by one, as a target would, and notes what must not be."""

    def __init__(
        self, state: Message, truth: Mapping[str, list[Row]] | None, starts: Mapping[str, str]
    ) -> None:
        """Begin a run.

        Args:
            state: The state that it was given.
            truth: The rows of each stream, where they never change; None where history does.
            starts: Where each stream begins that has no state.
        """
        self.wrong: list[str] = []
        self._truth = truth
        self._before: dict[str, dict[str, str]] = {}
        self._keys: dict[str, list[str]] = {}
        self._window: dict[str, list[Row]] = {name: [] for name in starts}
        self._ends: dict[str, str] = {}
        self._covered: dict[str, str] = dict(starts)
        for name, bookmark in state.get("bookmarks", {}).items():
            self._before[name] = bookmark
            self._covered[name] = bookmark.get("replication_key_value", self._covered.get(name, ""))
        self._begun = dict(self._covered)

    def read(self, messages: Iterable[Message]) -> list[str]:
        """Read messages; what was wrong with them."""
        kinds = {"SCHEMA": self._schema, "RECORD": self._record, "STATE": self._state}
        for message in messages:
            self.wrong += kinds[message["type"]](message)
        return self.wrong

    def _schema(self, message: Message) -> Iterator[str]:
        self._keys[message["stream"]] = message["key_properties"]
        yield from ()

    def _record(self, message: Message) -> Iterator[str]:
        stream, row = message["stream"], message["record"]
        keys = self._keys.get(stream)
        if keys is None:
            yield f"{stream}: a row before its schema"
        elif any(row.get(name) is None for name in keys):
            yield f"{stream}: a key is null in {row}"
        if stream == "extractions":
            yield from self._line(row)
        else:
            self._window[stream].append(row)

    def _line(self, line: Row) -> Iterator[str]:
        """A line of the ledger: the rows before it are those of its window, all of them, each once."""
        query, start, end = (str(line[name]) for name in ("query", "window_start", "window_end"))
        rows, self._window[query] = self._window[query], []
        place = f"{query}, window {start}/{end}"
        if start > self._covered[query] or start != self._ends.get(query, start) or start >= end:
            yield f"{place}: leaves a gap, or overlaps: what was covered ended {self._covered[query]}"
        self._ends[query] = end
        self._covered[query] = max(self._covered[query], end)
        if line["rows"] != len(rows):
            yield f"{place}: the ledger says {line['rows']} rows, and {len(rows)} came"
        if not all(start <= row["interval_start"] < end for row in rows):
            yield f"{place}: a row lies outside"
        if {row["extracted_at"] for row in rows} - {line["extracted_at"]}:
            yield f"{place}: rows were read at another instant than their line says"
        yield from self._twice(query, rows)
        yield from self._untrue(query, start, end, rows)

    def _twice(self, query: str, rows: list[Row]) -> Iterator[str]:
        keys = Counter(tuple(row[name] for name in self._keys[query]) for row in rows)
        twins = [key for key, times in keys.items() if times > 1]
        if twins:
            yield f"{query}: a key came twice in one window: {twins[0]}"

    def _untrue(self, query: str, start: str, end: str, rows: list[Row]) -> Iterator[str]:
        """Where history never changes, a window's rows are known beforehand."""
        if self._truth is None:
            return
        expected = bag([row for row in self._truth[query] if start <= row["interval_start"] < end])
        if (found := bag(rows)) != expected:
            yield f"{query}, window {start}/{end}: {difference(found, expected)}"

    def _state(self, message: Message) -> Iterator[str]:
        for query, bookmark in message["value"].get("bookmarks", {}).items():
            value, final = (bookmark.get(name) for name in _KEYS)
            before = self._before.get(query, {})
            for name in _KEYS:
                if (bookmark.get(name) or "") < (before.get(name) or ""):
                    yield f"{query}: {name} went back from {before.get(name)} to {bookmark.get(name)}"
            if value and value > self._covered[query]:
                yield f"{query}: STATE {value} is ahead of its rows, which end {self._covered[query]}"
            if value and value < self._covered[query]:
                yield f"{query}: STATE {value} is behind the window that is done, {self._covered[query]}"
            if final and final > (value or ""):
                yield f"{query}: final_before {final} is ahead of the bookmark {value}"
            if value is None and query in self._ends:
                yield f"{query}: no bookmark after a window"
            self._before[query] = bookmark


def difference(found: Counter[str], expected: Counter[str]) -> str:
    """How two bags of rows differ, shorten."""
    more, less = found - expected, expected - found
    shown = [f"+ {each[:400]}" for each in list(more)[:2]] + [f"- {each[:400]}" for each in list(less)[:2]]
    return f"{sum(more.values())} rows too many, {sum(less.values())} missing\n    " + "\n    ".join(shown)


def leaks(sandbox: Sandbox, outcome: Outcome) -> Iterator[str]:
    """Secrets and tokens in what a run wrote, logged or ended with."""
    said = f"{outcome.messages}\n{outcome.error!r}\n{outcome.error}\n{outcome.log}"
    headers = {entry.headers.get("authorization", "").partition(" ")[2] for entry in sandbox.log}
    basic = base64.b64encode(f"sandbox:{SECRET}".encode()).decode()
    for secret in {SECRET, basic, *headers} - {""}:
        if secret in said:
            before = said[: said.find(secret)][-60:]
            yield f"a secret or token is shown: …{before}[here]"


def ending(outcome: Outcome, kill: Kill | None, *, killed: bool, must_live: bool) -> Iterator[str]:
    """Whether a run ended in one of the ways it may."""
    error: Any = outcome.error
    if killed and kill:
        if error is None:
            yield f"the run went on and ended well, although it was ended by {kill.how}"
        elif kill.how == "SIGTERM" and not (isinstance(error, SystemExit) and error.code == 143):
            yield f"SIGTERM ended the run with {error!r}"
        return
    if kill and kill.how != "at a request" and len(outcome.messages) > kill.at:
        yield f"{len(outcome.messages)} lines were written, and the kill at line {kill.at} never came"
    if error is not None and not isinstance(error, TapError):
        yield f"the run ended with {type(error).__name__}, not with a TapError: {outcome.log[-1500:]}"
    if error is not None and must_live:
        yield f"the run had no reason to end, but did: {type(error).__name__}: {error}"
