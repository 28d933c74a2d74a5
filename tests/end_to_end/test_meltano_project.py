"""``meltano.yml`` as Meltano reads it."""

from __future__ import annotations

import contextlib
import difflib
import json
import re
import stat
import threading
import time
from typing import TYPE_CHECKING, Any

import jsonschema
import psutil
import pytest
import yaml

from demo.errors import DemoError
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
    project.run(["run", "tap-genesys-aggregates", "target-jsonl"], variables)
    file = project.folder / "output" / f"{TREE}.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines()
    assert len(lines) == ExpectedRows(sandbox).count(presets()[TREE], START, END) > 0


def test_a_lookup_is_selected_by_a_pattern_that_names_it(project: Project, url: str) -> None:
    """It adds one line, and the other streams stay selected; taken back, the file is as committed."""
    config = settings(url, "results")
    variables = {f"TAP_GENESYS_AGGREGATES_{name.upper()}": value for name, value in config.items()}
    file, queues = project.folder / "meltano.yml", ("tap-genesys-aggregates", "queues", "*")
    before = file.read_text(encoding="utf-8").splitlines()

    def selected() -> set[str]:
        found = _json_output(project, "select", "--json", "tap-genesys-aggregates", **variables)
        return {each["stream"] for each in found["streams"]}

    assert selected() == {"agent_performance", "extractions", "queue_performance"}
    project.run(["select", *queues], {})
    assert selected() == {"agent_performance", "extractions", "queue_performance", "queues"}
    after = file.read_text(encoding="utf-8").splitlines()
    assert list(difflib.ndiff(before, after)).count("+     - queues.*") == len(after) - len(before) == 1
    project.run(["select", "--rm", *queues], {})
    assert file.read_text(encoding="utf-8").splitlines() == before


def test_the_queries_of_the_readme_are_loaded_as_they_are_pasted(project: Project, url: str) -> None:
    """The lines above ``queries:`` are in ``meltano.yml`` already; the others go below them."""
    readme = (CLONE / "README.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(r"```yaml\n(plugins:.*?)```", readme, re.DOTALL)
    parents, key, queries = snippet.partition("      queries:\n")
    file = project.folder / "meltano.yml"
    text = file.read_text(encoding="utf-8")
    before, config, after = text.partition(parents.splitlines(keepends=True)[-1])
    lines = iter(before.splitlines())
    assert all(line in lines for line in parents.splitlines()[:-1])  # in this order
    file.write_text(before + config + key + queries + after, encoding="utf-8")
    variables = {
        f"TAP_GENESYS_AGGREGATES_{name.upper()}": value for name, value in settings(url, "results").items()
    }
    project.run(["run", "tap-genesys-aggregates", "target-jsonl"], variables)
    assert {each.stem for each in (project.folder / "output").iterdir()} == {
        "queue_performance", "agent_status", "calls_by_wrap_up_code", "extractions",
    }  # fmt: skip


def test_a_killed_meltano_leaves_no_secret_where_run_started_it(project: Project, url: str) -> None:
    """While it runs, nobody else can read the config that it writes; afterwards it is deleted."""
    config = {**settings(url, "group_tree"), "client_secret": "hush-hush-hush"}
    variables = {f"TAP_GENESYS_AGGREGATES_{name.upper()}": value for name, value in config.items()}
    leftovers = project.folder / ".meltano" / "run"
    seen: list[tuple[int, bool]] = []

    def kill() -> None:
        for _ in range(600):
            for process in psutil.process_iter():
                with contextlib.suppress(psutil.Error):
                    configs = list(leftovers.glob("tap-*/*.config.json"))
                    if configs and process.cwd() == str(project.folder) and "meltano" in process.cmdline()[1]:
                        text = configs[0].read_text(encoding="utf-8")
                        seen.append((stat.S_IMODE(configs[0].stat().st_mode), "hush-hush-hush" in text))
                        process.kill()
                        return
            time.sleep(0.05)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(DemoError, match="exit status -9"):
        project.run(["run", "tap-genesys-aggregates", "target-jsonl"], variables)
    killer.join()
    assert seen == [(0o600, True)]
    assert not leftovers.exists()


@pytest.mark.parametrize(
    "command",
    re.findall(
        r"`(meltano [^`]*)`", (CLONE / "docs" / "install.md").read_text("utf-8").split("\n## Upgrade")[1]
    ),
)
def test_meltano_has_the_commands_and_options_to_upgrade_and_uninstall(
    project: Project, command: str
) -> None:
    """They are not run, because they would reinstall or remove what the tests share."""
    _, *words = command.split()
    options = [word for word in words if word.startswith("--")]
    names = words[: 2 if words[0] == "state" else 1]
    project.run([*names, "--help"], {})
    known = project.log.read_text(encoding="utf-8")
    assert f"Usage: meltano {' '.join(names)}" in known
    assert [option for option in options if option not in known] == []
