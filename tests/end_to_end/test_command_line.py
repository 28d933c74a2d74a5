"""The command line over real sockets: what a run writes, and what is left however it ends."""

from __future__ import annotations

import json
import signal
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from genesys_sandbox import ExpectedRows, Options, Sandbox, serve
from genesys_sandbox.faults import Fault, status
from tap_genesys_aggregates.config.queries import presets
from tap_genesys_aggregates.config.settings_table import SETTINGS

from .conftest import NOW
from .process import (
    END,
    START,
    TIMEOUT,
    TREE,
    Run,
    data_requests,
    is_complete,
    run,
    settings,
    start,
    write_json,
)

if TYPE_CHECKING:
    from pathlib import Path

    from genesys_sandbox import Request

BOTH_APIS = [
    pytest.param("results", ("queue_performance", "agent_performance"), marks=pytest.mark.slow, id="results"),
    pytest.param("group_tree", (TREE,), id="group_tree"),
]
# One window of one day after another, so that a run can end in the middle.
DAY_BY_DAY = {"concurrency": 1, "window": "P1D", "max_window": "P1D"}


@pytest.mark.parametrize(("api", "streams"), BOTH_APIS)
def test_rows_equal_the_expected_rows(
    sandbox: Sandbox, url: str, tmp_path: Path, api: str, streams: tuple[str, ...]
) -> None:
    """Both APIs give exactly the expected rows, each once."""
    outcome = run("--config", write_json(tmp_path, "config", settings(url, api)))
    assert outcome.status == 0, outcome.stderr
    for stream in streams:
        expected = ExpectedRows(sandbox).rows(presets()[stream], START, END)
        found = outcome.rows(stream)
        assert len(found) == len(expected) > 0
        assert sorted(found, key=repr) == sorted(
            [{name: row[name] for name in found[0]} for row in expected], key=repr
        )


def test_environment_variables_replace_a_config_file(sandbox: Sandbox, url: str) -> None:
    """``--config=ENV`` reads ``TAP_GENESYS_AGGREGATES_*`` and ``GENESYS_*``; the longer name wins."""
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
    assert outcome.status == 0, outcome.stderr
    expected = ExpectedRows(sandbox).count(presets()[TREE], START, END)
    assert len(outcome.rows("mine")) == expected > 0


@pytest.mark.slow
def test_the_next_run_starts_at_the_state(tmp_path: Path) -> None:
    """With the STATE of a complete run, and history that is final, nothing is requested again."""
    sandbox = Sandbox(now=lambda: NOW + timedelta(days=30))
    with serve(sandbox) as url:
        config = write_json(tmp_path, "config", settings(url, "group_tree"))
        first = run("--config", config)
        requests = len(data_requests(sandbox))
        assert requests > 0
        again = run("--config", config, "--state", write_json(tmp_path, "state", first.state))
    assert (first.status, again.status) == (0, 0), again.stderr
    assert again.rows(TREE) == []
    assert len(data_requests(sandbox)) == requests
    assert again.state["bookmarks"] == first.state["bookmarks"]


def test_discovery_sends_no_requests(sandbox: Sandbox, url: str, tmp_path: Path) -> None:
    """``--discover`` makes a catalog from the config alone: one stream per query, with its keys."""
    outcome = run("--discover", "--config", write_json(tmp_path, "config", settings(url)))
    assert outcome.status == 0, outcome.stderr
    streams = {stream["tap_stream_id"]: stream for stream in json.loads(outcome.output)["streams"]}
    assert {"queue_performance", "agent_performance"} <= set(streams)
    assert streams["queue_performance"]["key_properties"] == ["interval_start", "queue_id", "media_type"]
    assert sandbox.log == []


@pytest.mark.slow
def test_about_lists_the_settings() -> None:
    """``--about`` needs no config."""
    outcome = run("--about", "--format=json")
    assert outcome.status == 0, outcome.stderr
    about = json.loads(outcome.output)
    assert about["name"] == "tap-genesys-aggregates"
    assert set(SETTINGS) <= set(about["settings"]["properties"])


@pytest.mark.slow
def test_the_connection_test_succeeds_only_with_access(tmp_path: Path) -> None:
    """``--test`` exits with 0 if the client has access, and otherwise with 1 and the reason."""
    with serve(Sandbox(Options(credentials=("right", "right")), now=lambda: NOW)) as url:
        right = settings(url, client_id="right", client_secret="right")
        wrong = settings(url, client_id="right", client_secret="stale-secret")
        accepted = run("--test", "--config", write_json(tmp_path, "right", right))
        rejected = run("--test", "--config", write_json(tmp_path, "wrong", wrong))
    assert (accepted.status, rejected.status) == (0, 1), accepted.stderr + rejected.stderr
    assert "queue_performance: ok" in accepted.output
    assert "client" in (rejected.output + rejected.stderr).lower()
    assert "stale-secret" not in rejected.output + rejected.stderr


def test_a_wrong_setting_is_one_line(tmp_path: Path) -> None:
    """An invalid config ends the run at once, with 1 and the name of the setting, and no traceback."""
    config = settings("https://gateway.invalid", lookback_dayz=3)
    outcome = run("--config", write_json(tmp_path, "config", config))
    assert outcome.status == 1
    assert outcome.output == ""
    assert "lookback_dayz" in outcome.stderr
    assert "lookback_days" in outcome.stderr
    assert "Traceback" not in outcome.stderr


@pytest.mark.parametrize(
    ("signum", "code"),
    [
        pytest.param(signal.SIGTERM, 143, id="SIGTERM"),
        pytest.param(signal.SIGINT, 130, id="SIGINT", marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_a_run_without_loss(tmp_path: Path, signum: int, code: int) -> None:
    """The run ends at once with an error, its last line is complete, and the next run adds the rest."""
    sandbox = Sandbox(Options(latency=0.2), now=lambda: NOW)
    with serve(sandbox) as url:
        config = write_json(tmp_path, "config", settings(url, "group_tree", **DAY_BY_DAY))
        with start("--config", config) as tap:
            assert tap.stdout is not None
            assert tap.stderr is not None
            lines = []
            for line in tap.stdout:
                lines.append(line)
                if json.loads(line)["type"] == "STATE" and sum("STATE" in each for each in lines) > 1:
                    break
            tap.send_signal(signum)
            output, stderr = "".join([*lines, *tap.stdout]), tap.stderr.read()
            stopped = Run(tap.wait(TIMEOUT), output, stderr)
        assert stopped.status == code, stderr
        assert stopped.output.endswith("\n")
        assert not is_complete(sandbox, stopped)
        resumed = run("--config", config, "--state", write_json(tmp_path, "state", stopped.state))
    assert resumed.status == 0, resumed.stderr
    assert is_complete(sandbox, stopped, resumed)


@pytest.mark.slow
def test_a_failed_run_can_be_resumed(tmp_path: Path) -> None:
    """A 403 in the middle of a run is reported and ends it with 1; the next run starts where it stopped."""
    forbidden = status(403)
    allowed = 6

    def plan(number: int, request: Request) -> Fault | None:
        return forbidden if number > allowed and request.path != "/oauth/token" else None

    sandbox = Sandbox(now=lambda: NOW, faults=plan)
    with serve(sandbox) as url:
        config = write_json(tmp_path, "config", settings(url, "group_tree", **DAY_BY_DAY))
        failed = run("--config", config)
        requests = len(data_requests(sandbox))
        sandbox.faults = None
        resumed = run("--config", config, "--state", write_json(tmp_path, "state", failed.state))
    assert failed.status == 1
    assert "403" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert failed.rows(TREE)
    assert not is_complete(sandbox, failed)
    assert resumed.status == 0, resumed.stderr
    assert is_complete(sandbox, failed, resumed)
    assert len(data_requests(sandbox)) - requests < (END - START).days


@pytest.mark.slow
def test_an_unreachable_host_is_named(tmp_path: Path) -> None:
    """If nothing listens, the run ends with 1 after its retries, and names the host."""
    with serve(Sandbox(now=lambda: NOW)) as url:
        pass
    outcome = run("--config", write_json(tmp_path, "config", settings(url, max_retries=0)))
    assert outcome.status == 1
    assert url.removeprefix("http://") in outcome.stderr
    assert "Traceback" not in outcome.stderr


@pytest.mark.slow
def test_a_closed_output_ends_the_run_with_an_error(sandbox: Sandbox, url: str, tmp_path: Path) -> None:
    """If the target has ended, so does the run, with an exit code other than 0."""
    with start("--config", write_json(tmp_path, "config", settings(url, "group_tree"))) as tap:
        assert tap.stdout is not None
        assert tap.stdout.readline()
        tap.stdout.close()
        assert tap.wait(TIMEOUT) != 0
    assert sandbox.log
