"""A query: what one stream asks the API for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tap_genesys_aggregates.core.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, timedelta
    from zoneinfo import ZoneInfo

    from tap_genesys_aggregates.core.periods import Period

Api = Literal["results", "group_tree"]
Shape = Literal["wide", "long"]
Mode = Literal["sync", "async"]
OnQueryChange = Literal["stop", "continue", "reload"]

VIEW_KINDS = ("by_day", "current", "missing")
"""What the names of a query's views in the warehouse end with, after its own name."""
USERS_PER_REQUEST = 100
"""Users that one request of the family ``users`` may name (docs/api-notes.md, "Results: users")."""
INTERVAL = "interval"
"""The level of a group-tree query's ``groupBy`` that asks for buckets."""


@dataclass(frozen=True, slots=True)
class View:
    """A range of a timer with statistics of its own (``rangeBound``): ``gte <= value < lt`` milliseconds."""

    name: str
    target: str
    wire: Mapping[str, object] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Query:
    """A query with all defaults filled in, checked against what its family accepts.

    Names of dimensions and metrics are in the API's own spelling.

    Attributes:
        name: The stream's name.
        api: The API it is for.
        path: Where it is posted.
        group_by: Dimensions to group by.
        metrics: Metrics to ask for; at least one.
        granularity: Length of a bucket.
        window: Length of the period that one request covers, to begin with.
        lookback: How far back from now every run reads again.
        zone: The time zone of its buckets.
        anchor: Local date from which multiples of days and weeks are counted.
        endpoint: The family, or None for a path that this version does not know.
        shape: ``wide`` (a column per metric and statistic) or ``long`` (a row per metric).
        filter: Sent unchanged.
        views: Ranges of timers with statistics of their own.
        extra: Further fields of the request body, sent unchanged under the API's names.
        implicit_dimensions: Dimensions that the API may add to its groups without being asked.
        qualified: Whether its metrics come once per status, as ``qualifier``.
        page_size: Rows per page.
        mode: ``sync`` (a request per window) or ``async`` (a job per window).
        jobs_path: Where jobs are submitted, if the family has them.
        recheck_requests: How many settled months a run looks at again (``core/rechecks.py``).
        is_coarse: Whether each window is one bucket, whatever ``granularity`` says.
        on_change: What a run does if the query is no longer the one that its state was written for.
        statistics: Metric or view → statistics, where the user knows better than ``core/statistics.py``.
        organization: Whose rows these are, as the first column of the key; None if there is no such column.
    """

    name: str
    api: Api
    path: str
    group_by: tuple[str, ...]
    metrics: tuple[str, ...]
    granularity: Period
    window: Period
    lookback: timedelta
    zone: ZoneInfo
    anchor: date
    endpoint: str | None = None
    shape: Shape = "wide"
    filter: Mapping[str, object] | None = field(default=None, hash=False)
    views: tuple[View, ...] = ()
    extra: Mapping[str, object] = field(default_factory=dict, hash=False)
    implicit_dimensions: tuple[str, ...] = ()
    qualified: bool = False
    page_size: int = 25
    mode: Mode = "sync"
    jobs_path: str | None = None
    on_change: OnQueryChange = "stop"
    recheck_requests: int = 0
    is_coarse: bool = False
    statistics: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    organization: str | None = None

    @property
    def grid(self) -> Grid:
        """Where its buckets begin."""
        return Grid(self.granularity, self.zone, self.anchor, api_knows_zone=self.api == "results")

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The dimensions of a row, in the order of its key columns."""
        requested = tuple(name for name in self.group_by if self.api == "results" or name != INTERVAL)
        return (*requested, *(name for name in self.implicit_dimensions if name not in requested))

    @property
    def span(self) -> Period:
        """The length of a window before it grows.

        A group tree without an interval level has one row per group for the whole window, so there
        a window must be exactly one bucket.
        """
        return self.granularity if self._is_bucketless else self.window

    @property
    def names_users(self) -> bool:
        """Whether its requests must name the users they ask about."""
        return self.endpoint == "users" and not self.filter

    @property
    def is_ranked(self) -> bool:
        """Whether it asks for the first or last groups only (topN, bottomN)."""
        return self.extra.get("queryType", "groupBy") != "groupBy"

    @property
    def rows_depend_on_window(self) -> bool:
        """Whether a window of another length would give other rows, so that windows must not change.

        A ranked query ranks within its window, and a tree without intervals counts over all of it.
        """
        return self.is_ranked or self._is_bucketless

    @property
    def _is_bucketless(self) -> bool:
        return self.api == "group_tree" and INTERVAL not in self.group_by


def column(name: str) -> str:
    """The column name for a name of the API: ``queueId`` and ``routing.queue.id`` in snake case.

    Args:
        name: A dimension, metric or view.

    Returns:
        ``queue_id``, ``routing_queue_id``, ``t_handle``, ``handle_duration_sum``, …
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+", "_", name)
    return re.sub(r"_+", "_", words).strip("_").lower()
