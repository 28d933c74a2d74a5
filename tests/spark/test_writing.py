"""Writing to Parquet and reading back, as docs/many-organizations.md advises."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from genesys_sandbox import Options
from tests.pipeline.running import multiset
from tests.spark.organizations import organizations, reader, rows, rows_of_taps

if TYPE_CHECKING:
    from pathlib import Path

DEAD = "http://127.0.0.1:9"

pytestmark = pytest.mark.slow


def test_what_was_written_to_parquet_is_what_the_tap_reads(spark: Any, tmp_path: Path) -> None:
    with organizations() as served:
        frame = reader(spark, served).load("calls")
        frame.write.parquet(str(tmp_path / "calls"))
        requests = [len(each.sandbox.log) for each in served]
        back = spark.read.parquet(str(tmp_path / "calls"))
        assert back.dtypes == frame.dtypes
        assert [each.sandbox.log[requests[number] :] for number, each in enumerate(served)] == [[], []]
        assert multiset(rows(back)) == multiset(rows_of_taps(served))


def test_a_row_that_is_gone_goes_when_its_stretch_is_replaced(spark: Any, tmp_path: Path) -> None:
    place = str(tmp_path / "calls")
    with organizations() as before:
        reader(spark, before).load("calls").write.parquet(place)
    with organizations(Options(volume=0.05)) as now:
        reader(spark, now).load("calls").write.mode("overwrite").parquet(place)
        assert len(rows_of_taps(now)) < len(rows_of_taps(before))
        assert multiset(rows(spark.read.parquet(place))) == multiset(rows_of_taps(now))


def test_a_stretch_whose_job_failed_is_empty_until_the_job_runs_again(spark: Any, tmp_path: Path) -> None:
    months = [tmp_path / "month=2026-02", tmp_path / "month=2026-03"]
    with organizations() as served:
        for month in months:
            reader(spark, served).load("calls").write.parquet(str(month))
        partly = reader(spark, [served[0], replace(served[1], url=DEAD)], max_retries="0").load("calls")
        with pytest.raises(Exception, match=r"organization 'globex': .* refused the connection"):
            partly.write.mode("overwrite").parquet(str(months[1]))
        assert [*months[1].glob("*.parquet")] == []
        assert multiset(rows(spark.read.parquet(str(months[0])))) == multiset(rows_of_taps(served))
        reader(spark, served).load("calls").write.mode("overwrite").parquet(str(months[1]))
        assert multiset(rows(spark.read.parquet(str(months[1])))) == multiset(rows_of_taps(served))
