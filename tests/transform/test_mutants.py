"""A wrong formula is caught: each of these mistakes makes a unit test of the package fail."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from .dbt import Package, Step
from .warehouse import START, DuckDB, Tap

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow]

MEASURES = "macros/measures.sql"
DAY = "models/marts/genesys__queue_day.sql"
CURRENT = "macros/current_rows.sql"
DIALECT = "macros/dialect.sql"

MUTANTS = {
    "a ratio averaged": (
        DAY,
        "  {{ queue_ratios() }},\n",
        "  {{ queue_ratios() | replace(ratio('answered', 'offered'), 'mean_answer_rate') }},\n",
        "a_day_divides_sums_and_never_averages_ratios",
    ),
    "a count for a sum": (
        DAY,
        "    sum({{ name }}) as {{ name }},\n",
        "    count({{ name }}) as {{ name }},\n",
        "a_day_divides_sums_and_never_averages_ratios",
    ),
    "hold divided by handled": (
        MEASURES,
        "average_seconds('hold_milliseconds', 'held')",
        "average_seconds('hold_milliseconds', 'handled')",
        "an_interval_has_totals_and_ratios",
    ),
    "UTC days for local ones": (
        DIALECT,
        "at time zone 'UTC' at time zone '{{ zone }}' as date",
        "as date",
        "days_are_local",
    ),
    "stale rows let in": (
        CURRENT,
        "where last_pulls.pulled_at is null or r.extracted_at >= last_pulls.pulled_at\n",
        "",
        "stale_rows_are_left_out",
    ),
    "milliseconds taken for seconds": (
        MEASURES,
        "ratio(milliseconds, count) }} / 1000",
        "ratio(milliseconds, count) }}",
        "an_interval_has_totals_and_ratios",
    ),
    "occupancy out of all time on queue": (
        "models/marts/genesys__agent_day.sql",
        "'occupied_seconds + idle_seconds')",
        "'occupied_seconds + idle_seconds + not_responding_seconds')",
        "an_agents_day_joins_work_and_status",
    ),
}
"""Mistake → file, right text, wrong text, and the unit test that must fail."""


MEAN = (
    "    count(*) as intervals,\n",
    "    count(*) as intervals,\n    avg(answer_rate) as mean_answer_rate,\n",
)
"""What the first mutant also needs."""


def test_every_mutant_fails_a_unit_test(tmp_path: Path) -> None:
    """Without a mutant, all unit tests pass."""
    package, database, tap = Package(tmp_path), DuckDB(tmp_path), Tap()
    tap.run(START + timedelta(days=1))
    database.load(tap.loaded)
    unit = ("test", "--select", "test_type:unit")
    steps = [Step(("run",)), Step(unit)]
    restored: dict[str, str] = {}
    for name, (path, right, wrong, _) in MUTANTS.items():
        text = package.text(path)
        assert text.count(right) == 1, name
        mutated = (
            text.replace(right, wrong).replace(*MEAN) if "mean_" in wrong else text.replace(right, wrong)
        )
        steps.append(Step(unit, files={**restored, path: mutated}))
        restored = {path: text}
    built, plain, *outcomes = package.run(database, *steps)
    assert built.failures() == plain.failures() == []
    assert len(plain.names("pass")) >= 7
    for outcome, (name, (_, _, _, test)) in zip(outcomes, MUTANTS.items(), strict=True):
        assert test in outcome.names("fail"), name
