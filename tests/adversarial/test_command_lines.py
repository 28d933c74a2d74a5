"""What other users of the machine see with ``ps``: command lines, and no secret in them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from genesys_sandbox import Options, Sandbox, serve
from tests.adversarial.leaks import leaked
from tests.adversarial.tap_run import CLIENT, SECRET

_BIN = Path(sys.executable).parent
_ROOT = Path(__file__).parents[2]
_PASSWORD = "hunter2hunter2"
_COMMANDS = {
    "tap-genesys-aggregates": ["--config", "{config}"],
    "tap-genesys-aggregates-warehouse": ["reconcile", "--config", "{config}"],
}


def _command_lines(process: psutil.Popen) -> set[str]:
    """Of the process and its children. That of a process that is just being started is empty."""
    lines = set()
    with contextlib.suppress(psutil.NoSuchProcess):
        for each in (process, *process.children(recursive=True)):
            lines.add(" ".join(each.cmdline()))
    return lines


@pytest.mark.slow
@pytest.mark.parametrize("name", _COMMANDS)
def test_ps_shows_no_secret(name: str, tmp_path: Path) -> None:
    """Seen again and again from the command's first moment to its last."""
    options = Options(volume=0.02, credentials=(CLIENT, SECRET))
    with serve(Sandbox(options)) as url, (tmp_path / "errors").open("w+") as errors:
        config = {"client_id": CLIENT, "base_url": url, "api": "group_tree", "start_date": "2025-06-01"}
        path = tmp_path / "config.json"
        path.write_text(json.dumps({**config, "end_date": "2025-06-03", "client_secret": SECRET}))
        variables = {"DATABASE_URL": f"postgresql://me:{_PASSWORD}@127.0.0.1:1/db"}
        arguments = [each.format(config=path) for each in _COMMANDS[name]]
        seen: set[str] = set()
        deadline = time.monotonic() + 60
        with psutil.Popen(
            [_BIN / name, *arguments],
            env={**os.environ, **variables},
            stdout=subprocess.DEVNULL,
            stderr=errors,
        ) as process:
            while process.poll() is None:
                seen |= _command_lines(process)
                if time.monotonic() > deadline:
                    process.kill()
                    pytest.fail(f"{name} still runs after a minute; it was seen as {seen}.")
                time.sleep(0.01)
        errors.seek(0)
        said = errors.read()
    assert any(name in each for each in seen)
    assert leaked("".join(seen) + said) == []
    assert _PASSWORD not in "".join(seen) + said


def test_the_docs_put_no_secret_on_a_command_line() -> None:
    """Variables hold it; ``psql`` gets a URL without a password."""
    pages = [_ROOT / "README.md", *sorted((_ROOT / "docs").glob("*.md"))]
    for page in pages:
        for block in re.findall(r"^ *```sh\n(.*?)^ *```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
            assert not re.search(r"--database-url|://[^\s/]*:[^\s/]+@|secret=", block), (page.name, block)
