"""The SQL of the views; that it does what it says is tested in a real PostgreSQL, in ``tests/warehouse``."""

from __future__ import annotations

from tap_genesys_aggregates.core.query import View
from tap_genesys_aggregates.warehouse.views import additive, literal, quoted, views
from tests.core.making import query


def test_only_what_may_be_added_is_added() -> None:
    """Counts, sums and the parts of a ratio; no extremes, no ratios, no distinct counts."""
    asked = query(metrics=("nOffered", "tHandle", "oServiceLevel", "nDistinctUsers"))
    assert additive(asked) == (
        "n_offered_count",
        "t_handle_count",
        "t_handle_sum",
        "o_service_level_numerator",
        "o_service_level_denominator",
    )


def test_a_day_of_long_rows_has_no_sum() -> None:
    """Their columns hold numbers of different metrics, so there is no view by day; the others are there."""
    wide, long = views([query()], "s"), views([query(shape="long")], "s")
    assert 'create view "s"."calls_by_day"' in wide
    assert "by_day" not in long.replace('drop view if exists "s"."calls_by_day"', "")
    assert all(f'create view "s"."calls_{name}"' in long for name in ("current", "missing"))


def test_a_view_of_the_api_is_added_too() -> None:
    """It counts like the timer that it is over."""
    asked = query(metrics=("tHandle",), views=(View("short", "tHandle", {}),))
    assert {"short_count", "short_sum"} < set(additive(asked))


def test_names_and_texts_are_quoted() -> None:
    """Whatever a schema is called, it is a name and not a part of the statement."""
    assert quoted('a"; drop table b; --') == '"a""; drop table b; --"'
    assert literal("O'Higgins") == "'O''Higgins'"
    assert 'create view "a""b"."calls_current"' in views([query()], 'a"b')
