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
    from collections.abc import Set as AbstractSet

    from genesys_sandbox import Sandbox
    from tests.pipeline.running import Message, Outcome, Row
    from tests.simulation.scenario import Interruption
    from tests.simulation.tap_run import TapRun

_LONGEST_MADE_UP_TOKEN = 10
"""A malformed answer may have a word such as "many" for a token."""
_BOOKMARK_FIELDS = ("replication_key_value", "final_before")


class MessageChecker:
    """Reads the messages of a run one by one, as a target would, and notes what is wrong with them."""

    def __init__(
        self,
        state: Message,
        expected: Mapping[str, list[Row]] | None,
        starts: Mapping[str, str],
        *,
        fresh: AbstractSet[str] = frozenset(),
        may_go_back: bool = False,
    ) -> None:
        """Take what is known before the run.

        Args:
            state: The state that the run was given.
            expected: The rows of each stream, if history never changes; otherwise None.
            starts: The start of the first bucket that each stream is to load.
            fresh: The streams that load everything again, as if they had no state.
            may_go_back: Whether bookmarks may go back, because they are later than the machine's clock.
        """
        self.failures: list[str] = []
        self._expected = expected
        self._may_go_back = may_go_back
        self._starts = starts
        self._bookmarks: dict[str, dict[str, Any]] = {}
        self._keys: dict[str, list[str]] = {}
        self._window_rows: dict[str, list[Row]] = {name: [] for name in starts}
        self._last_window: dict[str, tuple[str, str]] = {}
        self._last_end: dict[str, str] = {}
        self._jumped: set[str] = set()
        self._rechecked: set[str] = set()
        self._covered: dict[str, list[tuple[str, str]]] = {name: [] for name in starts}
        self._given = state.get("bookmarks", {})
        for name, bookmark in self._given.items():
            if name in starts and name not in fresh:
                self._bookmarks[name] = bookmark
                self._covered[name] = list(_claims(bookmark))

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
        if entry["reason"] == "recheck":
            self._rechecked.add(query)
            yield from self._recheck(query, start, end)
        elif query in self._rechecked:
            yield f"{place}: it comes after a window of settled history that is read again"
        else:
            if not self._is_contiguous(query, start) or start >= end:
                yield f"{place}: gap or overlap, the windows before it ended at {self._reach(query)}"
            self._last_window[query] = start, end
            self._last_end[query] = max(self._last_end.get(query, end), end)
            self._covered[query] = _union([*self._covered[query], (start, end)])
        if entry["row_count"] != len(rows):
            yield f"{place}: the ledger counts {entry['row_count']} rows, but {len(rows)} were written"
        if not all(start <= row["interval_start"] < end for row in rows):
            yield f"{place}: a row is outside of the window"
        if {row["extracted_at"] for row in rows} - {entry["extracted_at"]}:
            yield f"{place}: extracted_at of a row differs from the ledger's"
        yield from self._duplicates(query, rows)
        yield from self._differences(query, start, end, rows)

    def _recheck(self, query: str, start: str, end: str) -> Iterator[str]:
        """A window of history that is read again was loaded before, and had settled."""
        final = self._bookmarks.get(query, {}).get("final_before") or ""
        is_loaded = any(a <= start and end <= b for a, b in self._covered[query])
        if not is_loaded or not start < end <= final:
            yield f"{query}, window {start}/{end}: it is read again, but settled history ends at {final}"

    def _is_contiguous(self, query: str, start: str) -> bool:
        """Whether a window follows the one before it, or begins a period that leaves no gap.

        There are at most two periods: history before what was loaded so far, then what is new.
        """
        before = self._last_window.get(query)
        if before is not None and before[1] == start:
            return True
        if before is not None:
            # By a clock that is behind, the first period ends before what was loaded.
            is_done = self._bookmarks.get(query, {}).get("earlier") is None or self._may_go_back
            if not is_done or query in self._jumped:
                return False
            self._jumped.add(query)
        return start == self._starts[query] or any(a <= start <= b for a, b in self._covered[query])

    def _reach(self, query: str) -> str:
        return self._last_window.get(query, ("", ""))[1] or str(self._covered[query])

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
            if query in self._starts:
                yield from self._behind(query, bookmark)
                if bookmark != self._given.get(query):  # it says nothing new, and its stream may be refused
                    yield from self._ahead(query, bookmark)
                    yield from self._backwards(query, bookmark)
                    self._bookmarks[query] = bookmark

    def _behind(self, query: str, bookmark: dict[str, Any]) -> Iterator[str]:
        """A bookmark that says less than what the rows before it cover."""
        value, (start, end) = bookmark.get("replication_key_value"), self._last_window.get(query, ("", ""))
        if end > max((until for since, until in _claims(bookmark) if since <= start), default=""):
            yield f"{query}: STATE {value} is behind the last finished window, which ends at {end}"
        if self._last_end.get(query, "") > (value or "") and not bookmark.get("earlier"):
            yield f"{query}: STATE {value} is behind the windows, which end at {self._last_end[query]}"
        if value is None and query in self._last_window:
            yield f"{query}: no bookmark after a window"

    def _ahead(self, query: str, bookmark: dict[str, Any]) -> Iterator[str]:
        """A bookmark that says more than what the rows before it cover."""
        value, final = (bookmark.get(name) for name in _BOOKMARK_FIELDS)
        for start, end in _claims(bookmark):
            if not any(a <= start and end <= b for a, b in self._covered[query]):
                yield f"{query}: STATE {start}/{end} is ahead of its rows, which cover {self._covered[query]}"
        if final and final > (value or ""):
            yield f"{query}: final_before {final} is ahead of the bookmark {value}"

    def _backwards(self, query: str, bookmark: dict[str, Any]) -> Iterator[str]:
        before = self._bookmarks.get(query, {})
        for name in () if self._may_go_back else _BOOKMARK_FIELDS:
            if (bookmark.get(name) or "") < (before.get(name) or ""):
                yield f"{query}: {name} went back from {before.get(name)} to {bookmark.get(name)}"


def _claims(bookmark: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The periods that a bookmark says are loaded."""
    value, since, earlier = (
        bookmark.get(name) for name in ("replication_key_value", "loaded_since", "earlier")
    )
    if value is not None and (since or "") < value:
        yield since or value, value
    if earlier and earlier[0] < earlier[1]:
        yield earlier[0], earlier[1]


def _union(periods: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Periods without overlap, in order; those that touch become one."""
    found: list[tuple[str, str]] = []
    for start, end in sorted(periods):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found


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
    sent = {entry.headers.get("authorization", "").partition(" ")[2] for entry in sandbox.log}
    tokens = {token for token in sent if len(token) > _LONGEST_MADE_UP_TOKEN}
    basic = base64.b64encode(f"sandbox:{SECRET}".encode()).decode()
    for secret in {SECRET, basic, *tokens} - {""}:
        if secret in text:
            before = text[: text.find(secret)][-60:]
            yield f"a secret or token leaked: …{before}[here]"


def wrong_ending(run: TapRun, interruption: Interruption | None, *, interrupted: bool) -> Iterator[str]:
    """What is wrong with how a run ended, whatever it met."""
    error: Any = run.outcome.error
    if interrupted and interruption:
        if error is None:
            yield f"the run went on and succeeded, although it was ended by {interruption.how}"
        elif interruption.how == "SIGTERM" and not (isinstance(error, SystemExit) and error.code == 143):
            yield f"SIGTERM ended the run with {error!r}"
        return
    if interruption and interruption.how != "at a request" and len(run.outcome.messages) > interruption.at:
        yield f"the run was not ended at line {interruption.at}, but wrote {len(run.outcome.messages)} lines"
    if error is not None and not isinstance(error, TapError):
        yield f"the run ended with {type(error).__name__}, not with a TapError: {run.outcome.log[-1500:]}"
    if error is None and run.failed:
        yield f"the run succeeded, although {sorted(run.failed)} failed"


def wrong_failures(run: TapRun, *, may_fail: AbstractSet[str], must_fail: AbstractSet[str]) -> Iterator[str]:
    """Streams that failed without reason, or that should have been refused, in a run that was not ended.

    Args:
        run: The run. Its faults are such that retries overcome them.
        may_fail: The streams that have a reason to fail.
        must_fail: Those that must be refused.
    """
    error = run.outcome.error
    if error is not None and (not run.failed or run.failed.keys() - may_fail):
        yield f"the run failed without reason: {type(error).__name__}: {error}"
    for name in sorted(must_fail - run.failed.keys()):
        yield f"{name} was not refused: {run.outcome.error}"
