"""A look-up for which a permission is missing."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import TYPE_CHECKING

from genesys_sandbox import serve
from genesys_sandbox.faults import status
from tap_genesys_aggregates.http.errors import DeniedError
from tests.lookups.scene import PATHS, SOON, always, asked, catalog, pull, sandbox
from tests.pipeline.running import config

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_others_go_on() -> None:
    """One list is denied: the lists after it and the queries are loaded, and the run is a failure even so."""
    outcome = pull(sandbox(forbidden=frozenset({PATHS["divisions"]})), "divisions", "queues", "skills")
    assert isinstance(outcome.error, DeniedError)
    assert "every stream was loaded except these denied lookups: divisions" in str(outcome.error)
    assert outcome.rows("queues")
    assert outcome.rows("skills")
    whole = pull(sandbox(), "queues", "skills")
    assert outcome.rows("calls") == whole.rows("calls") != []
    assert outcome.state == whole.state


def test_a_denied_table_is_left_alone() -> None:
    """Nothing is written for a list that was denied, not even a schema, on which a target may empty it."""
    outcome = pull(sandbox(forbidden=frozenset({PATHS["queues"]})), "queues")
    assert "queues" not in {message.get("stream") for message in outcome.messages}


def test_a_list_that_is_denied_half_way_brings_nothing() -> None:
    """The token is cut down between two pages: no half of a list goes out."""
    outcome = pull(sandbox(always(status(403), "pageNumber=2"), small=True), "queues")
    assert isinstance(outcome.error, DeniedError)
    assert outcome.rows("queues") == []


def test_each_is_told_with_its_permission(caplog: pytest.LogCaptureFixture) -> None:
    """For each list: what the server said, which permission it takes, and what else can be done."""
    centre = sandbox(forbidden=frozenset({PATHS["queues"], PATHS["users"]}))
    outcome = pull(centre, "queues", "users")
    assert "denied lookups: queues, users" in str(outcome.error)
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    queues, users = (line for line in told if "lookup" in line)
    assert queues.startswith("lookup 'queues': sandbox.invalid answered 403 Forbidden: missing.permissions: ")
    assert queues.endswith(
        "Give the OAuth client a role with routing:queue:view, or deselect this stream. "
        "The run continues without it"
    )
    assert "following permission(s): directory:user:view" in users
    assert "Give the OAuth client a role with the permission that is missing, or" in users
    assert [len(asked(centre, PATHS[name])) for name in ("queues", "users")] == [1, 1]


def test_the_command_ends_with_one_line_and_code_1(tmp_path: Path) -> None:
    """Over sockets and as a process: the rest is written, the exit code is 1, secrets are nowhere."""
    centre = sandbox(forbidden=frozenset({PATHS["flows"]}))
    settings = config(**SOON)
    settings.pop("max_window")
    with serve(centre) as base_url:
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
    assert "denied lookups: flows" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    tokens = {entry.headers["authorization"].partition(" ")[2] for entry in centre.log}
    assert len(tokens) == 2
    for secret in (settings["client_secret"], *tokens):
        assert secret not in done.stdout + done.stderr
