"""The SQL of the views; that it does what it says is tested in a real PostgreSQL, in ``tests/warehouse``."""

from __future__ import annotations

from tap_genesys_aggregates.core.query import View
from tap_genesys_aggregates.warehouse.views import additive, literal, quoted, views
from tests.core.making import query


def test_only_additive_statistics_are_summed() -> None:
    """No minimum, maximum, ratio or distinct count."""
    asked = query(metrics=("nOffered", "tHandle", "oServiceLevel", "nDistinctUsers"))
    assert additive(asked) == (
        "n_offered_count",
        "t_handle_count",
        "t_handle_sum",
        "o_service_level_numerator",
        "o_service_level_denominator",
    )


def test_long_tables_have_no_view_by_day() -> None:
    """Their columns mix the numbers of different metrics. They have the other views."""
    wide, long = views([query()], "s"), views([query(shape="long")], "s")
    assert 'create view "s"."calls_by_day"' in wide
    assert "by_day" not in long.replace('drop view if exists "s"."calls_by_day"', "")
    assert all(f'create view "s"."calls_{name}"' in long for name in ("current", "missing"))


def test_views_of_a_query_are_summed_too() -> None:
    asked = query(metrics=("tHandle",), views=(View("short", "tHandle", {}),))
    assert {"short_count", "short_sum"} < set(additive(asked))


def test_names_and_literals_are_quoted() -> None:
    assert quoted('a"; drop table b; --') == '"a""; drop table b; --"'
    assert literal("O'Higgins") == "'O''Higgins'"
    assert 'create view "a""b"."calls_current"' in views([query()], 'a"b')
