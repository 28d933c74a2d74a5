"""A backfill beside daily runs: where it has to end.

Daily runs read recent history again. If a backfill reads the same buckets at the same time, either may store
its rows last, while the ledger says that the other read later: the views then take the rows for stale.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.windows import align

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tap_genesys_aggregates.core.query import Query

_BETWEEN_RUNS = timedelta(days=2)
"""A daily run goes on from where the lookback of the run before it began, which was up to two days ago."""


def overlap(
    queries: Sequence[Query], *, start_date: datetime, end_date: datetime | None, now: datetime
) -> str | None:
    """Warn of an ``end_date`` that leaves days to read which daily runs read again.

    Args:
        queries: The queries of this run.
        start_date: The first instant wanted at all.
        end_date: Exclusive end of what is wanted, or None for everything up to now.
        now: The instant of the run.

    Returns:
        The warning, on one line; None if no query's lookback reaches back before ``end_date``.
    """
    inside = [query for query in queries if end_date is not None and end_date > now - query.lookback]
    if end_date is None or not inside:
        return None
    names = ", ".join(query.name for query in inside)
    safe = min(align(query.grid, query.span, now - query.lookback - _BETWEEN_RUNS) for query in queries)
    way = (
        f"set end_date to {instants.text(safe)} or earlier"
        if safe > start_date
        else "leave the backfill out, because the daily runs read everything since start_date"
    )
    return (
        f"end_date {instants.text(end_date)} lies inside the lookback of {names}. If this is a backfill "
        "beside daily runs, both read the last days, and rows that both load at the same time can be missing "
        f"from the views: {way}"
    )
