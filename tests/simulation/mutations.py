"""Mutations of the tap: deliberate bugs, and how many seeds it takes until a check fails.

Most of them are bugs that other connectors really had. ``python -m tests.simulation.mutations`` tries them
all and writes the table in ``docs/simulation.md``. When a change of the tap removes the source text that a
mutation replaces, the command and a test report it.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
import textwrap
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from tap_genesys_aggregates import streams
from tap_genesys_aggregates.auth import ClientCredentials
from tap_genesys_aggregates.client import Client, LinkPaginator
from tap_genesys_aggregates.core import instants, query_changes, rows, windows
from tap_genesys_aggregates.core.bookmarks import Bookmark
from tap_genesys_aggregates.core.rechecks import Rechecks
from tap_genesys_aggregates.core.rows import RowMaker, UniqueKeys
from tap_genesys_aggregates.core.window_growth import Learnt, WindowGrowth
from tap_genesys_aggregates.dialects import group_tree, results
from tap_genesys_aggregates.dialects.group_tree import GroupTreeDialect
from tap_genesys_aggregates.dialects.group_tree_block import GroupTreeBlocks
from tap_genesys_aggregates.dialects.results import ResultsDialect
from tap_genesys_aggregates.dialects.results_block import ResultsBlocks
from tap_genesys_aggregates.dialects.results_jobs import JobsDialect
from tap_genesys_aggregates.extract import extractor, pulling
from tap_genesys_aggregates.extract.async_jobs import _JobRun
from tap_genesys_aggregates.extract.extractor import Extractor
from tap_genesys_aggregates.extract.failures import Failures
from tap_genesys_aggregates.extract.lookup_list import LookupList
from tap_genesys_aggregates.extract.pulling import Puller, _Task
from tap_genesys_aggregates.extract.user_batches import UserBatches
from tap_genesys_aggregates.http.transport import Transport
from tap_genesys_aggregates.singer.termination import Termination
from tap_genesys_aggregates.streams import AggregateStream
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.simulation.__main__ import PAGE, summarize
from tests.simulation.long_windows import failures as long_window_failures
from tests.simulation.old_history import failures as old_history_failures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FunctionType

MAX_SEEDS = 300
_TABLE_HEAD = "| mutation | seeds | failed check |\n|---|---:|---|\n"
_TABLE = re.compile(re.escape(_TABLE_HEAD) + r"(?:\|.*\n)*")
_MAX_LENGTH = 90
_BROKEN = re.compile(
    r'File "<\w+, mutated>", line \d+, in .*\n(?: .*\n)*'
    r"(?P<error>(?:NameError|UnboundLocalError|TypeError|AttributeError).*)"
)
"""The end of a traceback: the mutated function itself used something that does not exist."""


class StaleMutationError(Exception):
    """The function does not contain the text to replace: the mutation must be rewritten."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """A replacement in the source text of one function.

    Attributes:
        owner: The class or module that holds the function.
        name: The function's name there.
        old: The text to replace; it must occur exactly once.
        new: The text to put in its place.
    """

    owner: Any
    name: str
    old: str
    new: str

    def function(self) -> object:
        """Compile the function with the replacement.

        Raises:
            StaleMutationError: The text to replace is not there, or not once.
        """
        function: FunctionType = inspect.unwrap(inspect.getattr_static(self.owner, self.name))
        text = textwrap.dedent(inspect.getsource(function))
        if text.count(self.old) != 1:
            raise StaleMutationError(f"{self.owner.__name__}.{self.name} does not contain {self.old!r} once")
        body = textwrap.indent(text.replace(self.old, self.new), "    ")
        # In a function of its own, so that super() works.
        end = f"    return {function.__name__}"
        source = f"from __future__ import annotations\ndef make(__class__):\n{body}\n{end}"
        names: dict[str, Any] = {}
        exec(compile(source, f"<{self.name}, mutated>", "exec"), dict(function.__globals__), names)  # noqa: S102
        return names["make"](self.owner)


@dataclass(frozen=True, slots=True)
class Mutation:
    """A bug, and the replacements that cause it."""

    description: str
    replacements: tuple[Replacement, ...]
    simulate: Callable[[int], list[str]] = lambda seed: summarize(seed).failures

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Run a block with the bug."""
        with ExitStack() as stack:
            for each in self.replacements:
                stack.enter_context(patch.object(each.owner, each.name, each.function()))
            yield


def mutation(description: str, *replacements: tuple[Any, str, str, str]) -> Mutation:
    """A mutation from plain tuples: owner, name, old, new."""
    return Mutation(description, tuple(Replacement(*each) for each in replacements))


def recheck_mutation(description: str, *replacements: tuple[Any, str, str, str]) -> Mutation:
    """A mutation that shows over months, where history of any age is rewritten."""
    return replace(mutation(description, *replacements), simulate=old_history_failures)


def growth_mutation(description: str, *replacements: tuple[Any, str, str, str]) -> Mutation:
    """A mutation that shows over weeks, while windows grow."""
    return replace(mutation(description, *replacements), simulate=long_window_failures)


_COMMIT = "self._commit(part.completes, part.usage, period, now)"
_EMIT = "yield from part.pages"
_RECORD = "self._run.ledger.record("
_PLAN = "for window in islice(run_windows(self.query, period, lambda: self.growth), period.most):\n"
_STAMP = "stamp = Stamp.of(self.query, self.clock.now())\n"
_AFTER = "bookmark.after(window, now, self.query.lookback, rows=rows)"

MUTATIONS = (
    mutation(
        "STATE is written before its rows",
        (
            AggregateStream,
            "_pages",
            _EMIT,
            (
                "self._bookmark.after(part.window, now, self.query.lookback).store(self.stream_state); "
                f"self._write_state(); {_EMIT}"
            ),
        ),
    ),
    mutation(
        "the ledger row is written after the STATE",
        (
            AggregateStream,
            "_commit",
            _RECORD,
            f"{_AFTER}.store(self.stream_state); self._write_state(); {_RECORD}",
        ),
    ),
    mutation(
        "the bookmark is the end of the last window with rows",
        (AggregateStream, "_commit", _AFTER, f"{_AFTER} if rows else bookmark"),
    ),
    mutation(
        "an empty window is not committed",
        (
            AggregateStream,
            "_pages",
            "if part.completes is not None:",
            "if part.completes is not None and part.usage.rows:",
        ),
    ),
    mutation("the second page is skipped", (Client, "pages", "return found", "return found[:1] + found[2:]")),
    mutation(
        "paging stops at an empty page",
        (
            GroupTreeDialect,
            "read",
            "response.links.next if response.links",
            "response.links.next if response.entities",
        ),
    ),
    mutation(
        "the cursor of a job is ignored",
        (JobsDialect, "read_results", ".cursor or None", ".cursor and None"),
    ),
    mutation(
        "the incomplete bucket is read",
        (streams, "run_periods", "query.grid.floor(min(now", "query.grid.ceil(min(now"),
        (windows, "plan", "grid.floor(start), grid.floor(stop)", "grid.floor(start), grid.ceil(stop)"),
    ),
    mutation(
        "windows start one bucket late",
        (windows, "plan", "start = window.end", "start = grid.following(window.end)"),
    ),
    mutation(
        "a split skips the bucket at the seam",
        (windows, "halves", "Window(middle, window.end)", "Window(grid.following(middle), window.end)"),
    ),
    mutation(
        "a split window loses its second half",
        (Puller, "pull", "for window in shorter:", "for window in shorter[:1]:"),
    ),
    mutation(
        "the first batch of users commits the window of all",
        (_Task, "_completes", "if self.last and", "if"),
    ),
    mutation(
        "a failed window is skipped",
        (_Task, "__call__", "raise error.within(", "return []; raise error.within("),
    ),
    mutation(
        "there is no lookback",
        (
            Bookmark,
            "next_start",
            "(self.loaded_before, self.final_before, now - lookback)",
            "(self.loaded_before,)",
        ),
    ),
    mutation(
        "after an outage, buckets that had not settled are not read again",
        (
            Bookmark,
            "next_start",
            "(self.loaded_before, self.final_before, now - lookback)",
            "(self.loaded_before, now - lookback)",
        ),
    ),
    mutation(
        "final_before covers buckets that can still change",
        (Bookmark, "after", "min(window.end, now - lookback)", "window.end"),
    ),
    mutation(
        "final_before is computed from the time of the commit",
        (AggregateStream, "_pages", _COMMIT, _COMMIT.replace("period, now", "period, self._client.now()")),
    ),
    mutation(
        "the bookmark can go backwards",
        (Bookmark, "after", "max(window.end, self.loaded_before or window.end)", "window.end"),
    ),
    mutation(
        "only data[0] is read",
        (ResultsDialect, "_leaves", "in result.data or ()", "in (result.data or ())[:1]"),
    ),
    mutation(
        "only data[0] is read (column by column)",
        (ResultsBlocks, "read", "result.data or ()", "(result.data or ())[:1]"),
    ),
    mutation(
        "only the first entity of a page is read (column by column)",
        (GroupTreeBlocks, "read", "decode, response.entities or ()", "decode, (response.entities or ())[:1]"),
    ),
    mutation("the qualifier is dropped", (ResultsDialect, "_long", "key_value(metric.qualifier)", "NOT_SET")),
    mutation("missing values become 0", (RowMaker, "__init__", "each.name: None for", "each.name: 0 for")),
    mutation(
        "missing values become 0 (column by column)",
        (RowMaker, "rows", "*block.numbers)", "*([each or 0 for each in more] for more in block.numbers))"),
    ),
    mutation(
        "a day ends at 23:59:59.999",
        (
            ResultsDialect,
            "call",
            "str(window)",
            "str(type(window)(window.start, window.end - (window.end - window.start) / 86_400_000))",
        ),
    ),
    mutation("UTC offsets are ignored", (instants, "parse", ' - _offset(match["zone"])', "")),
    mutation(
        "a duplicate row is written twice",
        (UniqueKeys, "add", "len(new) != count or not self._seen.isdisjoint(new)", "False"),
    ),
    mutation(
        "a 401 ends the run at once",
        (
            Transport,
            "_send_authorized",
            "except TokenRefusedError:",
            "except TokenRefusedError:\n        raise",
        ),
    ),
    mutation(
        "a rejected token is sent again",
        (ClientCredentials, "invalidate", 'if authorization == f"Bearer {self._token}"', "if False"),
    ),
    mutation(
        "a token is not renewed before it expires",
        (ClientCredentials, "token", "or self._clock() >= self._renew_at", ""),
    ),
    mutation("Retry-After is ignored", (Transport, "_back_off", "error.retry_after is not None", "False")),
    mutation(
        "an unreadable answer is not retried",
        (Transport, "_with_retries", "(TransientError, UnreadableError),", "(TransientError,),"),
    ),
    mutation(
        "an interrupted request is not retried",
        (Transport, "_with_retries", "(TransientError, UnreadableError),", "(UnreadableError,),"),
    ),
    mutation(
        "Retry-After replaces the backoff",
        (Transport, "_back_off", "wait = max(wait, error.retry_after)", "wait = error.retry_after"),
    ),
    mutation(
        "a window that times out is not split",
        (Puller, "_fetched", "except (TooLargeError, SlowError) as error", "except TooLargeError as error"),
    ),
    mutation(
        "a link to another host is followed",
        (LinkPaginator, "get_next", "if _origin(link) != _origin(self._url)", "if False"),
    ),
    mutation(
        "a redirect is followed",
        (Transport, "_send_options", '"allow_redirects": False', '"allow_redirects": True'),
    ),
    mutation(
        "only the first batch of users is requested",
        (Extractor, "batches", ".of(self.query)", ".of(self.query)[:1]"),
    ),
    mutation(
        "a failed job is not submitted again",
        (_JobRun, "pages", "range(1, SUBMISSIONS + 1)", "range(1, 2)"),
    ),
    mutation(
        "the Date header is ignored",
        (Transport, "_fetch_token", "self._synchronize(server_time(received.headers))", "pass"),
    ),
    mutation(
        "a bookmark later than now is believed",
        (streams, "resumed", ".clipped(now, query.lookback)", ""),
    ),
    mutation(
        "a failed query ends the run",
        (Failures, "add", "if error.stops_run:", "if True:"),
    ),
    mutation(
        "a run with a failed query succeeds",
        (TapGenesysAggregates, "sync_all", "failed = self.failures.error()", "failed = None"),
    ),
    mutation(
        "the state of a failed query moves",
        (
            AggregateStream,
            "_sync_records",
            "self._run.failures.add(self.name, error)",
            (
                "loaded = Bookmark.read(self.stream_state, self.name); "
                "start = self.query.grid.floor(self._client.now()); "
                "window = type('Window', (), {'start': start, 'end': start})(); "
                "loaded.after(window, start, self.query.lookback).store(self.stream_state); "
                "self._run.failures.add(self.name, error)"
            ),
        ),
    ),
    mutation(
        "the definition of the query is not stored",
        (Bookmark, "write", "if self.query is not None:", "if False:"),
    ),
    mutation(
        "loaded_since is not stored",
        (Bookmark, "write", '("loaded_since", self.loaded_since),', ""),
    ),
    mutation(
        "the progress of an earlier stretch is not stored",
        (
            Bookmark,
            "after_earlier",
            "earlier=Window(self.earlier.start, window.end)",
            "earlier=Window(self.earlier.start, self.earlier.start)",
        ),
    ),
    mutation(
        "a start_date moved earlier is ignored",
        (Bookmark, "starting", "if first >= since:", "if True:"),
    ),
    mutation(
        "a start_date moved later hides what it skips",
        (
            Bookmark,
            "starting",
            "if is_empty or first > min(self.loaded_before",
            "if is_empty and first > min(self.loaded_before",
        ),
    ),
    mutation(
        "a changed query goes on without a word",
        (query_changes, "reconcile_query", 'query.on_change == "stop"', "False"),
    ),
    mutation(
        "another key goes on without a word",
        (query_changes, "reconcile_query", "if changes.key:", "if False:"),
    ),
    mutation(
        "a filter is no part of the definition",
        (query_changes, "definition", '"filter": query.filter,', ""),
    ),
    mutation(
        "a query with other rows is not loaded again",
        (
            query_changes,
            "reconcile_query",
            "return Bookmark(query=new, reload_before=again), [",
            "return replace(bookmark, query=new), [",
        ),
    ),
    mutation(
        "windows that were refused for their length stay long",
        (Puller, "_fetched", "if len(plain) == 1:", "if True:"),
    ),
    growth_mutation(
        "windows grow over history that has not settled",
        (pulling, "run_windows", "period.stop, query.span, shrunk)", "period.stop, query.span, grown)"),
    ),
    growth_mutation(
        "windows grow beyond max_window",
        (WindowGrowth, "limited", "min(length, self.maximum, *limits)", "min([length, *limits])"),
    ),
    growth_mutation(
        "windows that an earlier run let grow stay longer than max_window",
        (
            extractor,
            "growth_at_start",
            "growth.limited(_length(learnt.seconds) or plain)",
            "_length(learnt.seconds) or plain",
        ),
    ),
    growth_mutation(
        "windows that have grown end anywhere",
        (
            windows,
            "next_window",
            "max(end, boundaries.floor(limit)) if end <= limit else limit",
            "limit",
        ),
    ),
    growth_mutation(
        "a window ends within a day of 25 hours",
        (pulling, "run_windows", "None if plain <= length < 2 * plain else length", "length"),
    ),
    growth_mutation(
        "windows that have grown end where history has settled",
        (
            pulling,
            "run_windows",
            "windows.align(query.grid, query.span, period.settled)",
            "query.grid.floor(period.settled)",
        ),
    ),
    growth_mutation(
        "half of a split window counts as the whole",
        (_Task, "_completes", "return part.window", "return self.window"),
    ),
    growth_mutation(
        "half of the window of the last batch of users counts as the whole",
        (_Task, "_completes", " and part.window.end == self.window.end", ""),
    ),
    growth_mutation(
        "a window that is refused for its length loses its end",
        (Puller, "_fetched", "return [], plain", "return [], plain[:-1]"),
    ),
    growth_mutation(
        "a window of a length that was refused before loses its end",
        (Puller, "_known_not_to_work", "return plain", "return plain[:-1]"),
    ),
    growth_mutation(
        "a length that was refused is asked for again",
        (WindowGrowth, "after_refusal", "refused=refused, ", ""),
    ),
    growth_mutation(
        "a length that was refused is asked for again by the next run",
        (Learnt, "write", '"refused": self.refused,', ""),
    ),
    growth_mutation(
        "a length that was too large is asked for again",
        (WindowGrowth, "after_failure", "failed=failed, length=min(self.length, failed / 2), ", ""),
    ),
    growth_mutation(
        "all windows of a run have the stamp of the first",
        (
            Puller,
            "tasks",
            f"{_PLAN}        {_STAMP}",
            f"{_STAMP}    {_PLAN}",
        ),
    ),
    growth_mutation(
        "a window has the stamp of the moment in which it is written",
        (
            AggregateStream,
            "_pages",
            "self._part = part",
            "self._part = replace(part, stamp=part.stamp.of(self.query, self._client.now()))",
        ),
    ),
    mutation(
        "an error in a 200 is taken for an empty window",
        (results, "check_empty", "if unknown:", "if False:"),
        (group_tree, "check_empty", "if unknown:", "if False:"),
        (ResultsDialect, "read", "if response.error or response.errors:", "if False:"),
        (GroupTreeDialect, "read", "if response.error or response.errors:", "if False:"),
    ),
    mutation(
        "an answer with status 202 counts",
        (Transport, "_send", "(any_success and", "("),
    ),
    mutation(
        "a list that shifts is taken as it is",
        (LookupList, "_entries", "if not entries.changed and len(found) >= total:", "if True:"),
    ),
    mutation(
        "a tree that shifts is taken as it is",
        (extractor, "whole_tree", "if not problem:", "if True:"),
    ),
    mutation(
        "nobody found is a success",
        (UserBatches, "of", "if not ids:", "if False:"),
    ),
    mutation(
        "a statistic without a column is dropped",
        (rows, "_split", "json_text(others) if others else None", "None"),
    ),
    mutation(
        "a token is logged",
        (Transport, "_back_off", "attempts, wait, error)", "attempts, wait, self.credentials._token)"),
    ),
    mutation(
        "a run that SIGTERM ends exits with 0",
        (Termination, "deferred", "raise SystemExit(128 + self._signal)", "raise SystemExit(0)"),
    ),
    mutation(
        "SIGTERM does not end the run",
        (Termination, "deferred", "if self._signal is not None", "if False"),
    ),
    recheck_mutation(
        "the fingerprint ignores a metric",
        (extractor, "fingerprint", "if value is not None", 'if value is not None and metric[0] != "t"'),
    ),
    recheck_mutation(
        "the fingerprint depends on the order of rows",
        (extractor, "fingerprint", "total += ", "total = 31 * total + "),
    ),
    recheck_mutation(
        "a new fingerprint is stored before the rows are out",
        (
            Rechecks,
            "after_look",
            "changed = self.changed + 1 if known else self.changed",
            "changed, self = 0, replace(self, entries={**self.entries, stretch.name: entry})",
        ),
        (Rechecks, "write", "for each in self.rereads", "for each in ()"),
    ),
    recheck_mutation(
        "the old fingerprint is kept after a change",
        (Rechecks, "after_window", "{**self.entries, first.name: first.entry}", "self.entries"),
    ),
    recheck_mutation(
        "a month without a fingerprint counts as unchanged",
        (Rechecks, "after_look", "not known and is_fresh", "not known"),
    ),
    recheck_mutation(
        "months do not take turns",
        (Rechecks, "due", "each.name > self.last", "True"),
    ),
)


def seeds_until_caught(bug: Mutation, limit: int = MAX_SEEDS) -> tuple[int, str]:
    """Simulate seeds 0, 1, 2, … with a bug until a check fails.

    Args:
        bug: The bug.
        limit: How many seeds to try.

    Returns:
        The number of seeds that it took, 0 if no check failed; and the first check that failed.

    Raises:
        StaleMutationError: The mutated code uses something that does not exist, such as a name.
    """
    with bug.applied():
        for seed in range(limit):
            failures = bug.simulate(seed)
            if broken := _BROKEN.search("\n".join(failures)):  # nothing was caught then
                raise StaleMutationError(f"{bug.description}: {broken.group('error')}")
            if failures:
                return seed + 1, failures[0]
    return 0, ""


def recorded_seeds() -> dict[str, int]:
    """The table in the docs: the seeds that each mutation took; 0 where that is not a number."""
    table = _TABLE.search(PAGE.read_text("utf-8"))
    lines = table.group().splitlines()[2:] if table else []
    cells = [line.split(" | ") for line in lines]
    return {name.removeprefix("| "): int(seeds) if seeds.isdecimal() else 0 for name, seeds, *_ in cells}


def _try(number: int) -> tuple[int, str]:
    """Try one mutation; if it is stale, -1 seeds and the reason."""
    try:
        return seeds_until_caught(MUTATIONS[number])
    except StaleMutationError as error:
        return -1, str(error)


def _row(bug: Mutation, seeds: int, failure: str) -> str:
    seeds_text = {0: f"not in {MAX_SEEDS}", -1: "stale"}.get(seeds, str(seeds))
    return f"| {bug.description} | {seeds_text} | {_shorten(failure)} |\n"


def _shorten(failure: str) -> str:
    """A failed check without the names and instants of its seed."""
    line = failure.splitlines()[-1 if "Traceback" in failure else 0] if failure else ""
    text = re.sub(r"^run \d+ \(\w+\): |\bq\d(, window \S+)?: |\d{4}-\d\d-\d\dT\S+", "", line)
    return text.replace("|", "/")[:_MAX_LENGTH].strip()


def _report(outcomes: Iterable[tuple[int, str]]) -> bool:
    """Print the table as it grows, and write it into the docs; whether every mutation was caught."""
    began, missed, rows = time.monotonic(), 0, []
    sys.stdout.write(_TABLE_HEAD)
    for bug, (seeds, failure) in zip(MUTATIONS, outcomes, strict=True):
        missed += seeds <= 0
        rows.append(_row(bug, seeds, failure))
        sys.stdout.write(rows[-1])
        sys.stdout.flush()
    page = PAGE.read_text("utf-8")
    PAGE.write_text(_TABLE.sub(lambda _: _TABLE_HEAD + "".join(rows), page), "utf-8")
    seconds = time.monotonic() - began
    sys.stdout.write(f"\n{len(MUTATIONS) - missed} of {len(MUTATIONS)} caught, {seconds:.0f} s\n")
    return not missed


def main() -> None:
    """Try every mutation."""
    parser = argparse.ArgumentParser(prog="mutations", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="number of processes")
    args = parser.parse_args()
    with get_context("fork").Pool(args.jobs, maxtasksperchild=1) as pool:
        caught = _report(pool.imap(_try, range(len(MUTATIONS))))
    sys.exit(0 if caught else 1)


if __name__ == "__main__":
    main()
