"""What Spark writes, shows and sends has no secret in it; each organization is asked by its own client."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyspark
import pytest

from genesys_sandbox import Options
from tap_genesys_aggregates.spark.data_source import GenesysAggregatesDataSource
from tests.pipeline.running import multiset
from tests.spark.organizations import CALLS, SECRETS, organizations, reader, rows, rows_of_taps
from tests.spark.sessions import session

if TYPE_CHECKING:
    from tests.spark.organizations import Organization

pytestmark = pytest.mark.slow

_WORK = Path(pyspark.__file__).parent / "work"
"""Where the executors of ``local-cluster`` write what they print."""


def all_text(folder: Path) -> str:
    """All that is in the files of a folder."""
    files = [each for each in folder.rglob("*") if each.is_file()]
    assert files, f"there is nothing in {folder}"
    return "\n".join(each.read_bytes().decode(errors="replace") for each in files)


def pickled_tasks(served: list[Organization]) -> bytes:
    """The partitions as they travel to executors."""
    entries = json.dumps([each.entry for each in served])
    options = {"organizations": entries, "queries": json.dumps([CALLS]), "start_date": "2026-03-02"}
    source = GenesysAggregatesDataSource({**options, "api": "results", "path": "calls"})
    return pickle.dumps(source.reader(source.schema()).partitions())


def test_no_secret_is_shown_written_or_sent_with_a_task(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a cluster, with references: in plan, event log, output of all processes, tasks and an error."""
    other = "a-secret-in-the-environment-1234"
    monkeypatch.setenv("TAP_GENESYS_AGGREGATES_CLIENT_SECRET", other)
    events = tmp_path / "events"
    events.mkdir()
    settings: dict[str, Any] = {"spark_eventLog_enabled": "true", "spark_eventLog_dir": events.as_uri()}
    shown = []
    with (
        session("local-cluster[2,1,1024]", spark_executor_memory="1g", **settings) as spark,
        organizations(Options(volume=0.2)) as served,
    ):
        spark.sparkContext.setLogLevel("INFO")
        frame = reader(spark, served).load("calls")
        frame.explain("extended")
        found = rows(frame)
        for each in served:
            assert {entry.status for entry in each.sandbox.log} == {200}, "each client was used at home alone"
        acme, globex = served
        with pytest.raises(Exception, match="organization 'globex'") as caught:
            reader(spark, [acme, replace(globex, url=acme.url)]).load("calls").collect()
        shown += [str(caught.value), pickled_tasks(served).decode(errors="replace")]
        work = _WORK / spark.sparkContext.applicationId
        assert multiset(found) == multiset(rows_of_taps(served))
    printed = capfd.readouterr()
    shown += [printed.out, printed.err, all_text(events), all_text(work)]
    for secret in (*SECRETS.values(), other):
        assert not [text for text in shown if secret in text]
    assert "ACME_SECRET" in shown[1], "the task says where the secret is"


def test_a_literal_secret_travels_with_the_task() -> None:
    """Which is why the docs ask for references. So the search above finds what is there."""
    with organizations() as served:
        literal: dict[str, Any] = {**served[0].client, "base_url": served[0].url}
    options = {"organizations": json.dumps([literal]), "queries": json.dumps([CALLS]), "api": "results"}
    source = GenesysAggregatesDataSource({**options, "start_date": "2026-03-02", "path": "calls"})
    assert SECRETS["acme"].encode() in pickle.dumps(source.reader(source.schema()).partitions())
