"""Extracts one query: its windows, its pages, its rows. It needs a client, not a Tap."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING

from tap_genesys_aggregates.core.bookmarks import RunPeriod
from tap_genesys_aggregates.core.errors import TapError
from tap_genesys_aggregates.core.rechecks import coarse, fingerprint
from tap_genesys_aggregates.core.rows import RowMaker, UniqueKeys
from tap_genesys_aggregates.core.window_growth import growth_at_start
from tap_genesys_aggregates.core.windows import Window
from tap_genesys_aggregates.dialects import dialect_of
from tap_genesys_aggregates.dialects.protocol import WindowRequest
from tap_genesys_aggregates.extract.async_jobs import AsyncJobs
from tap_genesys_aggregates.extract.prefetch import in_order
from tap_genesys_aggregates.extract.pulling import Puller, place
from tap_genesys_aggregates.extract.split_groups import merged
from tap_genesys_aggregates.extract.whole_trees import whole_tree
from tap_genesys_aggregates.http.errors import BadRequestError, SlowError, TooLargeError
from tap_genesys_aggregates.http.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from tap_genesys_aggregates.client import Client
    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.rows import Leaf, Row
    from tap_genesys_aggregates.core.window_growth import Learnt
    from tap_genesys_aggregates.dialects.protocol import Page
    from tap_genesys_aggregates.extract.pulling import WindowPart
    from tap_genesys_aggregates.extract.user_batches import UserBatches

_LOGGER = logging.getLogger("tap-genesys-aggregates")


class Extractor:
    """Asks for the windows of one query and makes rows of the answers.

    The aggregate stream, ``--test`` and ``reconcile`` all read through one of these.
    """

    def __init__(self, query: Query, client: Client, users: UserBatches) -> None:
        """Prepare; no request is sent yet.

        Args:
            query: What to extract.
            client: Sends the requests.
            users: The users to ask about, for families that must name them.
        """
        self.query = query
        self.client = client
        self.row_maker = RowMaker(query)
        self._dialect = dialect_of(query)
        self._users = users
        self._jobs = AsyncJobs(query, client.send, client.clock) if query.mode == "async" else None

    def open(self) -> AbstractContextManager[object]:
        """A context to extract in: on leaving it, no asynchronous job is left running."""
        return self._jobs or nullcontext()

    def puller(self, learnt: Learnt | None = None, now: datetime | None = None) -> Puller:
        """A puller of this query's windows.

        Args:
            learnt: What earlier runs have learnt about their length, if anything.
            now: The instant of the run; needed if there is something.
        """
        client = self.client
        longest = client.settings.max_window
        growth = growth_at_start(self.query, longest, learnt, now)
        return Puller(self.query, self.pages, client.clock, longest, growth, self.batches)

    def pull(self, puller: Puller, period: RunPeriod) -> Iterator[list[WindowPart]]:
        """Pull a period, ahead and in order.

        Args:
            puller: Plans the windows.
            period: What to read.

        Yields:
            The parts of each window, or of each batch of users in it.

        Raises:
            TapError: A window could not be pulled; everything before it was yielded.
        """
        workers = self.client.settings.concurrency
        return in_order(puller.tasks(period), workers, ahead=2 * workers, has_room=puller.has_room)

    def read(
        self,
        puller: Puller,
        period: RunPeriod,
        report: Callable[[Iterator[list[WindowPart]]], Iterator[list[WindowPart]]] = iter,
    ) -> Iterator[WindowPart]:
        """Read a period, window by window; small answers let its later windows grow.

        Args:
            puller: Plans the windows.
            period: What to read.
            report: Is given what is pulled and passes it on, to report progress.

        Yields:
            The parts of each window in order, with pages in which no two rows have the same key. The usage
            of a part is what its window has cost so far.

        Raises:
            TapError: A window could not be read; everything before it was yielded.
        """
        unique, usage = UniqueKeys(self.query), Usage()
        for parts in report(self.pull(puller, period)):
            for part in parts:
                try:
                    pages = merged(part.pages, unique)
                except TapError as error:
                    raise error.within(place(self.query, part.window)) from None
                part.usage.rows = unique.rows - usage.rows
                puller.learn(part)
                usage.add(part.usage)
                yield replace(part, pages=pages, usage=usage)
                if part.completes is not None:
                    unique, usage = UniqueKeys(self.query), Usage()

    def made(self, part: WindowPart, leaves: Iterable[Leaf], maker: RowMaker | None = None) -> list[Row]:
        """Make rows of leaves of a part.

        Args:
            part: The part.
            leaves: Its leaves, or some of them.
            maker: Makes the rows, if they are to have other columns than the query's table.

        Raises:
            TapError: A leaf does not fit the table; the message names the window.
        """
        maker = maker or self.row_maker
        try:
            return [maker.row(leaf, part.stamp) for leaf in leaves]
        except TapError as error:
            raise error.within(place(self.query, part.window)) from None

    def pages(self, request: WindowRequest, usage: Usage) -> list[Page]:
        """Every page of a window, from a job if the query is asynchronous.

        Raises:
            TapError: A page could not be fetched or read.
        """
        if self._jobs is not None:
            return self._jobs.pages(request, usage)
        return whole_tree(lambda: self.client.pages(self._dialect, request, usage))

    def batches(self) -> list[tuple[str, ...]]:
        """The batches of users to ask about (``UserBatches.of``)."""
        return self._users.of(self.query)

    def rows(self, start: datetime, stop: datetime) -> Iterator[Row]:
        """Read a settled period without a stream: nothing is emitted and no state moves.

        Args:
            start: First instant; the bucket that contains it is read whole.
            stop: Exclusive end.

        Yields:
            Its rows.

        Raises:
            TapError: They could not be read.
        """
        with self.open():
            for part in self.read(self.puller(), RunPeriod(start, stop, stop)):
                yield from self.made(part, chain.from_iterable(page.leaves for page in part.pages))

    def fingerprint(self, window: Window) -> str | None:
        """Ask for a period in a single bucket: a fingerprint of the answer.

        Args:
            window: The period.

        Returns:
            The fingerprint; None if the platform cannot answer for so long a period at once.

        Raises:
            TapError: The platform could not be asked, or answered with a metric that was not asked for.
        """
        query = coarse(self.query)
        asking = Extractor(query, self.client, self._users)
        unique, usage = UniqueKeys(query), Usage()
        found: list[Page] = []
        try:
            with asking.open():
                for users in asking.batches():
                    pages = asking.pages(WindowRequest(window, users, divisible=False), usage)
                    found += merged(pages, unique)
            leaves = [*chain.from_iterable(page.leaves for page in found)]
            for leaf in leaves:
                asking.row_maker.check_metrics(leaf)
        except (TooLargeError, SlowError, BadRequestError) as error:
            _LOGGER.info("query %r: %s cannot be asked for at once: %s", query.name, window, error.what)
            return None
        except TapError as error:
            if not error.stops_run:
                error.advice += (
                    ". Everything else of this query was loaded; if that keeps happening, set "
                    "recheck_requests: 0 on it, and settled months are no longer checked"
                )
            raise error.within(f"query {query.name!r}, window {window}, in a single bucket") from None
        return fingerprint(query, leaves)

    def probe(self) -> int:
        """Ask for the last complete bucket, to find out whether the query works.

        Returns:
            The number of rows in it.

        Raises:
            TapError: The query does not work.
        """
        settings, grid, now = self.client.settings, self.query.grid, self.client.now()
        end = grid.floor(min(now, settings.end_date or now))
        window = Window(grid.floor(end - timedelta(milliseconds=1)), end)
        pages = self.pages(WindowRequest(window, self.batches()[0], divisible=False), Usage())
        return sum(1 for page in pages for _ in page.leaves)
