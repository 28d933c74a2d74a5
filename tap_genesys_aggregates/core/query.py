"""A query: one stream, one table, one kind of request."""

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

INTERVAL = "interval"
"""The name by which a group-tree query asks for buckets in its ``groupBy``."""


@dataclass(frozen=True, slots=True)
class View:
    """A range over a timer, counted apart (``rangeBound``): ``gte <= value < lt`` milliseconds."""

    name: str
    target: str
    wire: Mapping[str, object] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Query:
    """What a user asks for, checked and complete.

    Fields are those of the settings contract; names of dimensions and metrics are in the API's own
    spelling. ``extra`` holds what is sent as it is (``queryType``, ``sortMetric``, …) under the
    names of the wire. ``unasked`` are dimensions that the API may send without being asked;
    ``qualified`` says that its metrics come once per status; ``statistics`` overrides which
    statistics a metric brings.
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
    unasked: tuple[str, ...] = ()
    qualified: bool = False
    page_size: int = 25
    mode: Mode = "sync"
    jobs_path: str | None = None
    statistics: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    @property
    def grid(self) -> Grid:
        """Where its buckets begin."""
        return Grid(self.granularity, self.zone, self.anchor)

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The dimensions of a row, in the order of its key columns."""
        asked = tuple(name for name in self.group_by if self.api == "results" or name != INTERVAL)
        return (*asked, *(name for name in self.unasked if name not in asked))

    @property
    def span(self) -> Period:
        """The longest stretch of one request.

        Without an interval level a tree has one row a group for the whole window, so there the
        window is the bucket.
        """
        bucketless = self.api == "group_tree" and INTERVAL not in self.group_by
        return self.granularity if bucketless else self.window


def column(name: str) -> str:
    """A name of the API as a column: ``queueId`` and ``routing.queue.id`` as snake case.

    Args:
        name: A dimension, metric or view.

    Returns:
        ``queue_id``, ``routing_queue_id``, ``t_handle``, ``handle_duration_sum``, …
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+", "_", name)
    return re.sub(r"_+", "_", words).strip("_").lower()
