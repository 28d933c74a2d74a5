"""What must be true at every message and at the end of every run, whatever goes wrong."""

from __future__ import annotations

import base64
from collections import Counter
from typing import TYPE_CHECKING, Any

from tap_genesys_aggregates.core.errors import TapError
from tests.pipeline.running import multiset
from tests.simulation.scenario import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from genesys_sandbox import Sandbox
    from tests.pipeline.running import Message, Outcome, Row
    from tests.simulation.scenario import Interruption

_BOOKMARK_FIELDS = ("replication_key_value", "final_before")


class MessageChecker:
    """Reads the messages of a run one by one, as a target would, and notes what is wrong with them."""

    def __init__(
        self, state: Message, expected: Mapping[str, list[Row]] | None, starts: Mapping[str, str]
    ) -> None:
        """Take what is known before the run.

        Args:
            state: The state that the run was given.
            expected: The rows of each stream, if history never changes; otherwise None.
            starts: Where each stream starts that has no state.
        """
        self.failures: list[str] = []
        self._expected = expected
        self._bookmarks: dict[str, dict[str, str]] = {}
        self._keys: dict[str, list[str]] = {}
        self._window_rows: dict[str, list[Row]] = {name: [] for name in starts}
        self._window_ends: dict[str, str] = {}
        self._covered_until: dict[str, str] = dict(starts)
        for name, bookmark in state.get("bookmarks", {}).items():
            self._bookmarks[name] = bookmark
            self._covered_until[name] = bookmark.get(
                "replication_key_value", self._covered_until.get(name, "")
            )

    def read(self, messages: Iterable[Message]) -> list[str]:
        """Read messages, and return everything that was wrong so far."""
        checks = {"SCHEMA": self._schema, "RECORD": self._record, "STATE": self._state}
        for message in messages:
            self.failures += checks[message["type"]](message)
        return self.failures

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
            yield from self._ledger_row(row)
        else:
            self._window_rows[stream].append(row)

    def _ledger_row(self, entry: Row) -> Iterator[str]:
        """A ledger row comes after all rows of its window, and after no others."""
        query, start, end = (str(entry[name]) for name in ("query", "window_start", "window_end"))
        rows, self._window_rows[query] = self._window_rows[query], []
        place = f"{query}, window {start}/{end}"
        if start > self._covered_until[query] or start != self._window_ends.get(query, start) or start >= end:
            yield f"{place}: gap or overlap, the windows before it ended at {self._covered_until[query]}"
        self._window_ends[query] = end
        self._covered_until[query] = max(self._covered_until[query], end)
        if entry["rows"] != len(rows):
            yield f"{place}: the ledger counts {entry['rows']} rows, but {len(rows)} were written"
        if not all(start <= row["interval_start"] < end for row in rows):
            yield f"{place}: a row is outside of the window"
        if {row["extracted_at"] for row in rows} - {entry["extracted_at"]}:
            yield f"{place}: extracted_at of a row differs from the ledger's"
        yield from self._duplicates(query, rows)
        yield from self._differences(query, start, end, rows)

    def _duplicates(self, query: str, rows: list[Row]) -> Iterator[str]:
        keys = Counter(tuple(row[name] for name in self._keys[query]) for row in rows)
        duplicates = [key for key, times in keys.items() if times > 1]
        if duplicates:
            yield f"{query}: a key came twice in one window: {duplicates[0]}"

    def _differences(self, query: str, start: str, end: str, rows: list[Row]) -> Iterator[str]:
        """If history never changes, the rows of a window are known in advance."""
        if self._expected is None:
            return
        expected = multiset([row for row in self._expected[query] if start <= row["interval_start"] < end])
        if (found := multiset(rows)) != expected:
            yield f"{query}, window {start}/{end}: {difference(found, expected)}"

    def _state(self, message: Message) -> Iterator[str]:
        for query, bookmark in message["value"].get("bookmarks", {}).items():
            value, final = (bookmark.get(name) for name in _BOOKMARK_FIELDS)
            before = self._bookmarks.get(query, {})
            for name in _BOOKMARK_FIELDS:
                if (bookmark.get(name) or "") < (before.get(name) or ""):
                    yield f"{query}: {name} went back from {before.get(name)} to {bookmark.get(name)}"
            covered = self._covered_until[query]
            if value and value > covered:
                yield f"{query}: STATE {value} is ahead of its rows, which end at {covered}"
            if value and value < covered:
                yield f"{query}: STATE {value} is behind the last finished window, which ends at {covered}"
            if final and final > (value or ""):
                yield f"{query}: final_before {final} is ahead of the bookmark {value}"
            if value is None and query in self._window_ends:
                yield f"{query}: no bookmark after a window"
            self._bookmarks[query] = bookmark


def difference(found: Counter[str], expected: Counter[str]) -> str:
    """How two multisets of rows differ, with a few examples."""
    extra, missing = found - expected, expected - found
    examples = [f"+ {each[:400]}" for each in list(extra)[:2]] + [
        f"- {each[:400]}" for each in list(missing)[:2]
    ]
    return f"{extra.total()} extra rows, {missing.total()} missing\n    " + "\n    ".join(examples)


def leaked_secrets(sandbox: Sandbox, outcome: Outcome) -> Iterator[str]:
    """Secrets and tokens in what a run wrote, in its log, or in its error."""
    text = f"{outcome.messages}\n{outcome.error!r}\n{outcome.error}\n{outcome.log}"
    tokens = {entry.headers.get("authorization", "").partition(" ")[2] for entry in sandbox.log}
    basic = base64.b64encode(f"sandbox:{SECRET}".encode()).decode()
    for secret in {SECRET, basic, *tokens} - {""}:
        if secret in text:
            before = text[: text.find(secret)][-60:]
            yield f"a secret or token leaked: …{before}[here]"


def wrong_ending(
    outcome: Outcome, interruption: Interruption | None, *, interrupted: bool, must_succeed: bool
) -> Iterator[str]:
    """What is wrong with how a run ended."""
    error: Any = outcome.error
    if interrupted and interruption:
        if error is None:
            yield f"the run went on and succeeded, although it was ended by {interruption.how}"
        elif interruption.how == "SIGTERM" and not (isinstance(error, SystemExit) and error.code == 143):
            yield f"SIGTERM ended the run with {error!r}"
        return
    if interruption and interruption.how != "at a request" and len(outcome.messages) > interruption.at:
        yield f"the run was not ended at line {interruption.at}, but wrote {len(outcome.messages)} lines"
    if error is not None and not isinstance(error, TapError):
        yield f"the run ended with {type(error).__name__}, not with a TapError: {outcome.log[-1500:]}"
    if error is not None and must_succeed:
        yield f"the run failed without reason: {type(error).__name__}: {error}"
