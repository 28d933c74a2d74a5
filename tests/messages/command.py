"""Runs the command line in this process, and reads the one line that it ends with."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.own_log import own_log

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SECRET = "s3cr3t-s3cr3t-s3cr3t"
CONFIG: dict[str, Any] = {
    "client_id": "a-client",
    "client_secret": SECRET,
    "region": "eu_west_1",
    "start_date": "2026-01-01T00:00:00Z",
}
_LINE = re.compile(r"^\S+ \S+ \| (?P<level>\w+) +\| (?P<logger>\S+) +\| (?P<text>.*)$")
_STEERING = re.compile(r"(?i)(tap_genesys|genesys|singer_sdk)_.*|loglevel|.*_proxy|.*ca_bundle|ssl_cert_file")


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        status: Its exit code.
        line: Its only error, or its only warning if there is no error.
        errors: What it wrote to standard error.
        output: What it wrote to standard output.
    """

    status: int
    line: str
    errors: str
    output: str


def write(folder: Path, content: object, name: str = "config.json") -> str:
    """Write a file as JSON; returns its name."""
    (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return name


@contextmanager
def _as_a_process(folder: Path, variables: Mapping[str, str]) -> Iterator[None]:
    """A folder and an environment of its own; what the command changes in this process is changed back."""
    before = os.getcwd()  # noqa: PTH109
    environment = {name: value for name, value in os.environ.items() if not _STEERING.fullmatch(name)}
    os.chdir(folder)
    try:
        with own_log(), patch.dict(os.environ, {**environment, **variables}, clear=True):
            logging.getLogger().handlers.clear()
            yield
    finally:
        os.chdir(before)


def run(folder: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> Ended:
    """Run the command; it must end with one line, without a traceback or a secret."""
    out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
    status = 0
    with _as_a_process(folder, variables or {}), redirect_stdout(out), redirect_stderr(err):
        try:
            TapGenesysAggregates.cli(list(arguments))
        except SystemExit as ended:
            status = int(ended.code or 0)
        sys.stdout.flush()
    output, errors = out.buffer.getvalue().decode(), err.getvalue()
    assert "Traceback" not in errors, errors
    assert SECRET not in errors + output
    return Ended(status, _only_line(errors), errors, output)


def _only_line(errors: str) -> str:
    """The only error, or else the only warning; a line that is not of the log is one as well."""
    found: dict[str, list[str]] = {"ERROR": [], "WARNING": []}
    for line in errors.splitlines():
        match = _LINE.match(line)
        if match is None:
            found["ERROR"].append(line)
        elif match["level"] in found:
            found[match["level"]].append(match["text"])
    lines = found["ERROR"] or found["WARNING"]
    last = lines[-1]
    # The failure of a single stream is logged when it happens, and again when the run ends.
    assert [each for each in lines if not each.endswith(last)] == [], errors
    return last
