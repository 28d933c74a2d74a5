"""Which lookups a run requests, and what it does if a permission is missing."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from genesys_sandbox import Options, Sandbox, SettableClock, serve
from genesys_sandbox.faults import put, status
from tap_genesys_aggregates.http.errors import DeniedError
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.extract.lookups import (
    CALLS,
    NOW,
    ONE_DAY,
    PATHS,
    always,
    catalog,
    put_all,
    requests_to,
    run_with,
    sandbox_with,
)
from tests.pipeline.running import ManualClock, config, run

if TYPE_CHECKING:
    from pathlib import Path

    from genesys_sandbox import Rule
    from tests.pipeline.running import Outcome

# Selection


def selected_by_default(name: str) -> Any:
    """What discovery says about a stream."""
    found: dict[str, Any] = TapGenesysAggregates(config=config(**ONE_DAY)).catalog_dict
    (stream,) = (each for each in found["streams"] if each["tap_stream_id"] == name)
    (whole,) = (each["metadata"] for each in stream["metadata"] if not each["breadcrumb"])
    return whole["selected-by-default"]


def requested_lookups(sandbox: Sandbox) -> set[str]:
    """The lookups that were requested at all."""
    return {name for name, path in PATHS.items() if requests_to(sandbox, path)}


def test_lookups_are_not_selected_by_default_and_queries_are() -> None:
    assert not any(selected_by_default(name) for name in PATHS)
    assert selected_by_default("calls") is True


def test_a_run_without_a_catalog_requests_no_lookup() -> None:
    sandbox = sandbox_with()
    outcome = run(sandbox, config(**ONE_DAY), time=ManualClock(NOW))
    assert outcome.error is None
    assert requested_lookups(sandbox) == set()
    assert {message.get("stream") for message in outcome.messages} <= {"calls", "extractions", None}


def test_a_run_with_the_unchanged_catalog_of_discovery_requests_no_lookup() -> None:
    sandbox = sandbox_with()
    assert run_with(sandbox).error is None
    assert requested_lookups(sandbox) == set()


def test_only_selected_lookups_are_requested_and_they_leave_no_state() -> None:
    sandbox = sandbox_with()
    outcome = run_with(sandbox, "queues", "teams", queries=[{**CALLS, "name": "volumes"}])
    assert requested_lookups(sandbox) == {"queues", "teams"}
    assert outcome.rows("queues")
    assert outcome.rows("teams")
    assert outcome.rows("volumes")
    assert set(outcome.state["bookmarks"]) == {"volumes"}


def test_a_deselected_column_is_left_out_of_the_stream_but_not_of_the_list_that_queries_use() -> None:
    settings = config(**{**ONE_DAY, "queries": [{"preset": "agent_status", "name": "volumes"}]})
    found = catalog(settings, "users")
    (users,) = (each for each in found["streams"] if each["tap_stream_id"] == "users")
    for each in users["metadata"]:
        if each["breadcrumb"] and each["breadcrumb"][-1] != "id":
            each["metadata"]["selected"] = False
    sandbox = sandbox_with()
    outcome = run(sandbox, settings, time=ManualClock(NOW), catalog=found)
    assert [set(row) for row in outcome.rows("users")] == [{"id"}] * 25
    assert len(requests_to(sandbox, PATHS["users"])) == 1
    assert outcome.rows("volumes")


def test_every_run_brings_the_whole_list() -> None:
    """So that a new name replaces the old one."""
    first = run_with(sandbox_with(), "queues")
    second = run_with(sandbox_with(), "queues", state=first.state)
    assert second.rows("queues") == first.rows("queues") != []


# Entries that are gone


def versions(outcome: Outcome, stream: str) -> list[tuple[str, int | None]]:
    """The type and version of each message of a stream, in order."""
    return [(each["type"], each.get("version")) for each in outcome.messages if each.get("stream") == stream]


def test_after_its_last_row_a_lookup_activates_the_version_of_its_rows() -> None:
    """So that a target deletes the rows of older versions; earlier, it would delete all of them."""
    outcome = run_with(sandbox_with(), "queues")
    number = len(outcome.rows("queues"))
    version = round(NOW.timestamp() * 1000)
    assert number > 1
    assert versions(outcome, "queues") == [
        ("SCHEMA", None),
        *[("RECORD", version)] * number,
        ("ACTIVATE_VERSION", version),
    ]


def test_every_row_of_a_lookup_was_extracted_at_the_same_instant() -> None:
    """For targets that do not know versions: older rows are of entries that are gone (docs/targets.md)."""
    rows = run_with(sandbox_with(), "queues").rows("queues")
    assert {row["extracted_at"] for row in rows} == {"2026-03-04T12:00:00.000Z"}


def test_a_later_run_activates_a_greater_version() -> None:
    found, settings = [], config(**ONE_DAY)
    for now in (NOW, NOW + timedelta(milliseconds=1)):
        sandbox = Sandbox(Options(volume=0.1), now=SettableClock(now))
        outcome = run(sandbox, settings, time=ManualClock(now), catalog=catalog(settings, "queues"))
        found.append(versions(outcome, "queues")[-1][1])
    assert found == [round(NOW.timestamp() * 1000) + late for late in (0, 1)]


def test_only_lookups_have_versions() -> None:
    """A window that is read again must not delete the rows of the others."""
    outcome = run_with(sandbox_with(), "queues", "users")
    activated = [each["stream"] for each in outcome.messages if each["type"] == "ACTIVATE_VERSION"]
    assert sorted(activated) == ["queues", "users"]
    with_version = {each["stream"] for each in outcome.messages if "version" in each}
    assert with_version == {"queues", "users"}


@pytest.mark.parametrize(
    "rule",
    [
        always(status(403), "queues"),
        always(status(403), "pageNumber=2"),
        always(put(("total",), 99), "queues"),
        always(put_all(("entities", []), ("total", 0), ("pageCount", 0)), "queues"),
    ],
    ids=["denied", "denied at its second page", "incomplete", "empty"],
)
def test_a_list_that_could_not_be_read_or_is_empty_activates_nothing(rule: Rule) -> None:
    """An empty one more likely means that the client may see nothing than that everything was deleted."""
    outcome = run_with(sandbox_with(rule, small=True), "queues")
    assert not {"RECORD", "ACTIVATE_VERSION"} & {kind for kind, _ in versions(outcome, "queues")}


# Missing permissions


def test_a_denied_lookup_fails_the_run_after_all_other_streams_were_loaded() -> None:
    denied = sandbox_with(forbidden=frozenset({PATHS["divisions"]}))
    outcome = run_with(denied, "divisions", "queues", "skills")
    assert isinstance(outcome.error, DeniedError)
    assert str(outcome.error).startswith("lookup 'divisions': sandbox.invalid answered 403 Forbidden: ")
    assert outcome.rows("queues")
    assert outcome.rows("skills")
    complete = run_with(sandbox_with(), "queues", "skills")
    assert outcome.rows("calls") == complete.rows("calls") != []
    assert outcome.state == complete.state


def test_a_denied_lookup_writes_nothing() -> None:
    """Not even a schema, at which a target might empty the table."""
    outcome = run_with(sandbox_with(forbidden=frozenset({PATHS["queues"]})), "queues")
    assert "queues" not in {message.get("stream") for message in outcome.messages}


def test_a_lookup_that_is_denied_at_its_second_page_writes_no_rows() -> None:
    outcome = run_with(sandbox_with(always(status(403), "pageNumber=2"), small=True), "queues")
    assert isinstance(outcome.error, DeniedError)
    assert outcome.rows("queues") == []


def test_each_denied_lookup_is_logged_with_its_permission_and_what_to_do(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sandbox = sandbox_with(forbidden=frozenset({PATHS["queues"], PATHS["users"]}))
    outcome = run_with(sandbox, "queues", "users")
    assert str(outcome.error).startswith("2 streams failed; every other stream was loaded. queues: lookup ")
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    queues, users = (line for line in errors if "lookup" in line)
    assert queues.removeprefix("queues failed: ") in str(outcome.error)
    assert users.removeprefix("users failed: ") in str(outcome.error)
    assert queues.startswith(
        "queues failed: lookup 'queues': sandbox.invalid answered 403 Forbidden: missing.permissions: "
    )
    assert queues.endswith("Give the OAuth client a role with routing:queue:view, or deselect this stream")
    assert "following permission(s): directory:user:view" in users
    assert "Give the OAuth client a role with the missing permission, or" in users
    assert [len(requests_to(sandbox, PATHS[name])) for name in ("queues", "users")] == [1, 1]


@pytest.mark.slow
def test_the_command_exits_1_with_one_line_and_no_secrets(tmp_path: Path) -> None:
    sandbox = sandbox_with(forbidden=frozenset({PATHS["flows"]}))
    settings = config(**ONE_DAY)
    settings.pop("max_window")
    with serve(sandbox) as base_url:
        settings["base_url"] = base_url
        files = {"config": settings, "catalog": catalog(settings, "flows", "queues")}
        options = []
        for name, content in files.items():
            (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
            options += [f"--{name}", str(tmp_path / name)]
        tap = "from tap_genesys_aggregates.tap import TapGenesysAggregates as Tap; Tap.cli()"
        done = subprocess.run(
            [sys.executable, "-c", tap, *options], capture_output=True, text=True, check=False, timeout=60
        )
    assert done.returncode == 1
    streams = {json.loads(line).get("stream") for line in done.stdout.splitlines()}
    assert streams == {"calls", "extractions", "queues", None}
    assert "architect:flow:view" in done.stderr
    assert "lookup 'flows': " in done.stderr.splitlines()[-1]
    assert done.stderr.count("lookup 'flows': ") == 2, "when it happens, and once more at the end"
    assert "Traceback" not in done.stderr
    tokens = {entry.headers["authorization"].partition(" ")[2] for entry in sandbox.log}
    assert len(tokens) == 2
    for secret in (settings["client_secret"], *tokens):
        assert secret not in done.stdout + done.stderr
