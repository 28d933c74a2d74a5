"""The command line, over real sockets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from genesys_sandbox import ExpectedRows, Options, Sandbox, serve
from tap_genesys_aggregates.config.queries import presets
from tap_genesys_aggregates.config.settings_table import SETTINGS

from .conftest import NOW
from .process import END, START, questions, run, settings, written

if TYPE_CHECKING:
    from pathlib import Path

TREE = "conversation_aggregates"
CONTRACTS = [
    pytest.param("results", ("queue_performance", "agent_performance"), marks=pytest.mark.slow, id="results"),
    pytest.param("group_tree", (TREE,), id="group_tree"),
]


@pytest.mark.parametrize(("api", "streams"), CONTRACTS)
def test_rows_are_those_of_the_witness(
    sandbox: Sandbox, url: str, tmp_path: Path, api: str, streams: tuple[str, ...]
) -> None:
    """Either contract gives exactly the rows that the sandbox's own books have, each once."""
    outcome = run("--config", written(tmp_path, "config", settings(url, api)))
    assert outcome.status == 0, outcome.said
    for stream in streams:
        expected = ExpectedRows(sandbox).rows(presets()[stream], START, END)
        found = outcome.rows(stream)
        assert len(found) == len(expected) > 0
        assert sorted(found, key=repr) == sorted(
            [{name: row[name] for name in found[0]} for row in expected], key=repr
        )


def test_the_environment_is_enough(sandbox: Sandbox, url: str) -> None:
    """``--config=ENV`` with ``TAP_GENESYS_AGGREGATES_*`` and ``GENESYS_*``; the longer name wins."""
    outcome = run(
        "--config=ENV",
        variables={
            "GENESYS_CLIENT_ID": "short",
            "GENESYS_CLIENT_SECRET": "short",
            "GENESYS_BASE_URL": url,
            "GENESYS_REGION": "nowhere at all",
            "TAP_GENESYS_AGGREGATES_REGION": "eu_west_1",
            "TAP_GENESYS_AGGREGATES_API": "group_tree",
            "TAP_GENESYS_AGGREGATES_START_DATE": START.isoformat(),
            "TAP_GENESYS_AGGREGATES_END_DATE": END.isoformat(),
            "TAP_GENESYS_AGGREGATES_CONCURRENCY": "2",
            "TAP_GENESYS_AGGREGATES_QUERIES": json.dumps([{"preset": TREE, "name": "mine"}]),
        },
    )
    assert outcome.status == 0, outcome.said
    expected = ExpectedRows(sandbox).count(presets()[TREE], START, END)
    assert len(outcome.rows("mine")) == expected > 0


@pytest.mark.slow
def test_state_is_where_the_next_run_begins(sandbox: Sandbox, url: str, tmp_path: Path) -> None:
    """With the STATE of a run that is over, and history that is final, nothing is asked for again."""
    config = written(tmp_path, "config", settings(url, "group_tree"))
    first = run("--config", config)
    asked = len(questions(sandbox))
    assert asked > 0
    again = run("--config", config, "--state", written(tmp_path, "state", first.state))
    assert (first.status, again.status) == (0, 0), again.said
    assert again.rows(TREE) == []
    assert len(questions(sandbox)) == asked
    assert again.state["bookmarks"] == first.state["bookmarks"]


def test_discovery_asks_for_nothing(sandbox: Sandbox, url: str, tmp_path: Path) -> None:
    """``--discover`` writes a catalog from the config alone: one stream a query, with keys."""
    outcome = run("--discover", "--config", written(tmp_path, "config", settings(url)))
    assert outcome.status == 0, outcome.said
    streams = {stream["tap_stream_id"]: stream for stream in json.loads(outcome.output)["streams"]}
    assert {"queue_performance", "agent_performance"} <= set(streams)
    assert streams["queue_performance"]["key_properties"] == ["interval_start", "queue_id", "media_type"]
    assert sandbox.log == []


@pytest.mark.slow
def test_about_tells_the_settings() -> None:
    """``--about`` needs no config."""
    outcome = run("--about", "--format=json")
    assert outcome.status == 0, outcome.said
    about = json.loads(outcome.output)
    assert about["name"] == "tap-genesys-aggregates"
    assert set(SETTINGS) <= set(about["settings"]["properties"])


@pytest.mark.slow
def test_the_connection_test_says_yes_only_when_it_works(tmp_path: Path) -> None:
    """``--test`` exits 0 with a client that may ask, and 1, with the reason, with one that may not."""
    with serve(Sandbox(Options(credentials=("right", "right")), now=lambda: NOW)) as url:
        good = settings(url, client_id="right", client_secret="right")
        bad = settings(url, client_id="right", client_secret="stale-secret")
        well = run("--test", "--config", written(tmp_path, "good", good))
        ill = run("--test", "--config", written(tmp_path, "bad", bad))
    assert (well.status, ill.status) == (0, 1), well.said + ill.said
    assert "queue_performance: ok" in well.output
    assert "client" in (ill.output + ill.said).lower()
    assert "stale-secret" not in ill.output + ill.said


def test_a_wrong_setting_is_one_line(tmp_path: Path) -> None:
    """A config that cannot work ends at once, with 1 and the name of the setting, and no traceback."""
    config = settings("https://gateway.invalid", lookback_dayz=3)
    outcome = run("--config", written(tmp_path, "config", config))
    assert outcome.status == 1
    assert outcome.output == ""
    assert "lookback_dayz" in outcome.said
    assert "lookback_days" in outcome.said
    assert "Traceback" not in outcome.said
