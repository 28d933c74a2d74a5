"""Wrong files, wrong values and network faults are one line each: that of ``docs/messages.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_genesys_aggregates.config.settings import Settings
from tests.messages import files, network, values
from tests.messages.command import CONFIG, run, write
from tests.messages.page import PAGE, accepted_row, file_row, network_row, value_row, without_words

if TYPE_CHECKING:
    from pathlib import Path

TEXT = PAGE.read_text("utf-8")
ROWS = {without_words(line) for line in TEXT.splitlines()}


def on_the_page(row: str) -> bool:
    return without_words(row.rstrip("\n")) in ROWS


@pytest.mark.parametrize("case", files.CASES, ids=lambda case: f"{case.option} {case.what}")
def test_a_wrong_file_is_one_line(case: files.FileCase, tmp_path: Path) -> None:
    """It names the option and the file, and says what to do."""
    ended = case.run(tmp_path)
    assert (ended.status, ended.output) == (1, "")
    assert ended.line.startswith(f"{case.option}: ")
    assert on_the_page(file_row(case, ended.line)), ended.line


@pytest.mark.parametrize("case", values.CASES, ids=lambda case: case.written)
def test_a_wrong_value_is_one_line(case: values.ValueCase, tmp_path: Path) -> None:
    ended = case.run(tmp_path)
    assert ended.status == (0 if case.is_warning else 1)
    assert on_the_page(value_row(case, ended.line)), ended.line


@pytest.mark.parametrize(("written", "means"), values.ACCEPTED)
def test_a_value_that_people_write_is_accepted(written: dict[str, Any], means: dict[str, Any]) -> None:
    assert Settings.read({**CONFIG, **written}) == Settings.read({**CONFIG, **means})
    assert on_the_page(accepted_row(written, means))


@pytest.mark.slow
@pytest.mark.parametrize("case", network.CASES, ids=lambda case: case.what)
def test_a_network_fault_is_one_line(case: network.NetworkCase, tmp_path: Path) -> None:
    """Over a real socket; no row is written, and no password of a proxy is shown."""
    ended = case.run(tmp_path)
    assert ended.status == 1
    assert "RECORD" not in ended.output
    assert on_the_page(network_row(case, ended.line)), ended.line


def test_the_page_has_no_other_rows() -> None:
    """A case that is renamed or removed leaves none behind."""
    cases = len(files.CASES) + len(values.CASES) + len(values.ACCEPTED) + len(network.CASES)
    rows = [line for line in TEXT.splitlines() if line.startswith("| ")]
    assert len(rows) == cases + len(("files", "values", "accepted", "network"))


def test_no_two_network_faults_of_different_causes_have_the_same_line() -> None:
    """Only the two ways of a timeout and of a cut body are alike."""
    lines = [
        without_words(line).split(" | `")[1]
        for line in TEXT.partition("## Network")[2].splitlines()
        if " | `" in line
    ]
    assert len(set(lines)) == len(lines) - 2


@pytest.mark.parametrize("mode", ["--discover", "--test", "--test=schema", ""])
def test_a_wrong_setting_is_the_same_line_in_every_mode(mode: str, tmp_path: Path) -> None:
    """The SDK put ``Config validation error:`` before it in one of them."""
    name = write(tmp_path, {**CONFIG, "api": "result"})
    ended = run(tmp_path, "--config", name, *filter(None, [mode]))
    assert ended.status == 1
    assert ended.line.startswith("api must be one of auto, results, group_tree, not 'result'")


def test_the_log_says_nothing_misleading(tmp_path: Path) -> None:
    """The SDK logged that variables are skipped, which are read, and that a handled error is unhandled."""
    variables = {f"TAP_GENESYS_AGGREGATES_{name.upper()}": value for name, value in CONFIG.items()}
    more = {"base_url": "https://api.genesys.invalid", "max_retries": 0}
    ended = run(tmp_path, "--config", write(tmp_path, more), variables=variables)
    assert "api.genesys.invalid" in ended.line
    assert "Beginning sync" in ended.errors
    assert "Skipping" not in ended.errors
    assert "unhandled" not in ended.errors
