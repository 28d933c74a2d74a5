"""The SQL of the views; that it does what it says is tested in a real PostgreSQL, in ``tests/warehouse``."""

from __future__ import annotations

from tap_genesys_aggregates.warehouse.views import literal, quoted, views
from tests.core.making import query


def test_long_tables_have_no_view_by_day() -> None:
    """Their columns mix the numbers of different metrics. They have the other views."""
    wide, long = views([query()], "s"), views([query(shape="long")], "s")
    assert 'create or replace view "s"."calls_by_day"' in wide
    assert 'create or replace view "s"."calls_by_day"' not in long
    assert all(f'create or replace view "s"."calls_{name}"' in long for name in ("current", "missing"))


def test_the_view_by_day_says_which_columns_it_leaves_out() -> None:
    sql = views([query(metrics=("tHandle", "nDistinctUsers"))], "s")
    assert "\n-- Left out: t_handle_min, t_handle_max, n_distinct_users_count (" in sql


def test_a_multi_valued_dimension_has_no_view_by_day() -> None:
    sql = views([query(group_by=("divisionId",))], "s")
    assert 'create or replace view "s"."calls_by_day"' not in sql
    assert "-- calls: no view by day.\n-- Left out: every column, because a conversation" in sql


def test_names_and_literals_are_quoted() -> None:
    assert quoted('a"; drop table b; --') == '"a""; drop table b; --"'
    assert literal("O'Higgins") == "'O''Higgins'"
    assert 'create or replace view "a""b"."calls_current"' in views([query()], 'a"b')


def test_a_schema_whose_name_ends_a_block_does_not_end_it() -> None:
    """The tag that quotes a block is one that the names in it do not contain."""
    sql = views([query()], "a$views$b")
    assert sql.count("$views_$") == 2 * sql.count("\ndo ")
