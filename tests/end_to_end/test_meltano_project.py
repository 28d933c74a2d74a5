"""``meltano.yml`` as Meltano reads it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from demo.paths import CLONE, MELTANO
from genesys_sandbox import ExpectedRows, Sandbox
from tap_genesys_aggregates.config.queries import presets

from .process import END, START, TREE, settings

if TYPE_CHECKING:
    from demo.project import Project

pytestmark = [pytest.mark.meltano, pytest.mark.slow]


def _json_output(project: Project, *arguments: str, **variables: str) -> Any:
    """The JSON that a Meltano command prints."""
    before = project.log.stat().st_size if project.log.exists() else 0
    project.run(arguments, variables)
    text = project.log.read_bytes()[before:].decode()
    return json.loads(text[text.index("{") : text.rindex("}") + 1])


def test_the_file_matches_the_schema_of_meltano() -> None:
    """It is valid, and contains no deprecated property."""
    (path,) = MELTANO.parents[1].glob("lib/python*/site-packages/meltano/schemas/meltano.schema.json")
    schema = json.loads(path.read_text(encoding="utf-8"))
    project = yaml.safe_load((CLONE / "meltano.yml").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(project)
    assert "version" not in project


def test_settings_have_defaults_and_two_variable_names(project: Project) -> None:
    """Meltano converts values, reads ``GENESYS_*``, and lets the longer name win."""
    command = ("config", "print", "--format=json", "tap-genesys-aggregates")
    defaults = _json_output(project, *command)
    assert (defaults["api"], defaults["lookback_days"], defaults["concurrency"]) == ("auto", 7, 4)
    assert defaults.get("region") is None
    given = _json_output(
        project,
        *command,
        GENESYS_REGION="eu_west_1",
        GENESYS_CLIENT_ID="short",
        TAP_GENESYS_AGGREGATES_CLIENT_ID="long",
        TAP_GENESYS_AGGREGATES_LOOKBACK_DAYS="0.5",
        TAP_GENESYS_AGGREGATES_CONCURRENCY="2",
        TAP_GENESYS_AGGREGATES_QUERIES='[{"preset": "queue_performance"}]',
        TAP_GENESYS_AGGREGATES_START_DATE="2025-01-25T21:00:00Z",
    )
    assert (given["region"], given["client_id"], given["lookback_days"]) == ("eu_west_1", "long", "0.5")
    assert given["concurrency"] == 2
    assert given["queries"] == [{"preset": "queue_performance"}]
    assert given["start_date"] == "2025-01-25T21:00:00Z"


def test_the_schedule_runs_the_job(project: Project) -> None:
    """The example schedule names the job, and the job names the tap and its target."""
    (entry,) = _json_output(project, "schedule", "list", "--format=json")["schedules"]["job"]
    assert entry["job"]["name"] == "genesys-to-postgres"
    assert entry["job"]["tasks"] == ["tap-genesys-aggregates target-postgres"]


def test_target_jsonl_writes_every_row(project: Project, sandbox: Sandbox, url: str) -> None:
    """With the other target, each stream is a file with one row per line."""
    config = settings(url, "group_tree")
    variables = {f"TAP_GENESYS_AGGREGATES_{name.upper()}": value for name, value in config.items()}
    project.run(["install", "target-jsonl"], {})
    project.run(["run", "tap-genesys-aggregates", "target-jsonl"], variables)
    file = project.folder / "output" / f"{TREE}.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines()
    assert len(lines) == ExpectedRows(sandbox).count(presets()[TREE], START, END) > 0
