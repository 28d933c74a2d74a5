from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.config.families import families
from tap_genesys_aggregates.core import statistics
from tap_genesys_aggregates.core.query import column
from tests.core.making import examples


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("queueId", "queue_id"),
        ("routing.queue.id", "routing_queue_id"),
        ("mediaType", "media_type"),
        ("tHandle", "t_handle"),
        ("nOffered", "n_offered"),
        ("oServiceLevel", "o_service_level"),
        ("handleDurationSum", "handle_duration_sum"),
        ("conversationCount", "conversation_count"),
        ("wrapupDurationSum", "wrapup_duration_sum"),
        ("nKnowledgeV3Search", "n_knowledge_v3_search"),
        ("tIvr", "t_ivr"),
        ("ani", "ani"),
        ("dnis", "dnis"),
        ("userId", "user_id"),
        ("HTTPStatus", "http_status"),
        ("ivrSIPCode", "ivr_sip_code"),
        ("already_snake", "already_snake"),
        ("with-dash and space", "with_dash_and_space"),
        ("._edges._", "edges"),
    ],
)
def test_a_name_becomes_snake_case(name: str, expected: str) -> None:
    """Names of the API become columns that a warehouse can have without quoting."""
    assert column(name) == expected


@given(st.text(max_size=40))
@examples()
def test_any_name_becomes_a_plain_column(name: str) -> None:
    """A column holds small letters, digits and single underscores, and its own column is itself."""
    assert re.fullmatch(r"([a-z0-9]+(_[a-z0-9]+)*)?", column(name))
    assert column(column(name)) == column(name)


@pytest.mark.parametrize("family", sorted(families()))
def test_no_two_names_of_a_family_meet_in_one_column(family: str) -> None:
    """Every dimension and metric that the SDKs list has a column of its own, short enough for Postgres."""
    known = families()[family]
    names = set(known.group_by)
    columns = [column(name) for name in names]
    for metric in set(known.metrics):
        columns += [
            f"{column(metric)}_{statistics.STATISTICS[each].column}"
            for each in statistics.statistics_of(metric)
        ]
    assert len(columns) == len(set(columns))
    assert max(map(len, columns)) <= 63


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("nOffered", ("count",)),
        ("nKnowledgeV3Search", ("count",)),
        ("tHandle", ("count", "sum", "min", "max")),
        ("tAnswered", ("count", "sum", "min", "max")),
        ("oServiceLevel", ("ratio", "numerator", "denominator", "target")),
    ],
)
def test_the_first_letter_says_which_statistics_come(metric: str, expected: tuple[str, ...]) -> None:
    """``n*`` bring a count, ``t*`` four numbers of milliseconds, service levels a ratio and its parts."""
    assert statistics.statistics_of(metric) == expected


@pytest.mark.parametrize(
    "metric", ["oWaiting", "oServiceTarget", "oTotalScore", "notation", "total", "Nothing"]
)
def test_an_undocumented_metric_has_room_for_all_it_may_bring(metric: str) -> None:
    """What is neither ``n*`` nor ``t*`` nor a service level has columns for counts, times and ratios."""
    assert set(statistics.statistics_of(metric)) >= {
        "count",
        "sum",
        "min",
        "max",
        "ratio",
        "numerator",
        "denominator",
        "target",
    }


def test_all_fourteen_statistics_are_known() -> None:
    """The SDKs' fourteen fields of ``stats`` are known, six of them whole numbers, four of them additive."""
    known = statistics.STATISTICS
    assert set(known) == {
        "max", "min", "sum", "current", "ratio", "numerator", "denominator", "target",
        "count", "countNegative", "countPositive", "p95", "p99", "calculatedMetricValue",
    }  # fmt: skip
    assert {name for name, each in known.items() if each.integer} == {
        "count", "countNegative", "countPositive", "p95", "p99", "calculatedMetricValue",
    }  # fmt: skip
    assert {"count", "sum", "numerator", "denominator"} <= {
        name for name, each in known.items() if each.additive
    }
    assert not {"ratio", "target", "p95", "p99", "min", "max", "current"} & {
        name for name, each in known.items() if each.additive
    }


@pytest.mark.parametrize(
    ("metric", "unit"),
    [
        ("tHandle", "milliseconds"),
        ("handleDurationSum", "milliseconds"),
        ("nOffered", "in the metric's own unit"),
    ],
)
def test_timers_are_milliseconds(metric: str, unit: str) -> None:
    """Timers of both contracts say their unit."""
    assert statistics.unit(metric) == unit
