"""The columns of a table: their names, types and descriptions."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.config.families import families
from tap_genesys_aggregates.core import schema, statistics
from tap_genesys_aggregates.core.errors import SettingError
from tap_genesys_aggregates.core.query import View, column
from tests.core.making import examples, query

if TYPE_CHECKING:
    from tap_genesys_aggregates.core.query import Query

TREE = query(
    name="tree",
    api="group_tree",
    group_by=("interval", "routing.queue.id"),
    metrics=("conversationCount", "handleDurationSum"),
)
STATISTICS = (
    "count", "sum", "min", "max", "ratio", "numerator", "denominator", "target", "current",
    "count_negative", "count_positive", "p95", "p99", "calculated_metric_value", "other_statistics",
)  # fmt: skip


def test_a_wide_table_has_a_column_for_each_metric_and_statistic() -> None:
    """The key comes first, then the end, the numbers, and the columns that the tap adds."""
    wide = query(
        group_by=("queueId",),
        implicit_dimensions=("mediaType",),
        metrics=("nOffered", "tHandle", "oServiceLevel"),
    )
    assert [each.name for each in schema.columns(wide)] == [
        "interval_start", "queue_id", "media_type", "interval_end",
        "n_offered_count",
        "t_handle_count", "t_handle_sum", "t_handle_min", "t_handle_max",
        "o_service_level_ratio", "o_service_level_numerator", "o_service_level_denominator",
        "o_service_level_target",
        "extracted_at", "is_final",
    ]  # fmt: skip
    assert schema.keys(wide) == ("interval_start", "queue_id", "media_type")


def test_a_long_table_has_a_row_for_each_metric() -> None:
    """Metric and qualifier are part of the key; each statistic has a column."""
    long = query(shape="long")
    assert [each.name for each in schema.columns(long)] == [
        "interval_start", "queue_id", "metric", "qualifier", "interval_end", *STATISTICS, "extracted_at",
        "is_final",
    ]  # fmt: skip
    assert schema.keys(long) == ("interval_start", "queue_id", "metric", "qualifier")


def test_metrics_per_status_have_the_status_in_the_key() -> None:
    """Presence rows of a bucket differ only by their qualifier."""
    presence = query(group_by=("userId",), metrics=("tSystemPresence",), qualified=True)
    assert schema.keys(presence) == ("interval_start", "user_id", "qualifier")


def test_a_group_tree_has_one_number_for_each_metric() -> None:
    assert [(each.name, each.kind, each.key) for each in schema.columns(TREE)] == [
        ("interval_start", "date-time", True),
        ("routing_queue_id", "string", True),
        ("interval_end", "date-time", False),
        ("conversation_count", "number", False),
        ("handle_duration_sum", "number", False),
        ("extracted_at", "date-time", False),
        ("is_final", "boolean", False),
    ]


def test_a_view_has_the_columns_of_its_timer_under_its_own_name() -> None:
    view = View("shortHandle", "tHandle", {})
    names = [each.name for each in schema.columns(query(metrics=("nOffered",), views=(view,)))]
    assert names[3:7] == ["n_offered_count", "short_handle_count", "short_handle_sum", "short_handle_min"]


def test_statistics_of_a_query_override_the_default() -> None:
    names = [
        each.name
        for each in schema.columns(query(metrics=("oWaiting",), statistics={"oWaiting": ("p95", "max")}))
    ]
    assert names[3:-2] == ["o_waiting_p95", "o_waiting_max"]


def test_any_statistic_can_have_a_column() -> None:
    """One that this version does not know is a nullable number.

    Smallest reproducer: ``statistics: {tHandle: [count, p50Estimate]}``, a setting that was refused.
    """
    statistics = {"tHandle": ("count", "p50Estimate")}
    table = schema.columns(query(metrics=("tHandle",), statistics=statistics))
    assert [(each.name, each.kind, each.key) for each in table[3:-2]] == [
        ("t_handle_count", "integer", False),
        ("t_handle_p50_estimate", "number", False),
    ]


def test_a_metric_of_a_tree_can_have_more_than_its_value() -> None:
    """Smallest reproducer: ``{"conversationCount": {"value": 1, "max": 3}}``, which no setting could load."""
    table = schema.columns(replace(TREE, statistics={"conversationCount": ("value", "maxSeen")}))
    assert [(each.name, each.kind, each.wire) for each in table[3:-2]] == [
        ("conversation_count", "number", ("conversationCount", "value")),
        ("conversation_count_max_seen", "number", ("conversationCount", "maxSeen")),
        ("handle_duration_sum", "number", ("handleDurationSum", "value")),
    ]


@pytest.mark.parametrize("asked", [query(metrics=("tHandle", "oServiceLevel")), query(shape="long"), TREE])
def test_columns_have_the_right_json_types(asked: Query) -> None:
    """Counts are integers in wide shape and any number in long shape; only keys are never null."""
    document = schema.json_schema(schema.columns(asked))
    properties = document["properties"]
    assert isinstance(properties, dict)
    for name, each in properties.items():
        key = name in schema.keys(asked)
        kind = _kind(name)
        if asked.shape == "long" or name in {"conversation_count", "handle_duration_sum"}:
            kind = kind.replace("integer", "number")
        assert each["type"] == ([kind] if key else [kind, "null"])
        assert each.get("format") == ("date-time" if name in _INSTANTS else None)
    assert document["required"] == list(schema.keys(asked))
    assert document["type"] == "object"


_INSTANTS = {"interval_start", "interval_end", "extracted_at"}
_WHOLE = ("count", "count_negative", "count_positive")


def _kind(name: str) -> str:
    """The expected type of a column."""
    if name in {*_INSTANTS, "queue_id", "metric", "qualifier", "routing_queue_id", "other_statistics"}:
        return "string"
    if name == "is_final":
        return "boolean"
    return "integer" if name.endswith(_WHOLE) else "number"


@pytest.mark.parametrize("asked", [query(metrics=("tHandle", "nOffered")), query(shape="long"), TREE])
def test_every_column_has_a_description_with_unit_and_origin(asked: Query) -> None:
    for each in schema.columns(asked):
        assert re.fullmatch(
            r"\S.{9,200} \[(response: \S.*|tap|computed from the response)\]", each.description
        )
        if each.name in {"t_handle_sum", "t_handle_min", "t_handle_max", "handle_duration_sum"}:
            assert "milliseconds" in each.description


@pytest.mark.parametrize(
    ("changes", "both"),
    [
        ({"group_by": ("queueId", "queue.id")}, ("group_by: queueId", "group_by: queue.id")),
        ({"metrics": ("tHandle", "t.handle")}, ("metrics: tHandle", "metrics: t.handle")),
        ({"group_by": ("interval_end",)}, ("group_by: interval_end", "interval_end")),
        ({"group_by": ("nOfferedCount",)}, ("group_by: nOfferedCount", "metrics: nOffered")),
        ({"views": (View("t_handle", "tTalk", {}),)}, ("metrics: tHandle", "views: t_handle")),
        ({"shape": "long", "group_by": ("metric",)}, ("group_by: metric", "metric")),
        ({"group_by": ("is.final",)}, ("group_by: is.final", "is_final")),
        ({"group_by": ("interval.start",)}, ("interval_start", "group_by: interval.start")),
    ],
)
def test_two_settings_that_make_the_same_column_are_refused(
    changes: dict[str, object], both: tuple[str, str]
) -> None:
    """One would overwrite the other, so the message names both."""
    with pytest.raises(SettingError) as refused:
        schema.columns(query(name="twins", **changes))
    assert "'twins'" in str(refused.value)
    assert f"{both[0]} and {both[1]} would both be column" in str(refused.value)


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
    assert column(name) == expected


@given(st.text(max_size=40))
@examples()
def test_any_name_becomes_a_plain_identifier(name: str) -> None:
    """Lowercase letters, digits and single underscores; converting twice changes nothing."""
    assert re.fullmatch(r"([a-z0-9]+(_[a-z0-9]+)*)?", column(name))
    assert column(column(name)) == column(name)


@pytest.mark.parametrize("family", sorted(families()))
def test_names_of_a_family_make_distinct_columns(family: str) -> None:
    """None is too long for PostgreSQL."""
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
def test_the_first_letter_of_a_metric_determines_its_statistics(
    metric: str, expected: tuple[str, ...]
) -> None:
    assert statistics.statistics_of(metric) == expected


@pytest.mark.parametrize(
    "metric", ["oWaiting", "oServiceTarget", "oTotalScore", "notation", "total", "Nothing"]
)
def test_other_metrics_have_columns_for_counts_times_and_ratios(metric: str) -> None:
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
    """As in the official SDKs."""
    known = statistics.STATISTICS
    assert set(known) == {
        "max", "min", "sum", "current", "ratio", "numerator", "denominator", "target",
        "count", "countNegative", "countPositive", "p95", "p99", "calculatedMetricValue",
    }  # fmt: skip
    assert {name for name, each in known.items() if each.integer} == {
        "count", "countNegative", "countPositive",
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
def test_timers_are_in_milliseconds(metric: str, unit: str) -> None:
    assert statistics.unit(metric) == unit
