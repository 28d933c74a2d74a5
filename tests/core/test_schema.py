from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tap_genesys_aggregates.core import schema
from tap_genesys_aggregates.core.errors import SettingError
from tap_genesys_aggregates.core.query import View
from tests.core.making import query

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
    "count_negative", "count_positive", "p95", "p99", "calculated_metric_value",
)  # fmt: skip


def test_a_wide_table_has_a_column_for_each_metric_and_statistic() -> None:
    """Key, end, numbers in the order of the settings, then what the tap adds."""
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
    """The key goes on with metric and qualifier; each of the fourteen statistics has a column."""
    long = query(shape="long")
    assert [each.name for each in schema.columns(long)] == [
        "interval_start", "queue_id", "metric", "qualifier", "interval_end", *STATISTICS, "extracted_at",
        "is_final",
    ]  # fmt: skip
    assert schema.keys(long) == ("interval_start", "queue_id", "metric", "qualifier")


def test_metrics_that_come_once_per_status_have_the_status_in_the_key() -> None:
    """Presence rows of one bucket differ by ``qualifier`` only, so it is part of the key."""
    presence = query(group_by=("userId",), metrics=("tSystemPresence",), qualified=True)
    assert schema.keys(presence) == ("interval_start", "user_id", "qualifier")


def test_a_tree_has_one_number_for_each_metric() -> None:
    """The interval is no column of its own; each metric is one nullable number."""
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
    """A view over a timer is counted like the timer."""
    view = View("shortHandle", "tHandle", {})
    names = [each.name for each in schema.columns(query(metrics=("nOffered",), views=(view,)))]
    assert names[3:7] == ["n_offered_count", "short_handle_count", "short_handle_sum", "short_handle_min"]


def test_the_user_may_know_better_which_statistics_come() -> None:
    """``statistics`` of a query overrides what the first letter says."""
    names = [
        each.name
        for each in schema.columns(query(metrics=("oWaiting",), statistics={"oWaiting": ("p95", "max")}))
    ]
    assert names[3:-2] == ["o_waiting_p95", "o_waiting_max"]


@pytest.mark.parametrize("asked", [query(metrics=("tHandle", "oServiceLevel")), query(shape="long"), TREE])
def test_types_are_what_singer_wants(asked: Query) -> None:
    """Counts are integers, other numbers numbers, instants date-time; only keys are never null."""
    document = schema.json_schema(schema.columns(asked))
    properties = document["properties"]
    assert isinstance(properties, dict)
    for name, each in properties.items():
        key = name in schema.keys(asked)
        kind = (
            _kind(name)
            if asked is not TREE or name not in {"conversation_count", "handle_duration_sum"}
            else "number"
        )
        assert each["type"] == ([kind] if key else [kind, "null"])
        assert each.get("format") == ("date-time" if name in _INSTANTS else None)
    assert document["required"] == list(schema.keys(asked))
    assert document["type"] == "object"


_INSTANTS = {"interval_start", "interval_end", "extracted_at"}
_WHOLE = ("count", "count_negative", "count_positive", "p95", "p99", "calculated_metric_value")


def _kind(name: str) -> str:
    """The type that the settings contract gives a column."""
    if name in {*_INSTANTS, "queue_id", "metric", "qualifier", "routing_queue_id"}:
        return "string"
    if name == "is_final":
        return "boolean"
    return "integer" if name.endswith(_WHOLE) else "number"


@pytest.mark.parametrize("asked", [query(metrics=("tHandle", "nOffered")), query(shape="long"), TREE])
def test_every_column_says_what_it_is(asked: Query) -> None:
    """Each description is a sentence with the unit of a timer and, in brackets, where the value is from."""
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
def test_two_settings_that_give_one_column_are_refused(
    changes: dict[str, object], both: tuple[str, str]
) -> None:
    """One of the two would overwrite the other, so the config is refused with both named."""
    with pytest.raises(SettingError) as refused:
        schema.columns(query(name="twins", **changes))
    assert "'twins'" in str(refused.value)
    assert f"{both[0]} and {both[1]} would both be column" in str(refused.value)
