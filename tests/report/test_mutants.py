"""A wrong query is caught: without a rule, the charts no longer are what the tests of the page work out."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.project.generated_settings import ROOT

from . import test_page
from .warehouse import report

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Report

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

MUTANTS = {
    "a profile of whole days": (
        "join days on true join loaded on local_day + start between first_start and last_start",
        "join days on true",
        test_page.test_the_profile_is_the_average_of_the_days_loaded_at_each_time,
    ),
    "heat maps of whole days": (
        "join loaded on local_day + half_hour between date_trunc('hour', first_start) and last_start",
        "",
        test_page.test_the_heat_maps_are_the_averages_by_queue_weekday_and_half_hour,
    ),
}
"""Mistake → right text, wrong text, and the test that must fail."""


@pytest.mark.parametrize(("right", "wrong", "test"), MUTANTS.values(), ids=MUTANTS)
def test_a_rule_for_days_that_are_only_partly_loaded_is_missed_if_it_is_removed(
    right: str, wrong: str, test: Callable[[Report], None], made: Report, tmp_path: Path
) -> None:
    for name in ("report", "demo"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    queries = tmp_path / "report" / "queries.py"
    text = queries.read_text("utf-8")
    assert text.count(right) == 1
    queries.write_text(text.replace(right, wrong), "utf-8")
    done = report("--output", "page.html", folder=tmp_path, DATABASE_URL=made.url)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "page.html").read_text("utf-8")
    data = re.search(r'<script type="application/json" id="charts">(.*?)</script>', page, re.DOTALL)
    assert data
    test(made)
    with pytest.raises(AssertionError):
        test(replace(made, text=page, charts=json.loads(data[1])))
