"""A Spark session on this machine, against sandboxes over sockets."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tests.pipeline.running import multiset
from tests.spark.organizations import SECRETS, Organization, organizations, reader, rows, rows_of_taps

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def served() -> Iterator[list[Organization]]:
    with organizations() as found:
        yield found


def test_spark_finds_it_and_reads_the_rows_of_every_organization(
    spark: Any, served: list[Organization]
) -> None:
    found = rows(reader(spark, served).load("calls"))
    assert {row["organization"] for row in found} == {"acme", "globex"}
    assert multiset(found) == multiset(rows_of_taps(served))


def test_an_instant_is_the_same_in_any_time_zone_of_the_session(
    spark: Any, served: list[Organization]
) -> None:
    frame = reader(spark, served).load("calls").selectExpr("min(unix_millis(interval_start)) AS first")
    first = min(str(row["interval_start"]) for row in rows_of_taps(served))
    assert datetime.fromtimestamp(frame.collect()[0]["first"] / 1000, timezone.utc) == datetime.fromisoformat(
        first.replace("Z", "+00:00")
    )


def test_the_ledger_of_the_same_plan_covers_it(spark: Any, served: list[Organization]) -> None:
    ledger = rows(reader(spark, served).load("extractions"))
    assert {(row["organization"], row["query"]) for row in ledger} == {("acme", "calls"), ("globex", "calls")}
    assert sum(row["row_count"] for row in ledger) == len(rows_of_taps(served))
    windows = sorted(
        (row["window_start"], row["window_end"]) for row in ledger if row["organization"] == "acme"
    )
    assert windows[0][0] == "2026-03-02T00:00:00.000Z"
    assert windows[-1][1] == "2026-03-12T05:00:00.000Z"
    assert all(one[1] == next_one[0] for one, next_one in pairwise(windows))


def test_an_organization_that_fails_is_named_with_the_message_of_the_tap(
    spark: Any, served: list[Organization]
) -> None:
    acme, globex = served
    with pytest.raises(Exception, match="organization 'globex'") as caught:
        reader(spark, [acme, replace(globex, url=acme.url)]).load("calls").collect()
    shown = str(caught.value)
    assert "that the OAuth client uses the grant type Client Credentials" in shown
    assert not [secret for secret in SECRETS.values() if secret in shown]


def test_a_mistake_fails_before_any_request(spark: Any, served: list[Organization]) -> None:
    with pytest.raises(Exception, match="lookback_days must be a number from 0 to 3660, not 'a week'"):
        reader(spark, served, lookback_days="a week").load("calls")
    assert [each.sandbox.log for each in served] == [[], []]


def test_a_period_without_a_bucket_is_an_empty_table(spark: Any, served: list[Organization]) -> None:
    tomorrow = (datetime.now(timezone.utc) + timedelta(days=1)).isoformat()
    assert reader(spark, served, start_date=tomorrow).load("calls").count() == 0
