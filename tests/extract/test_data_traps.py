"""Twenty ways in which other connectors lose or distort data, and the tests that rule each of them out."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRAPS: dict[int, tuple[str, tuple[str, ...]]] = {
    1: (
        "Only data[0] is read, so later buckets are lost, or the last bucket overwrites the others.",
        (
            "tests/dialects/test_results.py::test_every_bucket_is_a_row",
            "tests/dialects/test_results.py::test_every_group_has_its_own_rows",
        ),
    ),
    2: (
        "The qualifier is dropped, so presence rows overwrite each other.",
        (
            "tests/dialects/test_results.py::test_a_qualifier_is_part_of_the_key",
            "tests/dialects/test_results.py::test_a_qualifier_without_a_column_is_refused",
            "tests/core/test_schema.py::test_metrics_per_status_have_the_status_in_the_key",
        ),
    ),
    3: (
        "A missing metric is stored as 0.",
        (
            "tests/core/test_rows.py::test_a_missing_number_is_null_and_never_zero",
            "tests/dialects/test_results.py::test_a_metric_without_numbers_is_null_and_never_zero",
            "tests/dialects/test_group_tree.py::test_a_missing_number_is_null_and_never_zero",
        ),
    ),
    4: (
        "Days end at 23:59:59 (or .999), so the end of each day is lost.",
        (
            "tests/core/test_windows.py::test_windows_of_a_day_are_half_open_and_start_at_midnight",
            "tests/core/test_windows.py::test_windows_are_contiguous_and_on_the_grid",
            "tests/pipeline/test_rows.py::test_every_bucket_arrives_once_when_the_clocks_change",
        ),
    ),
    5: (
        "Local time is labeled Z; fixed offsets are used across daylight saving changes.",
        (
            "tests/http/test_clock.py::test_now_is_utc",
            "tests/core/test_instants.py::test_a_date_time_is_the_same_instant_in_any_offset",
            "tests/core/test_grid.py::test_days_of_23_and_25_hours_have_that_many_hourly_buckets",
            "tests/core/test_grid.py::test_days_start_when_the_local_calendar_changes",
        ),
    ),
    6: (
        "The current, incomplete bucket is stored as if it were final.",
        (
            "tests/core/test_windows.py::test_a_bucket_that_is_still_filling_is_not_read",
            "tests/core/test_rows.py::test_a_bucket_is_final_if_it_ended_before_the_lookback",
        ),
    ),
    7: (
        "The bookmark moves past a failed request, so the gap is permanent.",
        (
            "tests/core/test_bookmarks.py::BookmarkMachine::no_gap",
            "tests/pipeline/test_repeated_runs.py::test_after_a_failure_the_state_is_the_end_of_the_last_complete_window",
        ),
    ),
    8: (
        "There is no lookback, so corrections never arrive.",
        (
            "tests/core/test_bookmarks.py::test_the_lookback_is_counted_from_now",
            "tests/core/test_bookmarks.py::BookmarkMachine::everything_settled_was_read_after_it_settled",
            "tests/pipeline/test_repeated_runs.py::test_on_every_schedule_the_settled_rows_equal_the_expected_ones",
        ),
    ),
    9: (
        "A failed call is logged and skipped, or 429 returns nothing.",
        (
            "tests/http/test_transport.py::test_max_retries_does_not_count_the_first_attempt",
            "tests/http/test_transport.py::test_a_transient_failure_is_retried",
        ),
    ),
    10: (
        "The token is fetched once and expires mid-run, or it is fetched for every request.",
        (
            "tests/http/test_auth.py::test_a_long_run_renews_its_token",
            "tests/http/test_auth.py::test_one_token_serves_many_requests",
        ),
    ),
    11: (
        "results: null, data: null, metrics: null crash the reader.",
        (
            "tests/dialects/test_results.py::test_missing_results_or_data_are_no_rows",
            "tests/dialects/test_results.py::test_a_bucket_without_metrics_is_a_row_of_nulls",
            "tests/adversarial/test_fuzz.py::test_a_mutated_response_is_read_or_refused",
        ),
    ),
    12: (
        "A host is hard-coded in one place and configurable in another.",
        (
            "tests/http/test_hosts.py::test_a_base_url_wins_over_the_region",
            "tests/http/test_hosts.py::test_every_region_has_its_hosts",
            "tests/http/test_auth.py::test_token_and_secret_go_to_their_own_host_only",
        ),
    ),
    13: (
        "The connection test always succeeds.",
        ("tests/end_to_end/test_command_line.py::test_the_connection_test_succeeds_only_with_access",),
    ),
    14: (
        "Every value is cast to text; ids are joined without a separator and hashed.",
        (
            "tests/core/test_rows.py::test_other_numbers_keep_their_value_and_type",
            "tests/core/test_schema.py::test_columns_have_the_right_json_types",
            "tests/core/test_rows.py::test_a_second_row_with_the_same_key_is_refused",
        ),
    ),
    15: (
        "The first run starts in 1970.",
        (
            "tests/core/test_bookmarks.py::test_the_first_run_starts_at_the_start_date",
            "tests/core/test_bookmarks.py::test_a_run_never_starts_before_the_start_date",
        ),
    ),
    16: (
        "A window that is too large is split by changing its start in place, which duplicates rows.",
        (
            "tests/core/test_windows.py::test_halves_meet_at_a_bucket_boundary",
            "tests/core/test_windows.py::test_a_single_bucket_has_no_halves",
            "tests/pipeline/test_rows.py::test_a_window_that_is_too_large_or_too_slow_is_halved_until_it_fits",
            "tests/pipeline/test_rows.py::test_a_single_bucket_that_does_not_fit_ends_the_run_after_few_requests",
            "tests/core/test_rows.py::test_a_second_row_with_the_same_key_is_refused",
        ),
    ),
    17: (
        "An empty page is taken for the last one.",
        (
            "tests/dialects/test_group_tree.py::test_a_page_without_entities_is_empty_and_not_the_end",
            "tests/extract/test_paging.py::test_every_page_is_requested_and_an_empty_one_is_not_the_last",
        ),
    ),
    18: (
        "The state does not move over a period without data.",
        (
            "tests/pipeline/test_repeated_runs.py::test_a_window_without_data_advances_the_state",
            "tests/core/test_bookmarks.py::test_a_window_moves_the_bookmark_to_its_end",
        ),
    ),
    19: (
        "A killed run looks like a success to the scheduler.",
        (
            "tests/singer/test_termination.py::test_the_exit_code_tells_the_signal",
            "tests/end_to_end/test_command_line.py::test_a_signal_ends_a_run_without_loss",
        ),
    ),
    20: (
        "The target loses a row per batch, which only a count in the warehouse shows.",
        (
            "tests/end_to_end/test_meltano.py::test_every_family_is_loaded_exactly",
            "tests/warehouse/test_views.py::test_the_view_missing_finds_a_deleted_row",
        ),
    ),
}

TESTS = sorted({test for _, tests in TRAPS.values() for test in tests})


@cache
def _names(path: Path) -> set[str]:
    """The functions of a file, and its methods as ``Class::method``."""
    found = set()
    for part in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(part, ast.FunctionDef):
            found.add(part.name)
        if isinstance(part, ast.ClassDef):
            found |= {f"{part.name}::{each.name}" for each in part.body if isinstance(each, ast.FunctionDef)}
    return found


def test_every_trap_has_a_test() -> None:
    assert list(TRAPS) == list(range(1, 21))
    assert all(text and tests for text, tests in TRAPS.values())


@pytest.mark.parametrize("test", TESTS)
def test_every_test_of_a_trap_exists(test: str) -> None:
    """So that renaming one without this table is noticed."""
    file, name = test.split("::", 1)
    assert name in _names(ROOT / file)
