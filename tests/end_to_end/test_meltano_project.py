"""``meltano.yml`` as Meltano itself understands it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from demo.paths import CLONE, MELTANO
from genesys_sandbox import ExpectedRows, Sandbox
from tap_genesys_aggregates.config.queries import presets

from .process import END, START, settings

if TYPE_CHECKING:
    from demo.project import Project

pytestmark = [pytest.mark.meltano, pytest.mark.slow]


def _print(project: Project, *arguments: str, **variables: str) -> Any:
    """What a Meltano command prints as JSON."""
    before = project.log.stat().st_size if project.log.exists() else 0
    project.run(arguments, variables)
    text = project.log.read_bytes()[before:].decode()
    return json.loads(text[text.index("{") : text.rindex("}") + 1])


def test_it_is_valid_and_nothing_in_it_is_deprecated() -> None:
    """Meltano's own JSON schema accepts it."""
    (path,) = MELTANO.parents[1].glob("lib/python*/site-packages/meltano/schemas/meltano.schema.json")
    schema = json.loads(path.read_text(encoding="utf-8"))
    project = yaml.safe_load((CLONE / "meltano.yml").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(project)
    assert "version" not in project


def test_defaults_and_both_kinds_of_names(project: Project) -> None:
    """Meltano casts what it reads, takes ``GENESYS_*``, and lets the longer name win."""
    command = ("config", "print", "--format=json", "tap-genesys-aggregates")
    plain = _print(project, *command)
    assert (plain["api"], plain["lookback_days"], plain["concurrency"]) == ("auto", 7, 4)
    assert plain.get("region") is None
    told = _print(
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
    assert (told["region"], told["client_id"], told["lookback_days"]) == ("eu_west_1", "long", "0.5")
    assert told["concurrency"] == 2
    assert told["queries"] == [{"preset": "queue_performance"}]
    assert told["start_date"] == "2025-01-25T21:00:00Z"


def test_the_schedule_runs_the_job(project: Project) -> None:
    """The example of a schedule names the job, and the job the tap and its target."""
    (entry,) = _print(project, "schedule", "list", "--format=json")["schedules"]["job"]
    assert entry["job"]["name"] == "genesys-to-postgres"
    assert entry["job"]["tasks"] == ["tap-genesys-aggregates target-postgres"]


def test_files_of_json_lines(project: Project, sandbox: Sandbox, url: str) -> None:
    """The other target: a file a stream, a line a row."""
    config = settings(url, "group_tree")
    variables = {f"TAP_GENESYS_AGGREGATES_{name.upper()}": value for name, value in config.items()}
    project.run(["run", "tap-genesys-aggregates", "target-jsonl"], variables)
    file = project.folder / "output" / "conversation_aggregates.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines()
    assert len(lines) == ExpectedRows(sandbox).count(presets()["conversation_aggregates"], START, END) > 0
