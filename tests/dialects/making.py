"""Queries, windows and rows for the tests of the wire formats."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from tap_genesys_aggregates.core.periods import Period
from tap_genesys_aggregates.core.query import Query
from tap_genesys_aggregates.core.rows import RowMaker, Stamp, UniqueKeys
from tap_genesys_aggregates.core.windows import Window
from tap_genesys_aggregates.dialects import dialect_of

if TYPE_CHECKING:
    from tap_genesys_aggregates.core.rows import Row
    from tap_genesys_aggregates.dialects.protocol import Dialect

STAMP = Stamp("2030-01-08T00:00:00.000Z", "2030-01-01T00:00:00.000Z")

TREE = Query(
    name="tree",
    api="group_tree",
    path="/api/v2/analytics/conversations/aggregate/query",
    group_by=("interval", "routing.queue.id"),
    metrics=("conversationCount", "handleDurationSum"),
    granularity=Period.parse("PT1H"),
    window=Period.parse("P1D"),
    lookback=timedelta(days=7),
    zone=ZoneInfo("UTC"),
    anchor=date(2023, 11, 1),
)
RESULTS = replace(
    TREE,
    name="calls",
    api="results",
    path="/api/v2/analytics/conversations/aggregates/query",
    endpoint="conversations",
    group_by=("queueId",),
    metrics=("nOffered", "tHandle"),
)


def tree(*group_by: str, **changes: object) -> Query:
    """A query of the group-tree contract, grouped by these names."""
    return replace(TREE, group_by=group_by, **changes)  # type: ignore[arg-type]


def results(**changes: object) -> Query:
    """A query of the results contract; by default calls by queue and hour."""
    return replace(RESULTS, **changes)  # type: ignore[arg-type]


def window(start: str = "2023-11-01T00:00:00", end: str = "2023-11-02T00:00:00") -> Window:
    """A window; by default the first of November."""
    return Window(*(datetime.fromisoformat(each).replace(tzinfo=timezone.utc) for each in (start, end)))


def hour(number: int) -> str:
    """An hour of the first of November, as 24 characters."""
    return f"2023-11-{1 + number // 24:02d}T{number % 24:02d}:00:00.000Z"


def body(answer: object) -> bytes:
    """An answer as it comes over the wire; bytes are taken as they are."""
    return answer if isinstance(answer, bytes) else json.dumps(answer).encode()


def leaf_by_leaf(query: Query) -> Dialect:
    """The dialect of a query as it reads what is not plain."""
    dialect = dialect_of(query)
    dialect._blocks._plain = False  # type: ignore[attr-defined]  # noqa: SLF001
    return dialect


def rows(query: Query, *answers: object, of: Window | None = None) -> list[Row]:
    """The rows that a window's answers make, without the columns that say when it was asked for.

    Whatever is read column by column is read leaf by leaf too: the rows must be the same to the letter.
    """
    dialect, slow, maker, distinct = (
        dialect_of(query),
        leaf_by_leaf(query),
        RowMaker(query),
        UniqueKeys(query),
    )
    found = []
    for answer in answers:
        page = dialect.read(body(answer), of or window())
        made = []
        for leaf in page.leaves:
            distinct.check(leaf)
            made.append(maker.row(leaf, STAMP))
        if page.block is not None:
            again = slow.read(body(answer), of or window())
            assert again.next == page.next
            assert [maker.row(leaf, STAMP) for leaf in again.leaves] == made
            assert [msgspec.to_builtins(each) for each in maker.rows(page.block, STAMP)] == made
        found += made
    for row in found:
        assert (row.pop("extracted_at"), row.pop("is_final")) == (STAMP.extracted_at, True)
    return found
