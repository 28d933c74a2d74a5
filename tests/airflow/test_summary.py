"""The text at the end of a run, without Airflow."""

from __future__ import annotations

from typing import Any

import pytest
from genesys_summary import not_built, summary

DEAD = "127.0.0.1:9 refused the connection"


def ended(name: str, error: str | None = None) -> dict[str, Any]:
    return {"organization": name, "status": "failed" if error else "success", "error": error}


@pytest.mark.parametrize(
    ("recorded", "built", "end"),
    [
        (True, True, "The KPIs were built."),
        (True, False, "The KPIs were not built: see the task 'build'."),
        (
            False,
            True,
            "This could not be written into genesys_runs: see the task 'record'.\nThe KPIs were built.",
        ),
    ],
)
def test_the_summary_says_what_was_done(end: str, *, recorded: bool, built: bool) -> None:
    text = summary([ended("acme"), ended("globex")], recorded=recorded, built=built)
    assert text == f"2 of 2 organizations were loaded.\n{end}"


def test_an_error_that_several_share_is_said_once_and_first() -> None:
    outcomes = [ended("acme", "a wrong secret"), *(ended(name, DEAD) for name in ("b", "c")), ended("d")]
    assert summary(outcomes, recorded=True, built=True).splitlines() == [
        "1 of 4 organizations were loaded.",
        f"b, c (2 organizations) failed: {DEAD}",
        "acme failed: a wrong secret",
        "The KPIs were built.",
    ]


def test_the_summary_of_300_failures_names_everybody_and_can_be_read() -> None:
    """Each has an error of its own here, as long as an error gets."""
    names = [f"organization-{number}" for number in range(300)]
    outcomes = [ended(name, f"the error of {name}: " + "x" * 2000) for name in names]
    text = summary(outcomes, recorded=True, built=True)
    lines = text.splitlines()
    assert lines[1].startswith("organization-0 failed: the error of organization-0: xxx")
    assert lines[1].endswith("xxx …")
    assert max(map(len, lines[:21])) < 550
    assert lines[21].endswith(" (280 organizations) failed too: see genesys_runs, or the log of each")
    assert len(lines) == 23
    assert [name for name in names if name not in text] == []
    assert len(text) < 20_000


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("Failure in test unique_x: Got 3 results", ""),
        (
            'Error in stg_x: relation "genesys.agent_status" does not exist',
            (
                ". If no organization loads agent_status, set GENESYS_DAG_DBT_VARIABLES to "
                '{"using_agent_status": false}; otherwise see why no load has created it'
            ),
        ),
        (
            (
                'Error in stg_x: relation "genesys.extractions" does not exist; '
                'Error in stg_y: relation "genesys.agent_status" does not exist'
            ),
            ". No organization was loaded yet",
        ),
    ],
)
def test_a_table_that_is_missing_for_the_kpis_can_be_switched_off(error: str, advice: str) -> None:
    assert not_built(error) == f"dbt build failed: {error}{advice}"
