"""``python -m tests.simulation.mutations``: bugs put in on purpose, and how many seeds it takes to see each.

Most are bugs that other connectors really had. The table goes into ``docs/simulation.md``. Where a change of
the tap makes one stale, the command says so, and so does a test.
"""

from __future__ import annotations

import argparse
import sys
from multiprocessing import get_context

from tap_genesys_aggregates.auth import ClientCredentials
from tap_genesys_aggregates.client import Client, LinkPaginator
from tap_genesys_aggregates.core import instants, windows
from tap_genesys_aggregates.core.bookmarks import Bookmark
from tap_genesys_aggregates.core.rows import RowMaker, UniqueKeys
from tap_genesys_aggregates.dialects.group_tree import GroupTreeDialect
from tap_genesys_aggregates.dialects.group_tree_block import GroupTreeBlocks
from tap_genesys_aggregates.dialects.results import ResultsDialect
from tap_genesys_aggregates.dialects.results_block import ResultsBlocks
from tap_genesys_aggregates.dialects.results_jobs import JobsDialect
from tap_genesys_aggregates.extract.async_jobs import _JobRun
from tap_genesys_aggregates.extract.extractor import Extractor
from tap_genesys_aggregates.extract.pulling import Puller, _Task
from tap_genesys_aggregates.http.transport import Transport
from tap_genesys_aggregates.singer.termination import Termination
from tap_genesys_aggregates.streams import AggregateStream
from tests.simulation.catching import attempt, tell
from tests.simulation.mutating import mutation

_COMMIT = "self._commit(part.completes, now)"
_EMIT = "yield from part.pages"

MUTATIONS = (
    mutation(
        "the STATE goes out before the rows",
        (AggregateStream, "_pages", _EMIT, f"part.completes and {_COMMIT}; {_EMIT}"),
    ),
    mutation(
        "the ledger's line comes after the STATE",
        (AggregateStream, "_pages", "self._ledger.record(", f"{_COMMIT}; self._ledger.record("),
    ),
    mutation(
        "the bookmark is the last row's, not the window's end",
        (
            AggregateStream,
            "_pages",
            _COMMIT,
            "self._commit(part.completes if part.usage.rows else Window(start, start), now)",
        ),
    ),
    mutation(
        "an empty window commits nothing",
        (AggregateStream, "_pages", "if part.completes is not None:", "if part.completes and usage.rows:"),
    ),
    mutation("the second page is skipped", (Client, "pages", "return found", "return found[:1] + found[2:]")),
    mutation(
        "an empty page counts as the last",
        (
            GroupTreeDialect,
            "read",
            "answer.links.next if answer.links",
            "answer.links.next if answer.entities",
        ),
    ),
    mutation("a job's cursor is ignored", (JobsDialect, "read_page", ".cursor or None", ".cursor and None")),
    mutation(
        "the bucket that is still filling is read",
        (windows, "plan", "grid.floor(start), grid.floor(stop)", "grid.floor(start), grid.ceil(stop)"),
    ),
    mutation(
        "windows begin a bucket late",
        (windows, "plan", "start = window.end", "start = grid.following(window.end)"),
    ),
    mutation(
        "the last bucket of a window is left out",
        (windows, "halves", "Window(middle, window.end)", "Window(grid.following(middle), window.end)"),
    ),
    mutation(
        "a split loses its second half",
        (Puller, "pull", "for half in halves or ()", "for half in (halves or ())[:1]"),
    ),
    mutation(
        "a batch of users commits the window of all",
        (_Task, "_completes", "if self.last and", "if"),
    ),
    mutation(
        "a window that fails is passed over",
        (_Task, "__call__", "raise error.within(", "return []; raise error.within("),
    ),
    mutation(
        "there is no look-back",
        (
            Bookmark,
            "next_start",
            "(self.loaded_before, self.final_before, now - lookback)",
            "(self.loaded_before,)",
        ),
    ),
    mutation(
        "after an outage, what had not settled before is not read again",
        (
            Bookmark,
            "next_start",
            "(self.loaded_before, self.final_before, now - lookback)",
            "(self.loaded_before, now - lookback)",
        ),
    ),
    mutation(
        "final_before moves past what may still change",
        (Bookmark, "after", "min(window.end, now - lookback)", "window.end"),
    ),
    mutation(
        "the bookmark may go backwards",
        (Bookmark, "after", "max(window.end, self.loaded_before or window.end)", "window.end"),
    ),
    mutation(
        "only data[0] is read",
        (ResultsDialect, "_leaves", "in result.data or ()", "in (result.data or ())[:1]"),
    ),
    mutation(
        "only data[0] of a plain answer is read",
        (ResultsBlocks, "read", "result.data or ()", "(result.data or ())[:1]"),
    ),
    mutation(
        "only the first entity of a plain page is read",
        (GroupTreeBlocks, "read", "answer.entities or ()", "(answer.entities or ())[:1]"),
    ),
    mutation("the qualifier is dropped", (ResultsDialect, "_long", "metric.qualifier or NOT_SET", "NOT_SET")),
    mutation("what is missing becomes 0", (RowMaker, "__init__", "each.name: None for", "each.name: 0 for")),
    mutation(
        "what is missing in a plain answer becomes 0",
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
    mutation("offsets are ignored", (instants, "parse", ' - _offset(match["zone"])', "")),
    mutation(
        "a row that comes twice is written twice",
        (UniqueKeys, "check", "if key not in self._seen:", "if True:"),
    ),
    mutation(
        "a row that comes twice in plain answers is written twice",
        (UniqueKeys, "check_block", "len(keys) == len(block) and self._seen.isdisjoint(keys)", "True"),
    ),
    mutation(
        "a 401 is final",
        (
            Transport,
            "_send_authorized",
            "except TokenRefusedError:",
            "except TokenRefusedError:\n        raise",
        ),
    ),
    mutation(
        "a refused token is sent again",
        (ClientCredentials, "invalidate", 'if authorization == f"Bearer {self._token}"', "if False"),
    ),
    mutation(
        "a token is never renewed before its end",
        (ClientCredentials, "token", "or self._clock() >= self._renew_at", ""),
    ),
    mutation(
        "Retry-After is not heeded", (Transport, "_back_off", "wait = error.retry_after if", "wait = None if")
    ),
    mutation(
        "what cannot be read is not asked for again",
        (Transport, "_with_retries", "(TransientError, UnreadableError),", "(TransientError,),"),
    ),
    mutation(
        "a time-out is not split",
        (Puller, "pull", "except (TooLargeError, SlowError) as error", "except TooLargeError as error"),
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
        "only the first batch of users is asked for",
        (Extractor, "batches", ".of(self.query)", ".of(self.query)[:1]"),
    ),
    mutation(
        "a job that failed is not handed in again",
        (_JobRun, "pages", "range(1, SUBMISSIONS + 1)", "range(1, 2)"),
    ),
    mutation(
        "a token is logged",
        (Transport, "_back_off", "attempts, wait, error)", "attempts, wait, self.credentials._token)"),
    ),
    mutation(
        "a run that was told to end exits as if all were well",
        (Termination, "deferred", "raise SystemExit(128 + self._signal)", "raise SystemExit(0)"),
    ),
    mutation(
        "a run that is told to end goes on",
        (Termination, "deferred", "if self._signal is not None", "if False"),
    ),
)


def _attempt(number: int) -> tuple[int, str]:
    """One mutation, in a process of its own."""
    return attempt(MUTATIONS[number])


def main() -> None:
    """Try every mutation, and print a table of how many seeds each took, into the docs too."""
    parser = argparse.ArgumentParser(prog="mutations", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    given = parser.parse_args()
    with get_context("fork").Pool(given.jobs, maxtasksperchild=1) as pool:
        well = tell(MUTATIONS, pool.imap(_attempt, range(len(MUTATIONS))))
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
