"""``python -m tests.simulation.mutations``: bugs put in on purpose, and how many seeds it takes to see each.

Most are bugs that other connectors really had. Where a change of the tap makes one stale, the command says
so.
"""

from __future__ import annotations

import argparse
import sys
import time
from multiprocessing import get_context

from tap_genesys_aggregates.auth import ClientCredentials
from tap_genesys_aggregates.client import GenesysStream, LinkPaginator
from tap_genesys_aggregates.core import instants, windows
from tap_genesys_aggregates.core.bookmarks import Bookmark
from tap_genesys_aggregates.core.rows import RowMaker
from tap_genesys_aggregates.dialects.group_tree import GroupTreeDialect
from tap_genesys_aggregates.dialects.jobs import JobsDialect
from tap_genesys_aggregates.dialects.results import ResultsDialect
from tap_genesys_aggregates.pulling import Puller, _Work
from tap_genesys_aggregates.streams import AggregateStream
from tap_genesys_aggregates.termination import Termination
from tap_genesys_aggregates.transport import Transport
from tests.simulation.__main__ import lived
from tests.simulation.mutating import Mutation, StaleError, mutation

MOST_SEEDS = 200

_COMMIT = "self._commit(part.commits, now)"
_EMIT = "yield from part.pages"

MUTATIONS = (
    mutation(
        "the STATE goes out before the rows",
        (AggregateStream, "_pages", _EMIT, f"part.commits and {_COMMIT}; {_EMIT}"),
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
            "self._commit(part.commits if part.tally.rows else Window(start, start), now)",
        ),
    ),
    mutation(
        "an empty window commits nothing",
        (AggregateStream, "_pages", "if part.commits is not None:", "if part.commits and tally.rows:"),
    ),
    mutation(
        "the second page is skipped", (GenesysStream, "pages", "return found", "return found[:1] + found[2:]")
    ),
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
        (Puller, "whole", "for half in halves or ()", "for half in (halves or ())[:1]"),
    ),
    mutation(
        "a batch of users commits the window of all",
        (_Work, "_commits", "if self.last and", "if"),
    ),
    mutation(
        "a window that fails is passed over",
        (_Work, "__call__", "raise error.within(", "return []; raise error.within("),
    ),
    mutation(
        "there is no look-back",
        (
            Bookmark,
            "begin",
            "(self.loaded_before, self.final_before, now - lookback)",
            "(self.loaded_before,)",
        ),
    ),
    mutation(
        "after an outage, what had not settled before is not read again",
        (
            Bookmark,
            "begin",
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
    mutation("the qualifier is dropped", (ResultsDialect, "_long", "metric.qualifier or NOT_SET", "NOT_SET")),
    mutation("what is missing becomes 0", (RowMaker, "__init__", "each.name: None for", "each.name: 0 for")),
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
        (AggregateStream, "post_process", "self._distinct.check(row)", "self._distinct._seen.add(row.key)"),
    ),
    mutation(
        "a 401 is final",
        (Transport, "_authorized", "except TokenRefusedError:", "except TokenRefusedError:\n        raise"),
    ),
    mutation(
        "a refused token is sent again",
        (ClientCredentials, "refused", 'if authorization == f"Bearer {self._token}"', "if False"),
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
        (Transport, "_patiently", "(TransientError, UnreadableError),", "(TransientError,),"),
    ),
    mutation(
        "a time-out is not split",
        (Puller, "whole", "except (TooLargeError, SlowError) as error", "except TooLargeError as error"),
    ),
    mutation(
        "a link to another host is followed",
        (LinkPaginator, "get_next", "if _origin(link) != _origin(self._url)", "if False"),
    ),
    mutation(
        "a run that is told to end goes on",
        (Termination, "message", "if self._signal is not None", "if False"),
    ),
)


def caught(bug: Mutation, most: int = MOST_SEEDS) -> tuple[int, str]:
    """Live seeds with a bug in until it shows.

    Args:
        bug: The bug.
        most: Seeds to try.

    Returns:
        How many seeds it took, 0 if none saw it; and what was seen.
    """
    with bug.applied():
        for seed in range(most):
            wrong = lived(seed)[1]
            if wrong:
                return seed + 1, wrong[0]
    return 0, ""


def _tried(number: int) -> tuple[int, int, str]:
    """One mutation, in a process of its own."""
    try:
        return (number, *caught(MUTATIONS[number]))
    except StaleError as error:
        return number, -1, str(error)


def main() -> None:
    """Try every mutation, and print a table of how many seeds each took."""
    parser = argparse.ArgumentParser(prog="mutations", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    given = parser.parse_args()
    began, missed = time.monotonic(), 0
    sys.stdout.write("| bug | seeds | seen as |\n|---|---|---|\n")
    with get_context("fork").Pool(given.jobs) as pool:
        for number, seeds, seen in pool.imap(_tried, range(len(MUTATIONS))):
            missed += seeds <= 0
            took = {0: f"not in {MOST_SEEDS}", -1: "stale"}.get(seeds, str(seeds))
            what = seen.splitlines()[-1 if "Traceback" in seen else 0][:110] if seen else ""
            sys.stdout.write(f"| {MUTATIONS[number].says} | {took} | {what.replace('|', '/')} |\n")
            sys.stdout.flush()
    sys.stdout.write(f"\n{len(MUTATIONS) - missed} of {len(MUTATIONS)}, {time.monotonic() - began:.0f} s\n")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
