"""Errors in the config: one line each, with the name of the setting and what it must be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.config.families import unknown_names
from tap_genesys_aggregates.config.settings import Settings
from tap_genesys_aggregates.config.settings_table import QUERY_FIELDS, SETTINGS
from tap_genesys_aggregates.core.errors import SettingError
from tests.core.making import examples
from tests.http.fake_server import GATEWAY, QUERY, REQUIRED, SECRET, config, one_query

if TYPE_CHECKING:
    from collections.abc import Mapping

TREE = config(base_url=GATEWAY)
OPERATIONS = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
VIEW = {"name": "short", "target": "nHandle", "function": "rangeBound", "range": {"gte": 0}}


def refused(settings: Mapping[str, object]) -> str:
    """The error for a config."""
    with pytest.raises(SettingError) as error:
        Settings.read(settings)
    message = str(error.value)
    assert message.isprintable()
    assert len(message) < 700
    assert SECRET not in message
    return message


@pytest.mark.parametrize(
    ("changes", "name", "expected"),
    [
        ({"start_date": "yesterday"}, "start_date", "date-time"),
        ({"start_date": "2023-02-30"}, "start_date", "is not a date-time that exists"),
        ({"start_date": 20231101}, "start_date", "string"),
        ({"start_date": "0001-01-01"}, "start_date", "1970"),
        ({"start_date": None}, "start_date", "is required"),
        ({"end_date": "soon"}, "end_date", "date-time"),
        ({"end_date": "2023-11-01T00:00:00Z"}, "end_date", "later than start_date"),
        ({"end_date": "2023-10-01T00:00:00Z"}, "end_date", "later than start_date"),
        ({"client_id": None}, "client_id", "GENESYS_CLIENT_ID"),
        ({"client_secret": None}, "client_secret", "GENESYS_CLIENT_SECRET"),
        ({"client_id": " "}, "client_id", "string"),
        ({"client_id": "a\nb"}, "client_id", "one line"),
        ({"client_secret": 5}, "client_secret", "string"),
        ({"client_secret": f"{SECRET}\n"}, "client_secret", "one line"),
        ({"client_secret": [SECRET]}, "client_secret", "string"),
        ({"region": "atlantis"}, "region", "bare domain"),
        ({"region": "http://mypurecloud.ie"}, "region", "bare domain"),
        ({"region": "mypurecloud.i"}, "region", "did you mean 'mypurecloud.ie'?"),
        ({"region": "eu-west-9"}, "region", "did you mean 'eu_west_"),
        ({"region": "mypurecloud.ie/x"}, "region", "bare domain"),
        ({"region": "user@mypurecloud.ie"}, "region", "bare domain"),
        ({"base_url": "gateway.example.com"}, "base_url", "URL"),
        ({"base_url": "ftp://gateway.example.com"}, "base_url", "URL"),
        ({"base_url": "http://gateway.example.com"}, "base_url", "https"),
        ({"base_url": "http://127.0.0.1.example.com"}, "base_url", "https"),
        ({"base_url": "http://localhost.example.com"}, "base_url", "https"),
        ({"base_url": "http://[::2]"}, "base_url", "https"),
        ({"base_url": "https://user:pass@gateway.example.com"}, "base_url", "without user"),
        ({"base_url": "https://gateway.example.com?x=1"}, "base_url", "query"),
        ({"base_url": "https://gateway.example.com:port"}, "base_url", "URL"),
        ({"base_url": "https://"}, "base_url", "URL"),
        ({"token_url": "http://login.example.com/oauth/token"}, "token_url", "https"),
        ({"api": "graphql"}, "api", "auto, results, group_tree"),
        ({"lookback_days": -1}, "lookback_days", "number"),
        ({"lookback_days": "a week"}, "lookback_days", "number"),
        ({"lookback_days": float("nan")}, "lookback_days", "number"),
        ({"lookback_days": True}, "lookback_days", "number"),
        ({"lookback_days": 10**400}, "lookback_days", "number"),
        ({"window": "1 day"}, "window", "ISO 8601 duration"),
        ({"window": "P1DT1H"}, "window", "ISO 8601 duration"),
        ({"max_window": "P0D"}, "max_window", "ISO 8601 duration"),
        ({"window": "P40D"}, "max_window", "shorter than window"),
        ({"concurrency": 0}, "concurrency", "1 to 16"),
        ({"concurrency": 17}, "concurrency", "1 to 16"),
        ({"concurrency": 2.5}, "concurrency", "whole number"),
        ({"requests_per_minute": 0}, "requests_per_minute", "number"),
        ({"page_size": "many"}, "page_size", "number"),
        ({"request_timeout": 0}, "request_timeout", "number"),
        ({"max_retries": -1}, "max_retries", "number"),
        ({"user_agent": ["x"]}, "user_agent", "string"),
        ({"queries": {}}, "queries", "list"),
        ({"queries": []}, "queries", "empty"),
        ({"queries": "[{"}, "queries", "JSON"),
        ({"queries": [5]}, "queries[0]", "object"),
        ({"start_date": [2026]}, "start_date", "string"),
    ],
)  # fmt: skip
def test_an_error_names_the_setting_and_says_what_it_must_be(
    changes: dict[str, object], name: str, expected: str
) -> None:
    message = refused(config(**changes))
    assert message.startswith(f"{name} ")
    assert expected in message


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        ({"name": None}, "name", "is required"),
        ({"name": "Calls"}, "name", "^[a-z][a-z0-9_]*$"),
        ({"name": "1calls"}, "name", "^[a-z][a-z0-9_]*$"),
        ({"name": "calls\n"}, "name", "one line"),
        ({"name": "x" * 9_999}, "name", "characters"),
        ({"metrics": []}, "metrics", "at least one"),
        ({"metrics": None}, "metrics", "at least one"),
        ({"metrics": "nOffered, tHandle"}, "metrics", "did you mean [nOffered, tHandle]?"),
        ({"metrics": ["nOffered tHandle"]}, "metrics", "did you mean [nOffered, tHandle]?"),
        ({"metrics": "[nOffered"}, "metrics", "JSON"),
        ({"metrics": [5]}, "metrics", "names"),
        ({"metrics": [""]}, "metrics", "names"),
        ({"metrics": ["nOffered", "nOffered"]}, "metrics", "twice"),
        ({"group_by": {"queueId": 1}}, "group_by", "list"),
        ({"group_by": ["queueId", "queueId"]}, "group_by", "twice"),
        ({"granularity": "hour"}, "granularity", "did you mean 'PT1H'?"),
        ({"granularity": "30 min"}, "granularity", "did you mean 'PT30M'?"),
        ({"granularity": "2d"}, "granularity", "did you mean 'P2D'?"),
        ({"granularity": "weekly"}, "granularity", "did you mean 'P1W'?"),
        ({"granularity": "PT0S"}, "granularity", "ISO 8601 duration"),
        ({"granularity": 3600}, "granularity", "string"),
        ({"time_zone": "Europe/Atlantis"}, "time_zone", "IANA name"),
        ({"time_zone": "europe/lodnon"}, "time_zone", "did you mean 'Europe/London'?"),
        ({"mode": "Async"}, "mode", "did you mean 'async'?"),
        ({"time_zone": "/etc/passwd"}, "time_zone", "IANA name"),
        ({"time_zone": "../UTC"}, "time_zone", "IANA name"),
        ({"endpoint": "conversation"}, "endpoint", "did you mean 'conversations'?"),
        ({"path": "https://other.example.com/x"}, "path", "begins with /"),
        ({"path": "//other.example.com/x"}, "path", "begins with /"),
        ({"path": "/x?y"}, "path", "begins with /"),
        ({"filter": ["x"]}, "filter", "object"),
        ({"shape": "tall"}, "shape", "wide, long"),
        ({"views": [{"name": "short"}]}, "views", "target"),
        ({"flatten_multivalued_dimensions": "yes"}, "flatten_multivalued_dimensions", "true or false"),
        ({"limit": 0}, "limit", "number"),
        ({"lookback_days": -2}, "lookback_days", "number"),
        ({"window": "long"}, "window", "ISO 8601 duration"),
        ({"preset": "queue_performanse"}, "preset", "did you mean 'queue_performance'?"),
        ({"metric": ["nOffered"]}, "metric", "did you mean 'metrics'?"),
        ({"groupBy": ["queueId"]}, "groupBy", "did you mean 'group_by'?"),
    ],
)  # fmt: skip
def test_an_error_names_the_field_of_the_query_and_says_what_it_must_be(
    changes: dict[str, object], field: str, expected: str
) -> None:
    message = refused(one_query(**changes))
    assert message.startswith(f"queries[0].{field} ")
    assert expected in message


def test_a_preset_of_the_other_api_is_refused_with_the_setting_that_allows_it() -> None:
    other = {**TREE, "queries": ["queue_performance"]}
    assert refused(other) == (
        "queries[0].preset 'queue_performance' is for api: results, not api: group_tree. Set api: results "
        "if the host serves that; presets of group_tree are conversation_aggregates"
    )


@pytest.mark.parametrize("as_text", [False, True])
def test_a_value_nested_deeper_than_a_hundred_levels_is_refused(*, as_text: bool) -> None:
    """On every Python: 3.13 encodes 5,000 levels, and the search for dimensions would exhaust the stack."""
    for levels, problem in ((98, ""), (101, "must not be nested deeper than 100 levels")):
        deep: dict[str, object] = {"a": 1}
        for _ in range(levels - 1):
            deep = {"a": deep}
        changed = one_query(filter=json.dumps(deep) if as_text else deep)
        if problem:
            assert problem in refused(changed)
        else:
            assert Settings.read(changed).queries[0].filter == deep


def test_two_queries_with_the_same_name_are_refused() -> None:
    """They would write to the same table."""
    message = refused(config(queries=[QUERY, {**QUERY, "metrics": ["tHandle"]}]))
    assert message.startswith("queries[1].name 'calls' is already the name of an earlier query")


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (
            ("calls", "calls_current"),
            "queries[1].name 'calls_current' cannot be used: 'calls_current' is a view",
        ),
        (("calls", "calls_missing"), "'calls_missing' is a view of query 'calls' too; choose another"),
        (
            ("calls_by_day", "calls"),
            "queries[1].name 'calls' cannot be used: 'calls_by_day' is a view of query",
        ),
        (
            ("extractions_gaps",),
            "queries[0].name 'extractions_gaps' is the name of one of the tap's own streams",
        ),
        (("extractions",), "the tap's own streams or views; choose another"),
        (("users",), "the tap's own streams or views; choose another"),
        (("x" * 51,), "must match ^[a-z][a-z0-9_]*$ and have at most 50 characters"),
    ],
)
def test_names_that_collide_in_the_warehouse_are_refused(names: tuple[str, ...], problem: str) -> None:
    """A table and a view cannot share a name, and PostgreSQL cuts names after 63 bytes.

    Loading ``calls`` and ``calls_current`` worked, until ``views`` failed with "calls_current is not a view".
    """
    assert problem in refused(config(queries=[{**QUERY, "name": name} for name in names]))


@pytest.mark.parametrize("names", [("calls", "calls_currently"), ("a_current", "a_missing"), ("x" * 50,)])
def test_names_that_only_look_alike_are_accepted(names: tuple[str, ...]) -> None:
    read = Settings.read(config(queries=[{**QUERY, "name": name} for name in names]))
    assert tuple(each.name for each in read.queries) == names


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"metrics": ["n" + "Offered" * 9]},
            "metrics: nOfferedOffered",
        ),
        (
            {"metrics": ["tHandle"], "views": [{"name": "v" * 60, "target": "tHandle"}]},
            "Give the view a shorter name",
        ),
        ({"group_by": ["d" * 64]}, "of 64 bytes, but PostgreSQL cuts names after 63. Remove it"),
    ],
)
def test_a_column_name_that_postgresql_would_cut_is_refused(changes: dict[str, Any], problem: str) -> None:
    """Two columns with the same first 63 bytes would be one, and its second value would win."""
    assert problem in refused(one_query(**changes))


def test_long_names_of_metrics_are_values_in_a_long_table() -> None:
    """The fix that the message names."""
    assert Settings.read(one_query(metrics=["n" + "Offered" * 9], shape="long")).queries


@pytest.mark.parametrize(
    ("name", "closest"),
    [
        ("start_dat", "start_date"),
        ("Region", "region"),
        ("lookback_day", "lookback_days"),
        ("clientid", "client_id"),
    ],
)
def test_an_unknown_setting_is_refused_with_the_closest_known_one(name: str, closest: str) -> None:
    """Otherwise a misspelled setting would silently have no effect."""
    message = refused(config(**{name: "x"}))
    assert message == f"{name} is not a known setting; did you mean {closest!r}?"


def test_nothing_is_suggested_for_a_setting_that_resembles_no_other() -> None:
    assert refused(config(zzz=1)) == "zzz is not a known setting"


def test_settings_of_the_sdk_are_accepted() -> None:
    assert Settings.read(config(stream_maps={}), ("stream_maps",)).api == "results"


@pytest.mark.parametrize(
    "field", ["endpoint", "views", "query_type", "sort_metric", "limit", "alternate_time_dimension"]
)
def test_fields_of_the_results_api_are_refused_for_a_group_tree(field: str) -> None:
    """Otherwise they would silently have no effect."""
    value: object = {"limit": 3, "views": [], "sort_metric": {}}.get(field, "x")
    query = {"name": "tree", "metrics": ["conversationCount"], field: value}
    message = refused({**TREE, "queries": [query]})
    assert message.startswith(f"queries[0].{field} ")
    assert "api: results" in message


@pytest.mark.parametrize(
    "url", ["http://localhost:8080", "http://127.0.0.1", "http://127.9.9.9:1", "http://[::1]:8080"]
)
def test_plain_http_is_accepted_for_the_loopback_address(url: str) -> None:
    """So a sandbox on this machine needs no certificate."""
    assert Settings.read(config(base_url=url)).hosts.api == url


@pytest.mark.parametrize("name", [each.name for each in SETTINGS.values() if each.secret])
def test_an_error_does_not_show_the_value_of_a_secret(name: str) -> None:
    for value in (f"{SECRET}\x00", [SECRET], {"x": SECRET}):
        assert refused({**REQUIRED, name: value}).startswith(f"{name} ")


ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.just("P1D"),
    st.lists(st.text(max_size=5), max_size=3), st.dictionaries(st.text(max_size=5), st.integers(),
    max_size=2),
)  # fmt: skip


@given(
    st.dictionaries(st.sampled_from(list(SETTINGS)), ANYTHING, max_size=4),
    st.dictionaries(st.sampled_from(list(QUERY_FIELDS)), ANYTHING, max_size=4),
)
@examples(150)
def test_any_config_is_read_or_refused_with_the_name_of_a_setting(
    changes: dict[str, object], query: dict[str, object]
) -> None:
    try:
        Settings.read({**REQUIRED, "queries": [{**QUERY, **query}], **changes})
    except SettingError as error:
        name = str(error).split(" ")[0].removeprefix("queries[0].")
        assert name in SETTINGS or name in QUERY_FIELDS or str(error).startswith("query ")  # noqa: PT017


@pytest.mark.parametrize(
    ("field", "closest"),
    [
        ({"metrics": ["tHandel"]}, "tHandle"),
        ({"group_by": ["queuId"]}, "queueId"),
        ({"endpoint": "conversation"}, "conversations"),
        ({"views": [VIEW]}, "tHandle"),
    ],
)
def test_the_closest_known_name_is_suggested_as_quoted_in_the_docs(
    field: dict[str, Any], closest: str
) -> None:
    """For a misspelled metric or dimension in a warning, for an endpoint or a view in an error."""
    settings = one_query(**{"metrics": ["tHandle"], "group_by": ["queueId"], **field})
    try:
        (line,) = [line for each in Settings.read(settings).queries for line in unknown_names(each)]
    except SettingError as error:
        line = str(error)
    assert f"did you mean {closest!r}?" in line
    assert line in OPERATIONS.read_text("utf-8").splitlines()
