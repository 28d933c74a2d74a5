"""What other users of the machine see with ``ps``: command lines, and no secret in them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from genesys_sandbox import Options, Sandbox, serve
from tests.adversarial.leaks import leaked
from tests.adversarial.tap_run import CLIENT, SECRET

if TYPE_CHECKING:
    from genesys_sandbox import Request

_BIN = Path(sys.executable).parent
_ROOT = Path(__file__).parents[2]
_PASSWORD = "hunter2hunter2"
_COMMANDS = {
    "tap-genesys-aggregates": ["--config", "{config}"],
    "tap-genesys-aggregates-warehouse": ["reconcile", "--config", "{config}"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", _COMMANDS)
def test_ps_shows_no_secret(name: str, tmp_path: Path) -> None:
    """While the command runs: its own command line, and those of its children."""
    seen: list[str] = []
    running: list[subprocess.Popen[bytes]] = []

    def look(number: int, request: Request) -> None:
        del number, request
        one = psutil.Process(running[0].pid)
        seen.extend(" ".join(each.cmdline()) for each in (one, *one.children(recursive=True)))

    options = Options(volume=0.02, credentials=(CLIENT, SECRET))
    with serve(Sandbox(options, faults=look)) as url:
        config = {"client_id": CLIENT, "base_url": url, "api": "group_tree", "start_date": "2025-06-01"}
        path = tmp_path / "config.json"
        path.write_text(json.dumps({**config, "end_date": "2025-06-03", "client_secret": SECRET}))
        variables = {"DATABASE_URL": f"postgresql://me:{_PASSWORD}@127.0.0.1:1/db"}
        arguments = [each.format(config=path) for each in _COMMANDS[name]]
        with subprocess.Popen(
            [_BIN / name, *arguments],
            env={**os.environ, **variables},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as process:
            running.append(process)
            look(0, None)  # type: ignore[arg-type]  # also before the first request
            _, errors = process.communicate(timeout=60)
    assert any(name in each for each in seen)
    assert leaked("".join(seen) + errors.decode()) == []
    assert _PASSWORD not in "".join(seen) + errors.decode()


def test_the_docs_put_no_secret_on_a_command_line() -> None:
    """Variables hold it; ``psql`` gets a URL without a password."""
    pages = [_ROOT / "README.md", *sorted((_ROOT / "docs").glob("*.md"))]
    for page in pages:
        for block in re.findall(r"^ *```sh\n(.*?)^ *```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
            assert not re.search(r"--database-url|://[^\s/]*:[^\s/]+@|secret=", block), (page.name, block)
