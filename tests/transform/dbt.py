"""Runs dbt, in its own environment, on a copy of the package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.project.generated_settings import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .warehouse import Database

PYTHON = ROOT / ".demo" / "dbt" / "bin" / "python"
"""Python of the environment installed from requirements-dbt.lock, which ``./run test`` creates."""

VARIABLES = {
    "genesys_time_zone": "Europe/Berlin",
    "using_queues": True,
    "using_users": True,
    "using_presence_definitions": True,
}

# Several commands run in one process, because starting dbt takes longer than building a small warehouse.
_SCRIPT = """
import json, sys
from dbt.cli.main import dbtRunner
outcomes = []
for command in json.load(sys.stdin):
    for path, text in command["files"].items():
        with open(path, "w") as file:
            file.write(text)
    done = dbtRunner().invoke(command["arguments"])
    if done.exception:
        raise done.exception
    outcomes.append([
        {"name": each.node.name, "type": str(each.node.resource_type), "status": str(each.status),
         "failures": each.failures, "message": each.message}
        for each in getattr(done.result, "results", None) or []
    ])
with open(sys.argv[1], "w") as file:
    json.dump(outcomes, file)
"""


@dataclass(frozen=True)
class Step:
    """A command of dbt.

    Attributes:
        arguments: Its arguments.
        variables: Variables of the package, beside ``VARIABLES``.
        files: Files of the package to overwrite before it: path → text.
    """

    arguments: tuple[str, ...]
    variables: Mapping[str, Any] | None = None
    files: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of the models and tests of a command: name → status; and what failed says why."""

    nodes: list[dict[str, Any]]

    def names(self, *statuses: str) -> list[str]:
        return sorted(each["name"] for each in self.nodes if each["status"] in statuses)

    def failures(self) -> list[str]:
        return [
            f"{each['name']}: {each['message']}" for each in self.nodes if each["status"] in {"error", "fail"}
        ]


class Package:
    """A copy of ``transform/``, so that no test leaves anything in the clone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "transform"
        shutil.copytree(ROOT / "transform", self.folder, ignore=shutil.ignore_patterns("target", "logs"))

    def text(self, path: str) -> str:
        return (self.folder / path).read_text(encoding="utf-8")

    def run(self, database: Database, *steps: Step, project: str = ".") -> list[Outcome]:
        """Run commands one after the other, in one process.

        Args:
            database: Where to build.
            steps: The commands.
            project: The folder of the root project, within the copy.
        """
        commands = [
            {
                "arguments": [*step.arguments, "--vars", json.dumps({**VARIABLES, **(step.variables or {})})],
                "files": {str(self.folder / path): text for path, text in (step.files or {}).items()},
            }
            for step in steps
        ]
        outcomes = self.folder / "outcomes.json"
        environment = {
            **os.environ, **database.settings,
            "DBT_TARGET": database.name, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DBT_QUIET": "true",
            "DBT_PROFILES_DIR": str(self.folder),
        }  # fmt: skip
        done = subprocess.run(
            [PYTHON, "-c", _SCRIPT, outcomes], input=json.dumps(commands), text=True, check=False,
            cwd=self.folder / project, env=environment, capture_output=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return [Outcome(nodes) for nodes in json.loads(outcomes.read_text(encoding="utf-8"))]
